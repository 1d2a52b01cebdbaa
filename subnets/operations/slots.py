"""Slots: buying one from the network, describing it, tuning it, handing it over."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move
from subnets import clock, hyperparameters, naming, queries, rules
from subnets.errors import LockCostAboveLimit, NameTaken, NoFreeSlot
from subnets.models import SUBNET_LIMIT, IncentiveRule, Network, Ownership, Subnet
from subnets.operations.network import accrue_emission

# A uid on a new subnet costs 1 TAO (subtensor, init_new_network); the price then moves by itself.
NEW_SUBNET_BURN_RAO = 10**9


@dataclass(frozen=True, slots=True)
class Registered:
    netuid: int
    cost_rao: int


@transaction.atomic
def register_subnet(
    *,
    owner: UUID,
    name: str,
    summary: str,
    blueprint: str,
    max_cost_rao: int,
    key: str,
    now: datetime,
) -> Registered:
    """Sell the lowest free slot to `owner` at the current lock cost, with the blueprint's default rule.

    `key` names the money's entry; the caller looks for a replay in its own rows. The network's row
    is the lock, so that two buyers never pay the same price for the same slot.
    Raises: NoFreeSlot, TextRefused, NameTaken, LockCostAboveLimit, InsufficientFunds.
    """
    network = queries.lock_network()
    free = queries.free_netuids()
    if not free:
        raise NoFreeSlot(limit=SUBNET_LIMIT)
    name, summary = naming.subnet_name(name), naming.subnet_summary(summary)
    _check_name_is_free(name, netuid=free[0])
    block = clock.block_at(now, genesis_at=network.genesis_at, block_ms=network.block_ms)
    # What the blocks up to now issue belongs to the subnets that were there.
    accrue_emission(up_to_block=block)
    cost_rao = queries.lock_cost_at(network, block=block, supply=queries.supply_rao())
    if cost_rao > max_cost_rao:
        raise LockCostAboveLimit(cost_rao=cost_rao, max_cost_rao=max_cost_rao)
    subnet = _open_slot(
        netuid=free[0],
        owner=owner,
        name=name,
        summary=summary,
        blueprint=blueprint,
        block=block,
        now=now,
    )
    _record_first_owner(subnet, price_rao=cost_rao, now=now)
    _remember_lock(network, cost_rao=cost_rao, block=block)
    lock = chart.subnet_lock(subnet.netuid)
    ledger.post(
        Entry(
            key=key,
            code=Code.SLOT_BOUGHT,
            at=now,
            steps=(Move(debit=chart.wallet(owner), credit=lock, amount_rao=cost_rao),),
        )
    )
    return Registered(netuid=subnet.netuid, cost_rao=cost_rao)


def _check_name_is_free(name: str, *, netuid: int) -> None:
    """Refuse a name that another subnet has, to the eye; the caller holds the network's row."""
    others = Subnet.objects.exclude(pk=netuid).values_list("name", flat=True)
    if taken := next((other for other in others if naming.read_alike(name, other)), None):
        raise NameTaken(name=taken)


def _open_slot(
    *,
    netuid: int,
    owner: UUID,
    name: str,
    summary: str,
    blueprint: str,
    block: int,
    now: datetime,
) -> Subnet:
    values = hyperparameters.defaults()
    tempo = values["tempo"]
    return Subnet.objects.create(
        netuid=netuid,
        name=name,
        summary=summary,
        blueprint=blueprint,
        owner=owner,
        hyperparameters=values,
        burn_rao=NEW_SUBNET_BURN_RAO,
        burn_block=block,
        last_epoch_block=clock.initial_epoch_block(
            netuid=netuid, registered_block=block, tempo=tempo
        ),
        next_epoch_block=clock.first_epoch_block(
            netuid=netuid, registered_block=block, tempo=tempo
        ),
        registered_at=now,
        registered_block=block,
    )


def _record_first_owner(subnet: Subnet, *, price_rao: int, now: datetime) -> None:
    Ownership.objects.create(
        subnet=subnet,
        owner=subnet.owner,
        starts_at=now,
        price_rao=price_rao,
        reason=Ownership.Reason.REGISTERED,
    )
    document = dict(rules.DEFAULT_RULES[subnet.blueprint])
    IncentiveRule.objects.create(
        subnet=subnet,
        version=1,
        state=IncentiveRule.State.PUBLISHED,
        document=document,
        digest=rules.digest(rules.parse(document)),
        author=subnet.owner,
        created_at=now,
        published_at=now,
        from_epoch=1,
    )


def _remember_lock(network: Network, *, cost_rao: int, block: int) -> None:
    network.last_lock_rao = cost_rao
    # Block 0 means "no registration yet" to the formula, so a purchase in it counts as block 1.
    network.last_lock_block = max(block, 1)
    network.save(update_fields=["last_lock_rao", "last_lock_block"])


@transaction.atomic
def transfer_ownership(
    *, netuid: int, seller: UUID, buyer: UUID, price_rao: int, now: datetime
) -> None:
    """Hand a subnet to its buyer: the owner's console follows in the same instant. Money is the caller's.

    Raises: SubnetUnknown, NotTheOwner.
    """
    subnet = queries.lock_own_subnet(netuid, seller)
    held = Ownership.objects.get(subnet=subnet, ends_at=None)
    # The clocks of two machines differ a little; a period that ends before it began is none.
    at = max(now, held.starts_at)
    held.ends_at = at
    held.save(update_fields=["ends_at"])
    Ownership.objects.create(
        subnet=subnet, owner=buyer, starts_at=at, price_rao=price_rao, reason=Ownership.Reason.SOLD
    )
    subnet.owner = buyer
    subnet.save(update_fields=["owner"])


@transaction.atomic
def describe_subnet(
    *,
    netuid: int,
    owner: UUID,
    name: str,
    summary: str,
    description: str,
    repository_url: str,
) -> Subnet:
    """Change a subnet's words. Raises: SubnetUnknown, NotTheOwner, TextRefused, NameTaken."""
    # Names are looked up and taken under the network's row, here as where a slot is bought.
    queries.lock_network()
    subnet = queries.lock_own_subnet(netuid, owner)
    subnet.name, subnet.summary = naming.subnet_name(name), naming.subnet_summary(summary)
    subnet.description = naming.subnet_description(description)
    _check_name_is_free(subnet.name, netuid=netuid)
    subnet.repository_url = repository_url
    subnet.save(update_fields=["name", "summary", "description", "repository_url"])
    return subnet

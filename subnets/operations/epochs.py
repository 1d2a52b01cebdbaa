"""An epoch pays what accrued since the last one, once, by the rule in force."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Code
from ledger.entries import Entry, Move
from subnets import bundle, clock, payroll, queries
from subnets.metrics import Delivery
from subnets.models import Epoch, EpochTerm, Neuron, Subnet
from subnets.operations.network import accrue_emission
from subnets.queries import Handover

# Versions an epoch tries, should the newest fail; going back further would hide that nobody looks.
RULES_TRIED_MAX = 5


@transaction.atomic
def run_epoch(
    *,
    netuid: int,
    number: int,
    scores: Sequence[Mapping[str, Any]],
    deliveries: Sequence[Delivery],
    now: datetime,
) -> Epoch | None:
    """Close and pay one epoch of a subnet; None when it is not due. A closed one is returned as it is.

    scores: the window's signed scores as they go into the bundle. The rule in force turns them into
    weights; should it fail, its predecessor does, and `rule_fault` tells the owner.
    Raises: SubnetUnknown, RuleInvalid, RuleTooCostly, RuleEvaluatorUnavailable; nothing is written then.
    """
    # The network's row first, then the subnets': accrual takes them in this order too.
    queries.lock_network()
    subnet = queries.lock_subnet(netuid)
    closed = Epoch.objects.filter(subnet=subnet, number=number).defer("bundle").first()
    if closed is not None:
        return closed
    block = queries.block_now(now)
    if number != queries.last_epoch_number(netuid) + 1 or block < subnet.next_epoch_block:
        return None
    accrue_emission(up_to_block=subnet.next_epoch_block)
    subnet.refresh_from_db(fields=["pending_rao"])
    previous = queries.handover(netuid, number - 1)
    record = recorded(subnet, number, scores, deliveries, previous=previous)
    paid = payroll.settle(record)
    epoch = write_epoch(subnet, record, paid, previous=previous, now=now)
    write_neurons(subnet, paid)
    advance(subnet, paid)
    pay(epoch, paid, now=now)
    return epoch


def recorded(
    subnet: Subnet,
    number: int,
    scores: Sequence[Mapping[str, Any]],
    deliveries: Sequence[Delivery],
    *,
    previous: Handover | None,
) -> payroll.Record:
    """Gather everything the epoch depends on."""
    backing: dict[str, list[payroll.Backing]] = {}
    for hotkey, owner, amount_rao in sorted(books.stakes(subnet.netuid)):
        if amount_rao:
            backing.setdefault(hotkey, []).append(payroll.Backing(str(owner), amount_rao))
    neurons = Neuron.objects.filter(subnet=subnet).select_related("hotkey").order_by("uid")
    versions = queries.rules_by_force(subnet.netuid, number)
    # The first version is the network's own default: with it as the last resort an epoch can be paid.
    tried = versions[: RULES_TRIED_MAX - 1] + versions[RULES_TRIED_MAX - 1 :][-1:]
    return payroll.Record(
        netuid=subnet.netuid,
        number=number,
        start_block=subnet.last_epoch_block,
        end_block=subnet.next_epoch_block,
        last_step_block=previous.end_block if previous else 0,
        owner=str(subnet.owner),
        emission_rao=subnet.pending_rao,
        hyperparameters=subnet.hyperparameters,
        versions=tuple(
            payroll.RuleVersion(rule.version, rule.digest, rule.document) for rule in tried
        ),
        seats=tuple(
            payroll.Seat(
                uid=neuron.uid,
                hotkey=neuron.hotkey_id,
                owner=str(neuron.hotkey.owner),
                registered_block=neuron.registered_block,
                last_update_block=neuron.last_update_block,
                has_permit=neuron.has_permit,
                bonds={int(uid): value for uid, value in neuron.bonds.items()},
                backing=tuple(backing.get(neuron.hotkey_id, ())),
            )
            for neuron in neurons
        ),
        scores=tuple(scores),
        deliveries=tuple(deliveries),
        smoothed=bundle.smoothed_read(previous.smoothed) if previous else {},
        incumbents=previous.incumbents if previous else {},
    )


def write_epoch(
    subnet: Subnet,
    record: payroll.Record,
    paid: payroll.Payroll,
    *,
    previous: Handover | None,
    now: datetime,
) -> Epoch:
    """Write the epoch and its terms: facts, with the bundle that proves them."""
    public = bundle.made(record, paid, previous_digest=previous.digest if previous else "")
    epoch = Epoch.objects.create(
        subnet=subnet,
        number=record.number,
        start_block=record.start_block,
        end_block=record.end_block,
        closed_at=now,
        rule=subnet.rules.get(version=paid.rule_version),
        emission_rao=record.emission_rao,
        owner_rao=paid.owner_rao,
        miners_rao=paid.miners_rao,
        validators_rao=paid.validators_rao,
        burned_rao=paid.burned_rao,
        rule_fault=paid.rule_fault,
        bundle=public,
        digest=public["digest"],
    )
    EpochTerm.objects.bulk_create(
        EpochTerm(
            epoch=epoch,
            uid=term.uid,
            hotkey=term.hotkey,
            owner=UUID(term.owner),
            stake_rao=term.stake_rao,
            is_active=term.is_active,
            has_permit=term.has_permit,
            consensus_u16=term.consensus_u16,
            incentive_u16=term.incentive_u16,
            dividends_u16=term.dividends_u16,
            validator_trust_u16=term.validator_trust_u16,
            miner_rao=term.miner_rao,
            validator_rao=term.validator_rao,
        )
        for term in paid.terms
    )
    return epoch


def write_neurons(subnet: Subnet, paid: payroll.Payroll) -> None:
    """Hand permits, bonds, last updates and emission on to the next epoch."""
    neurons = {neuron.uid: neuron for neuron in Neuron.objects.filter(subnet=subnet)}
    for term in paid.terms:
        neuron = neurons[term.uid]
        neuron.has_permit = term.has_permit
        neuron.bonds = {str(uid): value for uid, value in term.bonds.items()}
        neuron.last_update_block = term.last_update_block
        neuron.emission_rao = term.miner_rao + term.validator_rao
    Neuron.objects.bulk_update(
        neurons.values(), ["has_permit", "bonds", "last_update_block", "emission_rao"]
    )


def advance(subnet: Subnet, paid: payroll.Payroll) -> None:
    """Empty the bucket and set the next epoch's end by the tempo in force now."""
    upcoming = clock.next_epoch_block(
        last_epoch_block=subnet.next_epoch_block, tempo=subnet.hyperparameters["tempo"]
    )
    assert upcoming is not None, "the owner's tempo has a lower bound"
    subnet.last_epoch_block, subnet.next_epoch_block = subnet.next_epoch_block, upcoming
    subnet.pending_rao, subnet.miner_burned_u16 = 0, paid.miner_burned_u16
    subnet.save(
        update_fields=["last_epoch_block", "next_epoch_block", "pending_rao", "miner_burned_u16"]
    )


def pay(epoch: Epoch, paid: payroll.Payroll, *, now: datetime) -> None:
    """Issue the epoch's emission to everyone it names, in one entry."""
    moves = [
        Move(debit=chart.ISSUANCE, credit=chart.wallet(UUID(owner)), amount_rao=amount_rao)
        for owner, amount_rao in paid.payouts.items()
    ]
    if paid.burned_rao:
        moves.append(Move(debit=chart.ISSUANCE, credit=chart.BURNED, amount_rao=paid.burned_rao))
    if not moves:
        return
    ledger.post(
        Entry(
            key=f"epoch:{epoch.subnet_id}:{epoch.number}",
            code=Code.EPOCH_PAID,
            at=now,
            steps=tuple(moves),
        )
    )

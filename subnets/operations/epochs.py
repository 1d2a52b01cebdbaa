"""An epoch pays what accrued since the last one, once, by the rule in force.

    begin      short, under the network's row: accrue, and read all that the epoch depends on
    compute    long, with no lock and no transaction: rule, consensus, split, bundle
    conclude   short, under the subnet's row: write the epoch, hand on, pay; all or nothing

The epoch is closed as of the instant at which it began: what is staked, registered, tuned, sold or accrued
while it is computed counts for the next one. Dying in between leaves nothing but an accrual, which is
counted once whoever repeats it (docs/decisions/0015).
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from ledger import chart, prepared, receipts
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Code
from ledger.entries import MAX_STEPS, Entry, Move
from subnets import bundle, clock, emission, evidence, packing, payroll, queries
from subnets.commitments import NO_PROOF, Proof
from subnets.grids import Grid
from subnets.metrics import Delivery
from subnets.models import Epoch, IncentiveRule, Network, Subnet
from subnets.operations.epoch_facts import EpochFacts, write_epoch
from subnets.operations.handing_on import hand_on
from subnets.operations.network import accrue_emission
from subnets.queries import Handover
from subnets.record import Backing, LedgerHead, Record, RuleVersion, Seat, Tenure

# Versions an epoch tries, should the newest fail; going back further would hide that nobody looks.
RULES_TRIED_MAX = 5

# Stake that moved meanwhile has let more accrue; that waits for the next epoch.
ADVANCE = """
UPDATE subnets_subnet
SET last_epoch_block = %(ended)s::bigint, next_epoch_block = %(upcoming)s::bigint,
    pending_rao = pending_rao - %(paid_rao)s::bigint,
    miner_burned_u16 = %(miner_burned_u16)s::int, window_starts_at = NULL
WHERE netuid = %(netuid)s::int
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """An epoch that is being computed. neurons: the row of each uid when it began; rules: of each version."""

    record: Record
    previous: Handover | None
    neurons: Mapping[int, int]
    rules: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Instant:
    """The rows that an epoch depends on, as they stood together. due_rao: what the epoch pays."""

    subnet: Subnet
    due_rao: int
    neurons: Sequence[queries.Seated]
    stakes: Sequence[books.StakeLine]
    rules: Sequence[IncentiveRule]
    tenures: tuple[Tenure, ...]


def run_epoch(
    *,
    netuid: int,
    number: int,
    scores: Sequence[Mapping[str, Any]],
    deliveries: Sequence[Delivery],
    proof: Proof = NO_PROOF,
    now: datetime,
) -> Epoch | None:
    """Close and pay one epoch of a subnet. A closed one is returned as it is.

    None when it is not due, or while another process is at it. scores: the window's signed scores as they
    go into the bundle. The rule in force turns them into weights; should it fail, its predecessor does, and
    `rule_fault` tells the owner. Runs transactions of its own and must not be called within one.
    Raises: SubnetUnknown, RuleInvalid, RuleTooCostly, RuleEvaluatorUnavailable; nobody is paid then.
    """
    with queries.claimed(netuid) as is_mine:
        closed = queries.closed_epoch(netuid, number)
        if closed is not None or not is_mine:
            return closed
        begun = begin(
            netuid=netuid, number=number, scores=scores, deliveries=deliveries, proof=proof, now=now
        )
        if begun is None:
            return None
        seen = payroll.measured(begun.record)
        paid = payroll.settle(begun.record, seen)
        return conclude(begun, paid, prove(begun, paid, seen, now=now), now=now)


def begin(
    *,
    netuid: int,
    number: int,
    scores: Sequence[Mapping[str, Any]],
    deliveries: Sequence[Delivery],
    proof: Proof = NO_PROOF,
    now: datetime,
) -> Begun | None:
    """Accrue up to the epoch's end and read all that the epoch depends on; None when not due."""
    # Closed epochs and seals never change: they are read before anybody has to wait.
    previous, sealed = queries.handover(netuid, number - 1), ledger_head()
    found = instant(netuid, number, is_first=previous is None, now=now)
    if found is None:
        return None
    record = Record(
        netuid=netuid,
        number=number,
        start_block=found.subnet.last_epoch_block,
        end_block=found.subnet.next_epoch_block,
        last_step_block=previous.end_block if previous else 0,
        owner=str(found.subnet.owner),
        emission_rao=found.due_rao,
        hyperparameters=found.subnet.hyperparameters,
        versions=tuple(
            RuleVersion(rule.version, rule.digest, rule.document) for rule in found.rules
        ),
        seats=tuple(seats(found.neurons, found.stakes)),
        scores=scores,
        deliveries=tuple(deliveries),
        smoothed=Grid.read(previous.smoothed) if previous else {},
        incumbents=previous.incumbents if previous else {},
        results=proof.results,
        commitments=proof.commitments,
        tenures=found.tenures,
        ledger_head=sealed,
    )
    return Begun(
        record=record,
        previous=previous,
        neurons={neuron.uid: neuron.id for neuron in found.neurons},
        rules={rule.version: rule.pk for rule in found.rules},
    )


@transaction.atomic(durable=True)
def instant(netuid: int, number: int, *, is_first: bool, now: datetime) -> Instant | None:
    """Accrue, and read the rows as they stand together; None when the epoch is not due.

    Whoever moves stake holds the network's row, whoever changes seats, rules or hyperparameters the
    subnet's: with both, nothing is half seen. All of them wait, so what was read is made something of afterwards.
    """
    # The network's row first, then the subnets': accrual takes them in this order too.
    network = queries.lock_network()
    subnet = queries.lock_subnet(netuid)
    block = clock.block_at(now, genesis_at=network.genesis_at, block_ms=network.block_ms)
    is_next = number == queries.last_epoch_number(netuid) + 1 and is_first == (number == 1)
    if not is_next or block < subnet.next_epoch_block:
        return None
    # As a rule the window was shut before, and the network has accrued as far.
    if network.accrued_block < subnet.next_epoch_block:
        accrue_emission(up_to_block=subnet.next_epoch_block)
        subnet.refresh_from_db(fields=["pending_rao"])
    # Whatever accrued past the epoch's end waits for the epochs after it.
    due_rao = emission.epoch_part_rao(
        subnet.pending_rao,
        start_block=max(subnet.last_epoch_block, subnet.registered_block),
        end_block=subnet.next_epoch_block,
        accrued_block=max(network.accrued_block, subnet.next_epoch_block),
    )
    versions = queries.rules_by_force(netuid, number)
    return Instant(
        subnet=subnet,
        due_rao=due_rao,
        neurons=queries.seated(netuid),
        stakes=books.stakes(netuid),
        # The first version is the network's own default: with it as the last resort an epoch can be paid.
        rules=versions[: RULES_TRIED_MAX - 1] + versions[RULES_TRIED_MAX - 1 :][-1:],
        tenures=owners(subnet, network),
    )


def ledger_head() -> LedgerHead | None:
    """Tell what binds the books now; none before their first seal."""
    head = receipts.head()
    return LedgerHead(seal=int(head["seal"]), hash=head["hash"]) if head else None


def owners(subnet: Subnet, network: Network) -> tuple[Tenure, ...]:
    """Tell who owned the subnet in the epoch that ends, and how long; nothing where its owner did all along."""
    starts_at, ends_at = (
        clock.time_of_block(block, genesis_at=network.genesis_at, block_ms=network.block_ms)
        for block in (subnet.last_epoch_block, subnet.next_epoch_block)
    )
    held = queries.tenures(subnet.netuid, starts_at=starts_at, ends_at=ends_at)
    return held if {tenure.owner for tenure in held} - {str(subnet.owner)} else ()


def seats(neurons: Sequence[queries.Seated], stakes: Sequence[books.StakeLine]) -> Iterator[Seat]:
    """Yield each neuron with the stake behind it, by uid."""
    backing: dict[str, list[Backing]] = {}
    for hotkey, owner, amount_rao in sorted(stakes):
        if amount_rao:
            backing.setdefault(hotkey, []).append(Backing(str(owner), amount_rao))
    for neuron in neurons:
        yield Seat(
            uid=neuron.uid,
            hotkey=neuron.hotkey,
            owner=neuron.owner,
            registered_block=neuron.registered_block,
            last_update_block=neuron.last_update_block,
            has_permit=neuron.has_permit,
            bonds=neuron.bonds,
            backing=tuple(backing.get(neuron.hotkey, ())),
        )


def prove(
    begun: Begun, paid: payroll.Payroll, seen: payroll.Measured, *, now: datetime
) -> EpochFacts:
    """Make an epoch's row and its public bundle; nothing is written, and nobody waits meanwhile."""
    record, previous = begun.record, begun.previous
    spelled = bundle.spelled(
        record,
        paid,
        previous_digest=previous.digest if previous else "",
        smoothed_text=previous.smoothed_text if previous else None,
    )
    # Hashing and deflating megabytes let the interpreter go on: where a processor is free, evidence is packed meanwhile.
    with ThreadPoolExecutor(max_workers=1) as beside:
        bound = beside.submit(_bound, spelled)
        kept, handed_on = evidence.packed(record, seen), packing.deflated(spelled.handed_on)
        written, deflated = bound.result()
    return EpochFacts(
        id=uuid4(),
        subnet_id=record.netuid,
        number=record.number,
        start_block=record.start_block,
        end_block=record.end_block,
        closed_at=now,
        rule_id=begun.rules[paid.rule_version],
        emission_rao=record.emission_rao,
        owner_rao=paid.owner_rao,
        miners_rao=paid.miners_rao,
        validators_rao=paid.validators_rao,
        burned_rao=paid.burned_rao,
        rule_fault=paid.rule_fault,
        bundle=deflated,
        handed_on=handed_on,
        digest=written.digest,
        evidence=kept,
    )


def _bound(spelled: bundle.Spelled) -> tuple[bundle.Written, bytes]:
    """Bind a bundle by its digest, and pack it."""
    written = bundle.bound(spelled)
    return written, packing.deflated(*written.parts)


@transaction.atomic(durable=True)
def conclude(begun: Begun, paid: payroll.Payroll, facts: EpochFacts, *, now: datetime) -> Epoch:
    """Write the epoch and pay everyone it names, all or nothing. A closed one is returned as it is.

    While PostgreSQL stores the bundle, what follows is put into words here (`prepared.atomic`).
    """
    record = begun.record
    subnet = queries.lock_subnet(record.netuid)
    closed = queries.closed_epoch(record.netuid, record.number)
    if closed is not None:
        return closed
    with prepared.atomic():
        advance(subnet, record, paid)
        write_epoch(facts, paid.terms)
        hand_on(begun.neurons, paid.terms)
        pay(record, paid, now=now)
    written = queries.closed_epoch(record.netuid, record.number)
    assert written is not None, "this transaction wrote it"
    return written


def advance(subnet: Subnet, record: Record, paid: payroll.Payroll) -> None:
    """Take what was paid out of the bucket and set the next epoch's end by the tempo of this one."""
    assert subnet.next_epoch_block == record.end_block, "only closing an epoch moves its end"
    upcoming = clock.next_epoch_block(
        last_epoch_block=record.end_block, tempo=record.hyperparameters["tempo"]
    )
    assert upcoming is not None, "the owner's tempo has a lower bound"
    prepared.send(
        ADVANCE,
        {
            "netuid": record.netuid,
            "ended": record.end_block,
            "upcoming": upcoming,
            "paid_rao": record.emission_rao,
            "miner_burned_u16": paid.miner_burned_u16,
        },
    )


def pay(record: Record, paid: payroll.Payroll, *, now: datetime) -> None:
    """Issue the epoch's emission to everyone it names.

    One entry, `epoch:<netuid>:<number>`; what is beyond an entry's steps follows in `…:2`, `…:3`, in the same
    transaction. Accounts come in the order in which entries lock them, so parts cannot wait for each other.
    """
    moves = [
        Move(debit=chart.ISSUANCE, credit=chart.wallet(UUID(owner)), amount_rao=amount_rao)
        for owner, amount_rao in paid.payouts.items()
    ]
    # What is recycled is not issued at all: the supply stays as it was, and later blocks issue it.
    if paid.burned_rao and not record.hyperparameters["recycle_or_burn"]:
        moves.insert(0, Move(chart.ISSUANCE, chart.BURNED, paid.burned_rao))
    key = f"epoch:{record.netuid}:{record.number}"
    for start in range(0, len(moves), MAX_STEPS):
        part = start // MAX_STEPS + 1
        # Its key is new: the subnet is locked, and the epoch was not closed.
        ledger.post_at_last(
            Entry(
                key=key if part == 1 else f"{key}:{part}",
                code=Code.EPOCH_PAID,
                at=now,
                steps=tuple(moves[start : start + MAX_STEPS]),
            )
        )

"""Replay a rule over epochs that are past: who would have earned what, beside what they did earn. Pure.

The rule's own world is carried from epoch to epoch: its smoothed scores and holders, and the bonds, permits
and last updates that follow from its weights. It begins in the state in which the first epoch found the
subnet, as it would have, had it been published then. What does not follow from weights stays as it was:
who held a seat, what was staked, what validators measured, and each epoch's emission. So two things a new
rule would change in life are not in the answer: who leaves or joins for it, and that a subnet which burns
more is given less.

An epoch walks the road on which it was paid (`payroll.apply_rule`, `payroll.settle_ruling`), so that the rule
that was in force gives to the rao what was paid.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from subnets import payroll
from subnets.emission import EpochSplit
from subnets.evidence import Evidence
from subnets.payroll import Settlement
from subnets.record import Record, RuleVersion

DRAFT = 0  # the version under which a rule is replayed: published ones count from 1

EPOCHS_MAX = 200  # at 360 blocks of twelve seconds an epoch these are ten days


@dataclass(frozen=True, slots=True)
class PastEpoch:
    """A closed epoch: what it was paid by, and how its emission was split."""

    evidence: Evidence
    split: EpochSplit


@dataclass(frozen=True, slots=True)
class Part:
    """What one earned in an epoch or in all: as it was, and as it would have been. In rao."""

    was_miner_rao: int = 0
    was_validator_rao: int = 0
    would_miner_rao: int = 0
    would_validator_rao: int = 0

    @property
    def was_rao(self) -> int:
        """Return what was earned."""
        return self.was_miner_rao + self.was_validator_rao

    @property
    def would_rao(self) -> int:
        """Return what would have been earned."""
        return self.would_miner_rao + self.would_validator_rao

    @property
    def change_rao(self) -> int:
        """Return the gain, below zero for a loss."""
        return self.would_rao - self.was_rao

    def __add__(self, other: "Part") -> "Part":
        return Part(
            self.was_miner_rao + other.was_miner_rao,
            self.was_validator_rao + other.was_validator_rao,
            self.would_miner_rao + other.would_miner_rao,
            self.would_validator_rao + other.would_validator_rao,
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """How an epoch's emission, or that of all epochs, was split."""

    owner_rao: int
    miners_rao: int
    validators_rao: int
    burned_rao: int

    @classmethod
    def of(cls, split: EpochSplit) -> "Totals":
        """Sum a split up."""
        return cls(
            split.owner_rao, sum(split.miner_rao), sum(split.validator_rao), split.burned_rao
        )

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.owner_rao + other.owner_rao,
            self.miners_rao + other.miners_rao,
            self.validators_rao + other.validators_rao,
            self.burned_rao + other.burned_rao,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One epoch replayed. hotkeys, accounts: whoever earns in either world; accounts: was and would, in rao.

    paid_by: the version that paid the replay, DRAFT or the predecessor that stood in. fault: why it did.
    owners: hotkey → account that answers for it.
    """

    number: int
    emission_rao: int
    paid_by: int
    fault: str
    was: Totals
    would: Totals
    hotkeys: Mapping[str, Part]
    owners: Mapping[str, str]
    accounts: Mapping[str, tuple[int, int]]


def steps(document: Mapping[str, Any], digest: str, past: Iterable[PastEpoch]) -> Iterator[Step]:
    """Replay a rule, epoch after epoch in order; a generator, so that its caller can show how far it is.

    Where the rule cannot be applied, the predecessor that would have stood in pays the epoch.
    Raises: RuleEvaluatorUnavailable; AssertionError when an epoch is missing in between.
    """
    draft = RuleVersion(DRAFT, digest, document)
    before: tuple[Record, Settlement] | None = None
    for epoch in past:
        record = epoch.evidence.record
        others = tuple(item for item in record.versions if item.digest != digest)
        record = replace(record, versions=(draft, *others))
        if before is not None:
            record = carried(record, *before)
        ruling = payroll.apply_rule(record, epoch.evidence.measured)
        paid = payroll.settle_ruling(record, ruling)
        yield _step(epoch, record, ruling, paid)
        before = record, paid


def carried(record: Record, before: Record, paid: Settlement) -> Record:
    """Return an epoch's record as it would be after `paid`, the replay of the epoch before."""
    assert record.number == before.number + 1, "epochs follow each other"
    stayed = {
        seat.uid
        for seat, old in zip(record.seats, before.seats, strict=False)
        if (seat.hotkey, seat.registered_block) == (old.hotkey, old.registered_block)
    }
    seats = tuple(
        replace(
            seat,
            has_permit=term.has_permit,
            last_update_block=term.last_update_block,
            # Bonds to a miner that left its seat are dropped when the seat is taken.
            bonds={uid: bond for uid, bond in term.bonds.items() if uid in stayed},
        )
        if seat.uid in stayed and (term := paid.terms[seat.uid])
        else seat
        for seat in record.seats
    )
    return replace(record, seats=seats, smoothed=paid.smoothed, incumbents=paid.incumbents)


def _step(epoch: PastEpoch, record: Record, ruling: payroll.Ruling, paid: Settlement) -> Step:
    was, would = epoch.split, paid.split
    parts = {
        seat.hotkey: Part(
            was.miner_rao[seat.uid],
            was.validator_rao[seat.uid],
            would.miner_rao[seat.uid],
            would.validator_rao[seat.uid],
        )
        for seat in record.seats
    }
    was_paid = payroll.payouts(record, was)
    return Step(
        number=record.number,
        emission_rao=record.emission_rao,
        paid_by=ruling.version,
        # The replayed rule has no number among the versions.
        fault=ruling.fault.replace(f"Version {DRAFT}: ", "This rule: ", 1),
        was=Totals.of(was),
        would=Totals.of(would),
        hotkeys={hotkey: part for hotkey, part in parts.items() if part.was_rao or part.would_rao},
        owners={seat.hotkey: seat.owner for seat in record.seats},
        accounts={
            account: (was_paid.get(account, 0), paid.payouts.get(account, 0))
            for account in sorted(was_paid.keys() | paid.payouts.keys())
        },
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """All steps together. hotkeys, accounts: the greatest gain first, the greatest loss last."""

    first_epoch: int
    last_epoch: int
    emission_rao: int
    was: Totals
    would: Totals
    hotkeys: tuple[tuple[str, Part], ...]
    owners: Mapping[str, str]
    accounts: tuple[tuple[str, int, int], ...]
    faults: tuple[tuple[int, str], ...]

    @property
    def is_same(self) -> bool:
        """Say whether nobody would have earned a rao more or less."""
        return self.was == self.would and not any(part.change_rao for _, part in self.hotkeys)

    @property
    def moved_rao(self) -> int:
        """Return how much would have gone to others: the sum of the gains of hotkeys."""
        return sum(max(0, part.change_rao) for _, part in self.hotkeys)


def answer(replayed: Sequence[Step]) -> Answer:
    """Sum steps up; at least one. An account that answers for a hotkey last is its owner."""
    assert replayed, "a backtest has an epoch"
    hotkeys: dict[str, Part] = {}
    accounts: dict[str, tuple[int, int]] = {}
    owners: dict[str, str] = {}
    for step in replayed:
        for hotkey, part in step.hotkeys.items():
            hotkeys[hotkey] = hotkeys.get(hotkey, Part()) + part
        for account, (was_rao, would_rao) in step.accounts.items():
            old_was_rao, old_would_rao = accounts.get(account, (0, 0))
            accounts[account] = (old_was_rao + was_rao, old_would_rao + would_rao)
        owners.update(step.owners)
    none = Totals(0, 0, 0, 0)
    return Answer(
        first_epoch=replayed[0].number,
        last_epoch=replayed[-1].number,
        emission_rao=sum(step.emission_rao for step in replayed),
        was=sum((step.was for step in replayed), none),
        would=sum((step.would for step in replayed), none),
        hotkeys=tuple(sorted(hotkeys.items(), key=lambda item: (-item[1].change_rao, item[0]))),
        owners={hotkey: owners[hotkey] for hotkey in hotkeys},
        accounts=tuple(
            sorted(
                ((account, was, would) for account, (was, would) in accounts.items()),
                key=lambda item: (item[1] - item[2], item[0]),
            )
        ),
        faults=tuple((step.number, step.fault) for step in replayed if step.fault),
    )


def answer_json(found: Answer) -> dict[str, Any]:
    """Write an answer as JSON; rao are decimal strings, as everywhere on the wire."""
    return {
        "first_epoch": found.first_epoch,
        "last_epoch": found.last_epoch,
        "emission_rao": str(found.emission_rao),
        "moved_rao": str(found.moved_rao),
        "is_same": found.is_same,
        "was": _totals_json(found.was),
        "would": _totals_json(found.would),
        "hotkeys": [
            {
                "hotkey": hotkey,
                "owner": found.owners[hotkey],
                **_rao_json(part),
                "change_rao": str(part.change_rao),
            }
            for hotkey, part in found.hotkeys
        ],
        "accounts": [
            {
                "account": account,
                "was_rao": str(was_rao),
                "would_rao": str(would_rao),
                "change_rao": str(would_rao - was_rao),
            }
            for account, was_rao, would_rao in found.accounts
        ],
        "faults": [{"epoch": number, "fault": fault} for number, fault in found.faults],
    }


def step_json(step: Step) -> dict[str, Any]:
    """Write one epoch as JSON, hotkey by hotkey."""
    return {
        "epoch": step.number,
        "emission_rao": str(step.emission_rao),
        "fault": step.fault,
        "was": _totals_json(step.was),
        "would": _totals_json(step.would),
        "hotkeys": {hotkey: _rao_json(part) for hotkey, part in step.hotkeys.items()},
        "accounts": {
            account: {"was_rao": str(was_rao), "would_rao": str(would_rao)}
            for account, (was_rao, would_rao) in step.accounts.items()
        },
    }


def _totals_json(totals: Totals) -> dict[str, str]:
    return {name: str(amount_rao) for name, amount_rao in asdict(totals).items()}


def _rao_json(part: Part) -> dict[str, str]:
    return {name: str(amount_rao) for name, amount_rao in asdict(part).items()}

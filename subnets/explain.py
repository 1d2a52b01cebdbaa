"""Why a neuron was paid what it was: every step of one epoch, for one uid. Pure.

Computed from the bundle's record by the road that pays (`payroll.apply_rule`, `payroll.settle_ruling`);
nothing here decides anything. Shares are parts per million, rounded down, of exact values over 2**32.
The words for people are in `subnets.explain_words`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ledger.money import apportion
from subnets import bundle, consensus, emission, hyperparameters, payroll
from subnets.errors import UidUnknown
from subnets.fixed import ONE
from subnets.metrics import Metrics
from subnets.pairs import Pairs
from subnets.record import Record, Seat
from subnets.rules import GateOutcome, MinerOutcome

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Counted:
    """A weight as consensus took it.

    weight_ppm: its share of the validator's whole weight. consensus_ppm: the weight that a majority of
    stake supports. clipped_ppm: the part above that, cut off.
    """

    weight_u16: int
    weight_ppm: int
    consensus_ppm: int
    clipped_ppm: int


@dataclass(frozen=True, slots=True)
class View:
    """One validator's view of the miner, and what consensus made of it.

    metrics: None when it sampled no result of the miner. raw_score: what the rule's expression gave; None
    when unsampled or in error. score_ppm, smoothed_ppm: as integers, before and after the moving average
    (0 without one). had_permit, is_active, has_stake: what a validator needs for its weight to count.
    """

    uid: int
    hotkey: str
    stake_rao: int
    had_permit: bool
    is_active: bool
    has_stake: bool
    metrics: Metrics | None
    gates: tuple[GateOutcome, ...]
    raw_score: float | None
    score_ppm: int
    smoothed_ppm: int
    reasons: tuple[str, ...]
    counted: Counted


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a validator said of one miner, and the bond it had and has with it."""

    uid: int
    hotkey: str
    counted: Counted
    bond_before_u16: int
    bond_u16: int


@dataclass(frozen=True, slots=True)
class Backer:
    """Whose stake stood behind a validator, and what it was paid for that."""

    owner: str
    stake_rao: int
    paid_rao: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything the epoch says of one uid.

    miner_earned_rao: before anything is burned; miner_burned_rao: by the rule; miner_withheld_rao: because
    the neuron is the subnet owner's; miner_rao: what is left and was paid. views: of the miner, by uid.
    judgements: of the validator, by miner.
    """

    netuid: int
    number: int
    rule_version: int
    rule_title: str
    rule_fault: str
    uid: int
    hotkey: str
    owner: str
    stake_rao: int
    has_stake: bool
    had_permit: bool
    has_permit: bool
    is_active: bool
    consensus_ppm: int
    incentive_ppm: int
    miner_earned_rao: int
    miner_burned_rao: int
    miner_withheld_rao: int
    miner_rao: int
    views: tuple[View, ...]
    validator_trust_ppm: int
    dividends_ppm: int
    validator_rao: int
    judgements: tuple[Judgement, ...]
    backers: tuple[Backer, ...]

    @property
    def paid_rao(self) -> int:
        """Return what the uid was paid in all."""
        return self.miner_rao + self.validator_rao


@dataclass(frozen=True, slots=True)
class Trace:
    """An epoch recomputed, with what lies between its record and its payroll. weights: validator → miner → q32."""

    record: Record
    seen: payroll.Measured
    ruling: payroll.Ruling
    settlement: payroll.Settlement
    weights: Mapping[int, Mapping[int, int]]

    @classmethod
    def of(cls, record: Record, seen: payroll.Measured) -> "Trace":
        """Walk the record. seen: what `payroll.measured` says of it, or what was kept of that.

        Raises: RuleInvalid, RuleTooCostly, RuleEvaluatorUnavailable.
        """
        ruling = payroll.apply_rule(record, seen)
        settlement = payroll.settle_ruling(record, ruling)
        return cls(record, seen, ruling, settlement, counted_weights(settlement.inputs))


def counted_weights(inputs: consensus.EpochInputs) -> dict[int, dict[int, int]]:
    """Return the weights as consensus reads them, over 2**32: of permit holders, rows scaled to one."""
    rows = sorted(inputs.weights)
    if not rows:
        return {}
    stored = Pairs.of(inputs.weights, n=inputs.n).rows(rows)
    matrix = consensus.weights_in_force(inputs, stored, rows=rows, permits=inputs.permits)
    return {
        validator: {
            miner: value for miner, value in enumerate(matrix.values[row].tolist()) if value
        }
        for row, validator in enumerate(rows)
    }


def of_bundle(public: Mapping[str, Any], *, uid: int) -> Explanation:
    """Explain one uid of a bundle that matches. Raises: as `of_record`."""
    record = bundle.record_read(public["record"])
    return of_record(record, payroll.measured(record), uid=uid)


def of_record(record: Record, seen: payroll.Measured, *, uid: int) -> Explanation:
    """Explain one uid.

    Raises: UidUnknown; RuleInvalid, RuleTooCostly, RuleEvaluatorUnavailable as when it was settled.
    """
    if not 0 <= uid < len(record.seats):
        raise UidUnknown(netuid=record.netuid, number=record.number, uid=uid)
    return explained(Trace.of(record, seen), uid=uid)


def explained(trace: Trace, *, uid: int) -> Explanation:
    """Read one uid's story out of a trace."""
    record, ruling, settlement = trace.record, trace.ruling, trace.settlement
    seat, term, said = record.seats[uid], settlement.terms[uid], settlement.consensus
    earned_rao, unburned_rao = earned(trace, uid)
    assert earned_rao >= unburned_rao >= term.miner_rao, "burning and withholding only take"
    return Explanation(
        netuid=record.netuid,
        number=record.number,
        rule_version=ruling.version,
        rule_title=ruling.rule.title,
        rule_fault=ruling.fault,
        uid=uid,
        hotkey=seat.hotkey,
        owner=seat.owner,
        stake_rao=seat.stake_rao,
        has_stake=said.stake_q32[uid] > 0,
        had_permit=seat.has_permit,
        has_permit=term.has_permit,
        is_active=term.is_active,
        consensus_ppm=ppm(said.consensus_q32[uid]),
        incentive_ppm=ppm(said.incentive_q32[uid]),
        miner_earned_rao=earned_rao,
        miner_burned_rao=earned_rao - unburned_rao,
        miner_withheld_rao=unburned_rao - term.miner_rao,
        miner_rao=term.miner_rao,
        views=views(trace, uid),
        validator_trust_ppm=ppm(said.validator_trust_q32[uid]),
        dividends_ppm=ppm(said.dividends_q32[uid]),
        validator_rao=term.validator_rao,
        judgements=judgements(trace, uid),
        backers=backers(seat, term.validator_rao),
    )


def earned(trace: Trace, uid: int) -> tuple[int, int]:
    """Return what the miner would be paid if nothing was burned or withheld, and if nothing was withheld."""
    record, said = trace.record, trace.settlement.consensus
    amounts = [
        emission.split_epoch(
            record.emission_rao,
            owner_cut_u16=hyperparameters.owner_cut_u16(record.hyperparameters),
            server_share=said.server_share,
            validator_share=said.validator_share,
            burn_u16=burn_u16,
        ).miner_rao[uid]
        for burn_u16 in (0, payroll.burn_u16(trace.ruling.rule))
    ]
    return amounts[0], amounts[1]


def views(trace: Trace, uid: int) -> tuple[View, ...]:
    """Return how each validator saw a miner, those with neither a sample nor a carried score left out."""
    miner = trace.record.seats[uid].hotkey
    found = []
    for seat in trace.record.seats:
        evaluation = trace.ruling.by_validator.get(seat.hotkey)
        outcome = evaluation.of(miner) if evaluation is not None else None
        if outcome is not None:
            found.append(_view(trace, seat, uid, outcome))
    return tuple(found)


def _view(trace: Trace, seat: Seat, uid: int, outcome: MinerOutcome) -> View:
    inputs, terms = trace.settlement.inputs, trace.settlement.consensus
    return View(
        uid=seat.uid,
        hotkey=seat.hotkey,
        stake_rao=seat.stake_rao,
        had_permit=inputs.permits[seat.uid],
        is_active=terms.active[seat.uid],
        has_stake=terms.stake_q32[seat.uid] > 0,
        metrics=trace.seen.get(seat.hotkey, {}).get(outcome.miner),
        gates=outcome.gates,
        raw_score=outcome.raw_score,
        score_ppm=ppm(outcome.score),
        smoothed_ppm=ppm(outcome.smoothed),
        reasons=outcome.reasons,
        counted=counted(trace, seat.uid, uid),
    )


def counted(trace: Trace, validator: int, miner: int) -> Counted:
    """Return what consensus made of one weight."""
    weight = trace.weights.get(validator, {}).get(miner, 0)
    agreed = trace.settlement.consensus.consensus_q32[miner]
    return Counted(
        weight_u16=trace.settlement.weights.get(validator, {}).get(miner, 0),
        weight_ppm=ppm(weight),
        consensus_ppm=ppm(agreed),
        clipped_ppm=ppm(weight) - ppm(min(weight, agreed)),
    )


def judgements(trace: Trace, uid: int) -> tuple[Judgement, ...]:
    """Return what a validator weighed, or holds a bond with, by miner."""
    before, after = trace.record.seats[uid].bonds, trace.settlement.terms[uid].bonds
    weighed = trace.settlement.weights.get(uid, {})
    return tuple(
        Judgement(
            uid=miner,
            hotkey=trace.record.seats[miner].hotkey,
            counted=counted(trace, uid, miner),
            bond_before_u16=before.get(miner, 0),
            bond_u16=after.get(miner, 0),
        )
        for miner in sorted(weighed.keys() | before.keys() | after.keys())
        if miner < len(trace.record.seats)
    )


def backers(seat: Seat, validator_rao: int) -> tuple[Backer, ...]:
    """Return who shares a validator's pay, by the stake they stand behind it with."""
    amounts = [part.amount_rao for part in seat.backing]
    if not any(amounts):
        return (Backer(seat.owner, 0, validator_rao),) if validator_rao else ()
    paid = apportion(validator_rao, amounts)
    return tuple(
        Backer(part.owner, part.amount_rao, paid_rao)
        for part, paid_rao in zip(seat.backing, paid, strict=True)
    )


def ppm(q32: int) -> int:
    """Return parts per million of a number over 2**32, rounded down."""
    return q32 * PPM // ONE


def as_json(told: Explanation) -> dict[str, Any]:
    """Write an explanation as JSON; rao as decimal strings."""
    written: dict[str, Any] = _texts(asdict(told))
    return written


def _texts(value: Any) -> Any:  # noqa: ANN401  any JSON
    if isinstance(value, dict):
        return {
            name: str(part) if name.endswith("_rao") else _texts(part)
            for name, part in value.items()
        }
    return [_texts(part) for part in value] if isinstance(value, list | tuple) else value

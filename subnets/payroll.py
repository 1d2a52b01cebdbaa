"""An epoch from its evidence to its payouts: one pure road, walked by the network and by every auditor.

    scores and deliveries → metrics → the owner's rule → weights → consensus → split → who is paid what

`Record` (`subnets.record`) is all that goes in, `Payroll` all that comes out; both are written into the public bundle
(`subnets.bundle`). Nothing here knows Django, the clock or the database.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ledger.errors import DomainError
from ledger.money import apportion
from subnets import clock, consensus, emission, hyperparameters, measuring, rules
from subnets.errors import RuleInvalid, RuleTooCostly
from subnets.grids import Grid, used
from subnets.metrics import Metrics
from subnets.pairs import Matrix, Pairs
from subnets.record import Record, Tenure
from subnets.rule_weights import Weighed

BPS = 10_000
Measured: TypeAlias = Mapping[str, Mapping[str, Metrics]]  # validator → miner → metrics
FAULT_MAX = 500  # characters of what a rule's fault says, as the epoch's column holds them


@dataclass(frozen=True, slots=True)
class Term:
    """What the epoch says of one uid, and pays for it."""

    uid: int
    hotkey: str
    owner: str
    stake_rao: int
    is_active: bool
    has_permit: bool
    consensus_u16: int
    incentive_u16: int
    dividends_u16: int
    validator_trust_u16: int
    miner_rao: int
    validator_rao: int
    last_update_block: int
    bonds: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Payroll:
    """What comes of a record. payouts: account → rao, the subnet owner's cut included, sorted by account.

    weights: validator uid → miner uid → u16. reasons: miner → why the rule did not pay its score.
    """

    rule_version: int
    rule_fault: str
    weights: Mapping[int, Mapping[int, int]]
    terms: tuple[Term, ...]
    owner_rao: int
    miners_rao: int
    validators_rao: int
    burned_rao: int
    miner_burned_u16: int
    payouts: Mapping[str, int]
    smoothed: Mapping[str, Mapping[str, int]]
    incumbents: Mapping[str, str]
    reasons: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The rule that could be applied, what it said for each validator, and why others could not.

    heard: the validators that scored in this window; the others only carry earlier scores on. weighed: what it said
    in one table, a row a validator in the order of `by_validator`.
    """

    rule: rules.Rule
    version: int
    by_validator: Mapping[str, rules.Evaluation]
    fault: str
    heard: frozenset[str]
    weighed: Weighed


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a ruling comes to: all of a payroll but the words. The fields are those of `Payroll`.

    inputs, consensus: what consensus was asked and what it answered, which `subnets.explain` tells.
    """

    inputs: consensus.EpochInputs
    consensus: consensus.EpochTerms
    weights: Mapping[int, Mapping[int, int]]
    terms: tuple[Term, ...]
    split: emission.EpochSplit
    payouts: Mapping[str, int]
    smoothed: Mapping[str, Mapping[str, int]]
    incumbents: Mapping[str, str]


def settle(record: Record, seen: Measured | None = None) -> Payroll:
    """Compute an epoch. The payouts and the burned part sum to the emission to the rao.

    seen: what `measured` says of the record, should it be known already.
    Raises: RuleInvalid or RuleTooCostly when no version of the rule can be applied,
    RuleEvaluatorUnavailable.
    """
    ruling = apply_rule(record, measured(record) if seen is None else seen)
    paid = settle_ruling(record, ruling)
    return Payroll(
        rule_version=ruling.version,
        rule_fault=ruling.fault,
        weights=paid.weights,
        terms=paid.terms,
        owner_rao=paid.split.owner_rao,
        miners_rao=sum(paid.split.miner_rao),
        validators_rao=sum(paid.split.validator_rao),
        burned_rao=paid.split.burned_rao,
        miner_burned_u16=paid.split.miner_burned_u16,
        payouts=paid.payouts,
        smoothed=paid.smoothed,
        incumbents=paid.incumbents,
        reasons=rules.reasons(ruling.by_validator.values()),
    )


def settle_ruling(record: Record, ruling: Ruling) -> Settlement:
    """Take what a rule said through consensus and split the emission; what a backtest walks too."""
    weights = weights_by_uid(record, ruling)
    # Whoever scores is active, even where nobody passes its gates; who is silent grows inactive, and
    # the weights it carries on stop counting with the activity cutoff.
    updates = [
        record.end_block if seat.hotkey in ruling.heard else seat.last_update_block
        for seat in record.seats
    ]
    inputs = epoch_inputs(record, weights, updates)
    terms = consensus.run_yuma(inputs)
    split = emission.split_epoch(
        record.emission_rao,
        owner_cut_u16=hyperparameters.owner_cut_u16(record.hyperparameters),
        server_share=terms.server_share,
        validator_share=terms.validator_share,
        burn_u16=burn_u16(ruling.rule),
        # subtensor: what the owner's own miners earn is withheld, or the owner would pay themselves twice.
        withheld_uids=[seat.uid for seat in record.seats if seat.owner == record.owner],
    )
    return Settlement(
        inputs=inputs,
        consensus=terms,
        weights=weights,
        terms=tuple(_terms(record, terms, split, updates)),
        split=split,
        payouts=payouts(record, split),
        smoothed=_smoothed(ruling),
        incumbents={
            who: said.winner for who, said in ruling.by_validator.items() if said.winner is not None
        },
    )


def weights_by_uid(record: Record, ruling: Ruling) -> Pairs:
    """Return the weights as consensus takes them; validators that weigh nobody have no row."""
    uid_of = {seat.hotkey: seat.uid for seat in record.seats}
    weighed = ruling.weighed
    judges, judged = used(weighed.weights_u16 > 0)
    uids = [uid_of[weighed.miners[column]] for column in judged.tolist()]
    values = np.zeros((len(judges), len(record.seats)), dtype=np.uint64)
    values[:, uids] = weighed.weights_u16[judges[:, np.newaxis], judged]
    validators = tuple(ruling.by_validator)
    return Pairs(
        uids=tuple(uid_of[validators[row]] for row in judges.tolist()),
        matrix=Matrix(values, values > 0),
    )


def _smoothed(ruling: Ruling) -> Grid:
    """Return what is handed on: the smoothed scores above zero, of validators that have any."""
    weighed = ruling.weighed
    has_entry = weighed.smoothed > 0
    if ruling.rule.smoothing is None:
        has_entry[:] = False
    rows, columns = used(has_entry)
    validators = tuple(ruling.by_validator)
    cells = rows[:, np.newaxis], columns
    return Grid(
        validators=tuple(validators[row] for row in rows.tolist()),
        miners=tuple(weighed.miners[column] for column in columns.tolist()),
        numbers=weighed.smoothed[cells],
        has_entry=has_entry[cells],
    )


def burn_u16(rule: rules.Rule) -> int:
    """Return the part of the miners' emission that a rule burns, as the chain counts parts."""
    return rule.burn_bps * emission.U16_MAX // BPS


def measured(record: Record) -> Measured:
    """Measure every miner that a validator scored: validator → miner → metrics. Who left the subnet does not count."""
    seated = {seat.hotkey for seat in record.seats}
    return measuring.measured(record.scores, record.deliveries, seated=seated)


def apply_rule(record: Record, seen: Measured) -> Ruling:
    """Apply the first version that works to every validator that scored or carries scores on.

    seen: what `measured` gives, or what was kept of it (`subnets.evidence`).
    """
    heard = frozenset(seen)
    # A hotkey that left and came back since then begins anew.
    stayed = {seat.hotkey for seat in record.seats if seat.registered_block < record.start_block}
    validators = sorted(heard | (set(record.smoothed) & stayed))
    previous = Grid.of(record.smoothed).only(stayed)
    windows = [
        rules.Window(
            metrics_by_miner=seen.get(validator, {}),
            previous=previous.get(validator, {}),
            incumbent=record.incumbents.get(validator),
        )
        for validator in validators
    ]
    known = rules.Known({seat.hotkey: seat.owner for seat in record.seats}, ages_of(record))
    faults: list[str] = []
    refusal: DomainError | None = None
    for version in record.versions:
        try:
            rule = rules.parse(version.document)
            said = rules.evaluate_windows(rule, windows, known)
        except (RuleInvalid, RuleTooCostly) as error:
            faults.append(f"Version {version.version}: {error}")
            refusal = error
            continue
        # The last version, the subnet's first, applies whatever it computes: somebody has to pay.
        if version is not record.versions[-1] and (fault := rules.fault_of(said)):
            faults.append(f"Version {version.version}: {fault}")
            continue
        by_validator = dict(zip(validators, said, strict=True))
        fault = " ".join(faults)[:FAULT_MAX]
        return Ruling(rule, version.version, by_validator, fault, heard, said.weighed)
    assert refusal is not None, "a subnet has a rule from its first epoch on"
    raise refusal


def ages_of(record: Record) -> dict[str, int]:
    """Return, by hotkey, in how many epochs it has been registered, this one included."""
    tempo = record.hyperparameters["tempo"]
    return {
        seat.hotkey: 1 + max(0, record.end_block - 1 - seat.registered_block) // tempo
        for seat in record.seats
    }


def epoch_inputs(
    record: Record, weights: Mapping[int, Mapping[int, int]], updates: list[int]
) -> consensus.EpochInputs:
    """Put the record into the words of consensus."""
    values = record.hyperparameters
    return consensus.EpochInputs(
        stakes_rao=[seat.stake_rao for seat in record.seats],
        permits=[seat.has_permit for seat in record.seats],
        weights=weights,
        bonds={seat.uid: dict(seat.bonds) for seat in record.seats if seat.bonds},
        last_update=updates,
        registered_block=[seat.registered_block for seat in record.seats],
        block=record.end_block,
        tempo=values["tempo"],
        last_step_block=record.last_step_block,
        params=consensus.EpochParams(
            kappa=values["kappa"],
            bonds_moving_average=values["bonds_moving_average"],
            bonds_penalty=values["bonds_penalty"],
            yuma3=bool(values["yuma3_enabled"]),
            liquid_alpha=bool(values["liquid_alpha_enabled"]),
            alpha_low=values["alpha_low"],
            alpha_high=values["alpha_high"],
            alpha_sigmoid_steepness=values["alpha_sigmoid_steepness"],
            activity_cutoff_blocks=clock.activity_cutoff_blocks(
                tempo=values["tempo"], factor_milli=values["activity_cutoff_factor"]
            ),
            max_validators=values["max_allowed_validators"],
            stake_threshold_rao=values["stake_threshold"],
        ),
    )


def payouts(record: Record, split: emission.EpochSplit) -> dict[str, int]:
    """Return what each account is paid: the owner's cut, its miners, and its stake behind validators."""
    paid: dict[str, int] = {}

    def pay(account: str, amount_rao: int) -> None:
        if amount_rao:
            paid[account] = paid.get(account, 0) + amount_rao

    # A subnet that was sold pays each owner for their time, whoever owns it when the epoch closes.
    held = record.tenures or (Tenure(record.owner, 1),)
    parts = apportion(split.owner_rao, [tenure.held_ms for tenure in held])
    for tenure, amount_rao in zip(held, parts, strict=True):
        pay(tenure.owner, amount_rao)
    for seat in record.seats:
        pay(seat.owner, split.miner_rao[seat.uid])
        amounts = [part.amount_rao for part in seat.backing]
        if any(amounts):
            parts = apportion(split.validator_rao[seat.uid], amounts)
            for part, amount_rao in zip(seat.backing, parts, strict=True):
                pay(part.owner, amount_rao)
        else:
            pay(seat.owner, split.validator_rao[seat.uid])
    assert sum(paid.values()) + split.burned_rao == record.emission_rao
    return dict(sorted(paid.items()))


def _terms(
    record: Record, terms: consensus.EpochTerms, split: emission.EpochSplit, updates: list[int]
) -> Iterator[Term]:
    held = dict(terms.bonds)  # asked row by row, every uid that holds none would be searched for
    said = zip(
        record.seats,
        terms.consensus_u16,
        terms.incentive_u16,
        terms.dividends_u16,
        terms.validator_trust_u16,
        strict=True,
    )
    for seat, consensus_u16, incentive_u16, dividends_u16, trust_u16 in said:
        yield Term(
            uid=seat.uid,
            hotkey=seat.hotkey,
            owner=seat.owner,
            stake_rao=seat.stake_rao,
            is_active=terms.active[seat.uid],
            has_permit=terms.new_permits[seat.uid],
            consensus_u16=consensus_u16,
            incentive_u16=incentive_u16,
            dividends_u16=dividends_u16,
            validator_trust_u16=trust_u16,
            miner_rao=split.miner_rao[seat.uid],
            validator_rao=split.validator_rao[seat.uid],
            last_update_block=updates[seat.uid],
            bonds=held.get(seat.uid, {}),
        )

"""Ask of a draft rule what a miner would gain by posing as several: split its capacity, or copy a good one. Pure.

Two ways, because rules that withstand one may reward the other:

- splitting: the work and the counts are divided among k hotkeys, the quality of each result stays. A score in
  proportion to work is neutral to it, a power above 1 punishes it, a power below 1 and floors invite it;
- copying: k hotkeys, each measured like the one. A score of quality alone pays each copy as if it were another
  good miner, whether shared by proportion, softmax or rank; a winner with a margin, or one miner an
  account, does not.

The whole epoch is settled again (`payroll.apply_rule`, `payroll.settle_ruling`) with the extra hotkeys seated, so
caps, gates, consensus and burn have their say. History is left out: parts and whole stand as if they had been
there for long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from subnets import hyperparameters, payroll, rules
from subnets.cel_arrays import metrics_read
from subnets.evidence import Evidence
from subnets.metrics import Metrics
from subnets.payroll import Measured
from subnets.record import Backing, Record, RuleVersion, Seat

COUNTS = (2, 4, 8)
# Those with the most stake decide; with all 64 of a full subnet the answer would take four times as long.
JUDGES_MAX = 16
NEUTRAL_PERCENT = (98, 102)  # weights are u16 and pay is rounded: what lies within says nothing
ADDITIVE = frozenset(
    {
        "sample_count",
        "canary_count",
        "work_units",
        "credited_work_units",
        "offered_count",
        "completed_count",
        "failed_count",
    }
)
_WHOLE = sorted(ADDITIVE - {"credited_work_units"})
_EMISSION_RAO = 10**12  # what is shared out in trial where the epoch had nothing to share


class Way(StrEnum):
    """How one miner poses as several."""

    SPLIT = "split"
    COPY = "copy"


class Verdict(StrEnum):
    """What a rule makes of it, taking the greatest gain that was found."""

    REWARDS = "rewards"
    NEUTRAL = "is neutral to"
    PUNISHES = "punishes"


@dataclass(frozen=True, slots=True)
class Pose:
    """One miner as several. subject: which of the miners it is, in words. Amounts per epoch; cost_rao once."""

    way: Way
    count: int
    subject: str
    hotkey: str
    before_rao: int
    after_rao: int
    cost_rao: int | None

    @property
    def gain_percent(self) -> int:
        """Return what all parts together earn for each 100 that the one earned."""
        return self.after_rao * 100 // self.before_rao if self.before_rao else 100

    @property
    def gain_text(self) -> str:
        """Return the gain as a factor: "1.00"."""
        return f"{self.gain_percent // 100}.{self.gain_percent % 100:02}"

    @property
    def verdict(self) -> Verdict:
        """Say what this pose is worth."""
        low, high = NEUTRAL_PERCENT
        if self.gain_percent > high:
            return Verdict.REWARDS
        return Verdict.PUNISHES if self.gain_percent < low else Verdict.NEUTRAL

    @property
    def epochs_to_earn(self) -> int | None:
        """Return after how many epochs the registrations are earned back; None when never or not known."""
        gain_rao = self.after_rao - self.before_rao
        if self.cost_rao is None or gain_rao <= 0:
            return None
        return -(-self.cost_rao // gain_rao)

    @property
    def sentence(self) -> str:
        """Say it in words."""
        act = "Splitting into" if self.way is Way.SPLIT else "Copying itself onto"
        after = {
            Verdict.REWARDS: "this rule rewards it",
            Verdict.NEUTRAL: "this rule neither rewards nor punishes it",
            Verdict.PUNISHES: "this rule punishes it",
        }[self.verdict]
        said = f"{act} {self.count} hotkeys would pay {self.subject} {self.gain_text} x: {after}."
        if self.epochs_to_earn is not None and self.verdict is Verdict.REWARDS:
            plural = "" if self.epochs_to_earn == 1 else "s"
            return (
                f"{said} The registrations are earned back in {self.epochs_to_earn} epoch{plural}."
            )
        return said


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. epoch: whose evidence was taken, None for sample miners. poses: empty when nobody is paid."""

    epoch: int | None
    poses: tuple[Pose, ...]
    pays_for_work: bool
    one_per_owner: bool

    def verdict(self, way: Way) -> Verdict:
        """Say what the rule makes of one way: a reward found once counts, for people look for it."""
        found = {pose.verdict for pose in self.poses if pose.way is way}
        for verdict in (Verdict.REWARDS, Verdict.NEUTRAL):
            if verdict in found:
                return verdict
        return Verdict.PUNISHES if found else Verdict.NEUTRAL

    @property
    def advice(self) -> tuple[str, ...]:
        """Say what to change, in sentences; empty when there is nothing to fear."""
        said = []
        if self.verdict(Way.SPLIT) is Verdict.REWARDS:
            said.append(
                "A miner gains by splitting. Let the score grow with the work (credited_work_units), take a "
                "power of 1 or more, leave the floor out, or pay one miner of each owner (one_per_owner)."
            )
        if self.verdict(Way.COPY) is Verdict.REWARDS and self.pays_for_work:
            said.append(
                "A copy is paid too, but for work that it has to do as well: that is capacity, not a pose."
            )
        elif self.verdict(Way.COPY) is Verdict.REWARDS:
            said.append(
                "Copies of a good miner are paid like good miners. Pay one miner of each owner "
                "(one_per_owner), or let winner_takes_all with a margin keep its holder."
            )
        if self.one_per_owner:
            said.append(
                "one_per_owner counts accounts: whoever opens more accounts poses all the same."
            )
        return tuple(said)


def report(rule: rules.Rule, evidence: Evidence | None, *, burn_rao: int | None) -> Report:
    """Try a rule. evidence: of the last epoch, None for sample miners; burn_rao: what a registration costs.

    Raises: RuleTooCostly, RuleEvaluatorUnavailable; RuleInvalid when the rule was not made by `parse`.
    """
    tried = evidence if evidence is not None and evidence.measured else samples()
    record = replace(
        tried.record,
        versions=(RuleVersion(1, rules.digest(rule), rule.document()),),
        emission_rao=tried.record.emission_rao or _EMISSION_RAO,
        smoothed={},
        incumbents={},
    )
    record, measured = _judged(record, tried.measured)
    # Who wins at first is the holder in all that follows, as a rule that knows holders would have it.
    first = payroll.settle_ruling(record, payroll.apply_rule(record, measured))
    record = replace(record, incumbents=first.incumbents)
    before = _pays(record, measured)
    poses = [
        _pose(
            record,
            measured,
            way=way,
            count=count,
            subject=subject,
            hotkey=hotkey,
            before_rao=before[hotkey],
            burn_rao=burn_rao,
        )
        for way in Way
        for subject, hotkey in _subjects(before)
        for count in COUNTS
    ]
    return Report(
        epoch=tried.record.number if tried is evidence else None,
        poses=tuple(poses),
        pays_for_work=bool(metrics_read([rule.score]) & ADDITIVE),
        one_per_owner=rule.one_per_owner,
    )


def _judged(record: Record, measured: Measured) -> tuple[Record, Measured]:
    """Leave it to the validators with the most stake; the others lose their votes, not only their scores."""
    stakes = {seat.hotkey: seat.stake_rao for seat in record.seats}
    ranked = sorted(measured, key=lambda validator: (-stakes[validator], validator))
    out = set(ranked[JUDGES_MAX:])
    seats = tuple(
        replace(seat, has_permit=seat.has_permit and seat.hotkey not in out)
        for seat in record.seats
    )
    kept = {validator: seen for validator, seen in measured.items() if validator not in out}
    return replace(record, seats=seats), kept


def _pose(
    record: Record,
    measured: Measured,
    *,
    way: Way,
    count: int,
    subject: str,
    hotkey: str,
    before_rao: int,
    burn_rao: int | None,
) -> Pose:
    parts = (hotkey, *(f"{hotkey} {number}" for number in range(2, count + 1)))
    seat = next(seat for seat in record.seats if seat.hotkey == hotkey)
    extra = tuple(
        replace(seat, uid=len(record.seats) + place, hotkey=part, bonds={}, backing=())
        for place, part in enumerate(parts[1:])
    )
    seen = {
        validator: {**by_miner, **_posed(way, by_miner[hotkey], parts)}
        if hotkey in by_miner
        else by_miner
        for validator, by_miner in measured.items()
    }
    if way is Way.SPLIT:
        # A part that got no sample is nobody's to score, the first included.
        seen = {
            validator: {miner: row for miner, row in by_miner.items() if row.sample_count}
            for validator, by_miner in seen.items()
        }
    pays = _pays(replace(record, seats=(*record.seats, *extra)), seen)
    return Pose(
        way=way,
        count=count,
        subject=subject,
        hotkey=hotkey,
        before_rao=before_rao,
        after_rao=sum(pays.get(part, 0) for part in parts),
        cost_rao=None if burn_rao is None else burn_rao * (count - 1),
    )


def _posed(way: Way, whole: Metrics, parts: Sequence[str]) -> dict[str, Metrics]:
    return {
        part: whole if way is Way.COPY else _share(whole, place, len(parts))
        for place, part in enumerate(parts)
    }


def _share(whole: Metrics, place: int, count: int) -> Metrics:
    """Return one of `count` equal parts of a miner's work: of its samples, and of all else in that measure.

    What does not divide goes to the first parts, so that the parts add up to the whole.
    """
    sampled = whole.sample_count // count + (place < whole.sample_count % count)
    before = place * (whole.sample_count // count) + min(place, whole.sample_count % count)

    def share(number: int) -> int:
        first, last = (number * end // whole.sample_count for end in (before, before + sampled))
        return last - first

    part = replace(
        whole,
        **{name: share(getattr(whole, name)) for name in _WHOLE},
        credited_work_units=whole.credited_work_units * sampled / whole.sample_count,
    )
    # As metrics are defined: without a canary or a finished job there is nothing against a miner.
    if not part.canary_count:
        part = replace(part, canary_quality=1.0)
    if not part.completed_count + part.failed_count:
        part = replace(part, success_rate=1.0)
    return part


def _pays(record: Record, measured: Measured) -> dict[str, int]:
    """Return what each miner is paid in an epoch, in rao, those with nothing left out."""
    paid = payroll.settle_ruling(record, payroll.apply_rule(record, measured))
    return {
        seat.hotkey: amount_rao
        for seat, amount_rao in zip(record.seats, paid.split.miner_rao, strict=True)
        if amount_rao
    }


def _subjects(pays: Mapping[str, int]) -> list[tuple[str, str]]:
    """Choose who poses: the best paid, the median, and who is paid closest to the mean; each once."""
    if not pays:
        return []
    ranked = sorted(pays, key=lambda hotkey: (-pays[hotkey], hotkey))
    mean_rao = sum(pays.values()) // len(pays)
    chosen = {
        "the best miner": ranked[0],
        "the median miner": ranked[len(ranked) // 2],
        "a typical miner": min(ranked, key=lambda hotkey: abs(pays[hotkey] - mean_rao)),
    }
    named: dict[str, str] = {}
    for subject, hotkey in chosen.items():
        named.setdefault(hotkey, subject)
    return [(subject, hotkey) for hotkey, subject in named.items()]


def samples() -> Evidence:
    """Return an epoch of twelve sample miners, from middling to perfect, and one validator that judged them."""
    miners = [f"miner {number}" for number in range(1, 13)]
    judge = Seat(
        uid=0,
        hotkey="validator",
        owner="validator",
        registered_block=1,
        last_update_block=2,
        has_permit=True,
        bonds={},
        backing=(Backing("validator", 10**12),),
    )
    seats = [
        judge,
        *(
            replace(judge, uid=uid, hotkey=miner, owner=miner, has_permit=False, backing=())
            for uid, miner in enumerate(miners, 1)
        ),
    ]
    tempo = hyperparameters.defaults()["tempo"]
    record = Record(
        netuid=1,
        number=1,
        start_block=2,
        end_block=2 + tempo,
        last_step_block=0,
        owner="owner",
        emission_rao=_EMISSION_RAO,
        hyperparameters=hyperparameters.defaults(),
        versions=(),
        seats=tuple(seats),
        scores=(),
        deliveries=(),
    )
    return Evidence(record, {"validator": dict(zip(miners, map(_sample, range(12)), strict=True))})


def _sample(place: int) -> Metrics:
    quality, count = 0.89 + place / 100, 32 + 8 * (place * 5 % 12)
    return Metrics(
        quality=quality,
        sample_count=count,
        canary_quality=1.0,
        canary_count=16,
        latency_ms=700.0 - 40 * place,
        work_units=count * 1_000_000,
        credited_work_units=count * 1_000_000 * quality,
        offered_count=count + 8,
        completed_count=count,
        failed_count=count // 16,
        success_rate=count / (count + count // 16),
    )


def report_json(found: Report) -> dict[str, Any]:
    """Write a report as JSON."""
    return {
        "epoch": found.epoch,
        "splitting": found.verdict(Way.SPLIT).value,
        "copying": found.verdict(Way.COPY).value,
        "advice": list(found.advice),
        "poses": [
            {
                "way": pose.way.value,
                "count": pose.count,
                "subject": pose.subject,
                "hotkey": pose.hotkey,
                "before_rao": str(pose.before_rao),
                "after_rao": str(pose.after_rao),
                "gain_percent": pose.gain_percent,
                "cost_rao": None if pose.cost_rao is None else str(pose.cost_rao),
                "sentence": pose.sentence,
            }
            for pose in found.poses
        ],
    }

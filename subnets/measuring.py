"""Turn signed scores and the platform's delivery counts into metrics: validator → miner → metrics. Pure.

Scores are integers, so two readers of the same scores get the same metrics: each metric is an exact quotient
of integers, rounded once to the nearest float. A miner nobody sampled is absent: "not sampled" is never "failed".
An epoch has tens of thousands of scores, so they are measured in columns; sums that could pass what a float
holds exactly are Python's own integers.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from subnets.metrics import LATENCY_FLOOR_MS, PPM, Delivery, Table
from subnets.signed_scores import SignedScores

Column: TypeAlias = NDArray[Any]
Score: TypeAlias = Mapping[str, Any]  # as it stands in a bundle

EXACT_MAX = 2**53  # up to here floats hold every integer, and a quotient of two is rounded once


@dataclass(frozen=True, slots=True)
class Given:
    """The scores that count, in columns; what is the same in every score of a result may stand once.

    validators: who gave them, sorted. judge, scores_ppm: one value a score, judge a place in `validators`.
    places: where a score's result stands in the columns after it.
    """

    validators: Sequence[str]
    judge: Column
    scores_ppm: Column
    places: Column
    result_ids: Sequence[str]
    miners: Sequence[str]
    latencies_ms: Sequence[int]
    work_units: Sequence[int]
    are_canaries: Sequence[bool]

    @classmethod
    def of(cls, scores: Iterable[Score], *, seated: Collection[str]) -> Self:
        """Take the scores by and of hotkeys that hold a seat."""
        if isinstance(scores, SignedScores):
            return cls._of_columns(scores, seated)
        rows = [one for one in scores if one["validator"] in seated and one["miner"] in seated]
        validators, judge = _places([one["validator"] for one in rows])
        return cls(
            validators=validators,
            judge=judge,
            scores_ppm=_whole([one["score_ppm"] for one in rows]),
            places=np.arange(len(rows)),
            result_ids=[one["result_id"] for one in rows],
            miners=[one["miner"] for one in rows],
            latencies_ms=[one["latency_ms"] for one in rows],
            work_units=[one["work_units"] for one in rows],
            are_canaries=[one["is_canary"] for one in rows],
        )

    @classmethod
    def _of_columns(cls, scores: SignedScores, seated: Collection[str]) -> Self:
        is_judge = np.array([who in seated for who in scores.validators], dtype=np.bool_)
        is_miner = np.array([result.miner in seated for result in scores.results], dtype=np.bool_)
        counts = is_judge[scores.validator_at] & is_miner[scores.result_at]
        heard, judge = np.unique(scores.validator_at[counts], return_inverse=True)
        return cls(
            validators=[scores.validators[place] for place in heard.tolist()],
            judge=judge,
            scores_ppm=scores.scores_ppm[counts],
            places=scores.result_at[counts],
            result_ids=[result.result_id for result in scores.results],
            miners=[result.miner for result in scores.results],
            latencies_ms=[result.latency_ms for result in scores.results],
            work_units=[result.work_units for result in scores.results],
            are_canaries=[result.is_canary for result in scores.results],
        )


def measured(
    scores: Iterable[Score], deliveries: Iterable[Delivery], *, seated: Collection[str]
) -> dict[str, Table]:
    """Measure every miner that a validator scored, from that validator's own scores only.

    scores, deliveries: of the window, in any order.  seated: hotkeys that hold a seat; scores by and of others
    do not count.  A scored miner without a delivery counts as neither failed nor completed.
    Raises: ValueError when a validator scored a result twice, a miner has two deliveries, or a number is one
    that nobody can have measured.
    """
    given = Given.of(scores, seated=seated)
    counts = _counted(deliveries)
    if not given.validators:
        return {}
    validators = given.validators
    miners, judged = _places(given.miners)
    _refuse_repeated(given)
    cells = given.judge * len(miners) + judged[given.places]
    columns = _columns(given, cells)
    is_judged = np.bincount(cells, minlength=len(validators) * len(miners)) > 0
    pairs = np.flatnonzero(is_judged)
    columns |= _delivered(counts, miners, pairs % len(miners))
    stops = np.searchsorted(pairs, np.arange(1, len(validators) + 1) * len(miners)).tolist()
    named = _named(miners, is_judged.reshape(len(validators), -1))
    return {
        validator: Table(own, {name: column[start:stop] for name, column in columns.items()})
        for validator, own, start, stop in zip(validators, named, [0, *stops], stops, strict=False)
    }


def _named(miners: Sequence[str], rows: NDArray[np.bool_]) -> Iterator[tuple[str, ...]]:
    """Yield the miners that are set in each row; as a rule every validator has scored the same."""
    last, names = b"", tuple[str, ...]()
    for row in rows:
        if (shape := row.tobytes()) != last:
            last, names = shape, tuple(miners[place] for place in np.flatnonzero(row).tolist())
        yield names


def _columns(given: Given, cells: Column) -> dict[str, Column]:
    """Measure the scores of each cell, a validator's of a miner; cells ascending."""
    latency = _whole(given.latencies_ms)[given.places]
    order = np.lexsort((latency, cells))
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    score = given.scores_ppm[order]
    work = _whole(given.work_units)[given.places][order]
    if score.min() < 0 or score.max() > PPM:
        raise ValueError(f"a score_ppm is not within 0..{PPM}")
    if latency.min() < 0 or work.min() < 0:
        raise ValueError("latency_ms and work_units cannot be negative")
    is_canary = np.fromiter(given.are_canaries, dtype=np.int64)[given.places][order]
    canary_counts = _summed(is_canary, starts)
    sorted_latency = latency[order]
    middle = [sorted_latency[starts + (counts - odd) // 2] for odd in (1, 0)]
    return {
        "quality": _quotients(_summed(score, starts), counts * PPM),
        "sample_count": counts,
        "canary_quality": _quotients(
            _summed(score * is_canary, starts), canary_counts * PPM, where_none=1.0
        ),
        "canary_count": canary_counts,
        "latency_ms": np.maximum(
            LATENCY_FLOOR_MS, _quotients(middle[0] + middle[1], counts * 0 + 2)
        ),
        "work_units": _narrow(_summed(_wide(work, len(cells)), starts)),
        "credited_work_units": _quotients(
            _summed(_wide(work, PPM * len(cells)) * score, starts), counts * 0 + PPM
        ),
    }


def _delivered(
    counts: Mapping[str, Delivery], miners: Sequence[str], places: Column
) -> dict[str, Column]:
    """Return what the platform counted for the miner of each cell."""
    rows = [counts.get(miner) or Delivery(miner, 0, 0, 0) for miner in miners]
    returned = np.array([row.returned_count for row in rows], dtype=np.int64)
    expired = np.array([row.expired_count for row in rows], dtype=np.int64)
    columns = {
        "offered_count": np.array([row.offered_count for row in rows], dtype=np.int64),
        "completed_count": returned,
        "failed_count": expired,
        "success_rate": _quotients(returned, returned + expired, where_none=1.0),
    }
    return {name: column[places] for name, column in columns.items()}


def _counted(deliveries: Iterable[Delivery]) -> dict[str, Delivery]:
    counted: dict[str, Delivery] = {}
    for delivery in deliveries:
        if delivery.miner in counted:
            raise ValueError(f"miner {delivery.miner} has two deliveries")
        counted[delivery.miner] = delivery
    return counted


def _refuse_repeated(given: Given) -> None:
    result_ids, result_at = _places(given.result_ids)
    pairs = np.sort(given.judge * len(result_ids) + result_at[given.places])
    repeated = pairs[1:][pairs[1:] == pairs[:-1]].tolist()
    if repeated:
        who, what = divmod(repeated[0], len(result_ids))
        raise ValueError(f"result {result_ids[what]} was scored twice by {given.validators[who]}")


def _places(names: Sequence[str]) -> tuple[list[str], Column]:
    """Return the different names, sorted, and the place of each name among them."""
    different = sorted(set(names))
    place = {name: index for index, name in enumerate(different)}
    return different, np.fromiter((place[name] for name in names), dtype=np.int64)


def _whole(values: Sequence[int]) -> Column:
    """Return a column of integers; those that pass 64 bits as Python's own."""
    fits = not values or (min(values) > -(2**62) and max(values) < 2**62)
    return np.array(values, dtype=np.int64 if fits else object)


def _wide(values: Column, times: int) -> Column:
    """Return the values as Python's own integers where so many of them might not be summed exactly."""
    return values.astype(object) if int(values.max()) * times >= EXACT_MAX else values


def _narrow(values: Column) -> Column:
    """Return sums as 64-bit integers where they are ones."""
    fits = values.dtype != object or max(values.tolist(), default=0) < 2**63
    return values.astype(np.int64) if fits else values


def _summed(values: Column, starts: Column) -> Column:
    """Sum up each cell's values."""
    sums: Column = np.add.reduceat(values, starts)
    return sums


def _quotients(above: Column, below: Column, *, where_none: float = 0.0) -> Column:
    """Divide integers, each quotient rounded once; where nothing is below, `where_none` stands."""
    if above.dtype == object or int(above.max(initial=0)) >= EXACT_MAX:
        pairs = zip(above.tolist(), below.tolist(), strict=True)
        return np.array([float(Fraction(a, b)) if b else where_none for a, b in pairs])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below == 0, where_none, above / below)

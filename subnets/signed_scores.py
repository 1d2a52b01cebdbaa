"""The signed scores of a window in columns, as they are read, measured and published. Pure.

A full epoch has 12 288, and a validator signs each. An object a score would take longer to make than all that is
computed from it; so what is the same in every score of a result, and who scored, stand once, and the rest is a column
a field.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from neurons.protocol import canonical_json

Column: TypeAlias = NDArray[np.int64]
Texts: TypeAlias = NDArray[np.bytes_]
Letters: TypeAlias = NDArray[np.uint8]  # texts of bytes under each other
Name = TypeVar("Name", bound=Hashable)

# What a validator stands for, and what the network says of a result to everyone who scored it, by their names in JSON.
SIGNED = ("reason", "result_id", "score_ppm", "signature", "validator")
TOLD = ("result_id", "miner", "output_digest", "latency_ms", "work_units", "is_canary")

# Half a megabyte of text: it is put together and cut where the processor has it at hand.
ROWS_A_PART = 1_024
# What no JSON contains: it fills texts up to the length of the longest.
_FILLER = b"\0"


@dataclass(frozen=True, slots=True)
class ScoredResult:
    """What is the same in every score of a result."""

    result_id: str
    miner: str
    output_digest: str
    latency_ms: int
    work_units: int
    is_canary: bool


@dataclass(frozen=True, slots=True, eq=False)
class SignedScores(Sequence[Mapping[str, Any]]):
    """Scores in the window's order; reads like the list of them, what was told of its result in each.

    results: each that may be scored. validators, reasons: each that occurs, sorted. The columns have one value a
    score: places in these three, millionths, and signatures, which are hex and need no escape in JSON.
    """

    results: Sequence[ScoredResult]
    validators: Sequence[str]
    reasons: Sequence[str]
    result_at: Column
    validator_at: Column
    reason_at: Column
    scores_ppm: Column
    signatures: Texts

    def __post_init__(self) -> None:
        """Assert that the columns are of one length, and that validators are sorted."""
        columns = (self.result_at, self.validator_at, self.reason_at, self.scores_ppm)
        assert {len(column) for column in columns} == {len(self.signatures)}
        assert list(self.validators) == sorted(set(self.validators))

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """Return a score, with what was told of its result."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        result = self.results[self.result_at[place]]
        return {
            "result_id": result.result_id,
            "validator": self.validators[self.validator_at[place]],
            "miner": result.miner,
            "score_ppm": int(self.scores_ppm[place]),
            "latency_ms": result.latency_ms,
            "work_units": result.work_units,
            "is_canary": result.is_canary,
            "reason": self.reasons[self.reason_at[place]],
            "output_digest": result.output_digest,
            "signature": self.signatures[place].decode(),
        }

    def __len__(self) -> int:
        return len(self.signatures)

    def taken(self, order: Column) -> "SignedScores":
        """Return the scores at these places, in this order."""
        return replace(
            self,
            result_at=self.result_at[order],
            validator_at=self.validator_at[order],
            reason_at=self.reason_at[order],
            scores_ppm=self.scores_ppm[order],
            signatures=self.signatures[order],
        )

    def told(self) -> list[dict[str, Any]]:
        """Return what was told of each result that was scored, by its id."""
        scored = [self.results[place] for place in np.unique(self.result_at).tolist()]
        return [
            {
                "result_id": result.result_id,
                "miner": result.miner,
                "output_digest": result.output_digest,
                "latency_ms": result.latency_ms,
                "work_units": result.work_units,
                "is_canary": result.is_canary,
            }
            for result in sorted(scored, key=lambda result: result.result_id)
        ]

    def spelled(self) -> list[bytes]:
        """Return `canonical_json` of what was signed, in parts, from the columns: no score becomes an object of its own."""
        if not len(self):
            return [b"[]"]
        pieces = self._pieces()
        starts = range(0, len(self), ROWS_A_PART)
        rows = [_lines(pieces, slice(start, start + ROWS_A_PART)) for start in starts]
        return [b"[", rows[0].removeprefix(b","), *rows[1:], b"]"]

    def _pieces(self) -> list[tuple[Letters, Column]]:
        """Cut each score, and the comma before it, into texts that stand once, and the places of each score's."""
        reasons = [b',{"reason":' + canonical_json(reason) for reason in self.reasons]
        results = [
            b',"result_id":' + canonical_json(result.result_id) + b',"score_ppm":'
            for result in self.results
        ]
        judges = [b'","validator":' + canonical_json(who) + b"}" for who in self.validators]
        own = np.arange(len(self))
        return [
            (_letters(reasons), self.reason_at),
            (_letters(results), self.result_at),
            (_digits(self.scores_ppm), own),
            (_letters([b',"signature":"']), np.zeros_like(own)),
            (_letters(self.signatures), own),
            (_letters(judges), self.validator_at),
        ]


def signed(score: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a validator signed of a score, as it stands in a bundle."""
    return {name: score[name] for name in SIGNED}


def told(scores: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what was told of each scored result, by its id; the same in all scores of it."""
    if isinstance(scores, SignedScores):
        return scores.told()
    found = {score["result_id"]: {name: score[name] for name in TOLD} for score in scores}
    return [found[result_id] for result_id in sorted(found)]


def together(
    scores: Iterable[Mapping[str, Any]], results: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return scores with what was told of their results. Raises: KeyError for one of which nothing was."""
    by_id = {result["result_id"]: result for result in results}
    return [{**by_id[score["result_id"]], **score} for score in scores]


def places(names: Iterable[Name], different: Iterable[Name]) -> Column:
    """Return the place of each name among the different ones. Raises: KeyError for another."""
    place = {name: index for index, name in enumerate(different)}
    return np.fromiter(map(place.__getitem__, names), dtype=np.int64)


def _digits(numbers: Column) -> Letters:
    """Spell numbers from zero up, a row each; fillers stand for zeros before a number."""
    powers = 10 ** np.arange(len(str(numbers.max())))[::-1]
    quotients = numbers[:, np.newaxis] // powers
    letters = (quotients % 10 + ord("0")).astype(np.uint8)
    letters[:, :-1][quotients[:, :-1] == 0] = ord(_FILLER)
    return letters


def _letters(texts: Sequence[bytes] | Texts) -> Letters:
    """Lay texts under each other, a row a text, filled up to the length of the longest."""
    column = np.asarray(texts, dtype=np.bytes_)
    return np.frombuffer(column, dtype=np.uint8).reshape(len(column), -1)


def _lines(pieces: Sequence[tuple[Letters, Column]], part: slice) -> bytes:
    """Put the pieces of some scores in a row, one score after the other, and take the filler out."""
    # `take` copies a row of letters at once, indexing one letter after the other.
    page = np.hstack([letters.take(places[part], axis=0) for letters, places in pieces])
    return page.tobytes().replace(_FILLER, b"")

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
    """Scores in the window's order; reads like the list that stands in the bundle.

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
        """Return a score as it stands in a bundle."""
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

    def spelled(self) -> list[bytes]:
        """Return `canonical_json` of the list in parts, from the columns: no score becomes an object of its own."""
        if not len(self):
            return [b"[]"]
        pieces = self._pieces()
        starts = range(0, len(self), ROWS_A_PART)
        rows = [_lines(pieces, slice(start, start + ROWS_A_PART)) for start in starts]
        return [b"[", rows[0].removeprefix(b","), *rows[1:], b"]"]

    def _pieces(self) -> list[tuple[Letters, Column]]:
        """Cut each score, and the comma before it, into texts that stand once, and the places of each score's."""
        firsts, seconds, thirds = zip(*map(_around, self.results), strict=True)
        reasons = [canonical_json(reason)[1:-1] for reason in self.reasons]
        judges = [b'","validator":' + canonical_json(who) for who in self.validators]
        scores = [b'%d,"signature":"' % value for value in self.scores_ppm.tolist()]
        own = np.arange(len(self))
        return [
            (_letters(firsts), self.result_at),
            (_letters(reasons), self.reason_at),
            (_letters(seconds), self.result_at),
            (_letters(scores), own),
            (_letters(self.signatures), own),
            (_letters(judges), self.validator_at),
            (_letters(thirds), self.result_at),
        ]


def places(names: Iterable[Name], different: Iterable[Name]) -> Column:
    """Return the place of each name among the different ones. Raises: KeyError for another."""
    place = {name: index for index, name in enumerate(different)}
    return np.fromiter(map(place.__getitem__, names), dtype=np.int64)


def _around(result: ScoredResult) -> tuple[bytes, bytes, bytes]:
    """Spell what stands before a score's reason, the comma included, before its value, and after its validator."""
    first = canonical_json(
        {
            "is_canary": result.is_canary,
            "latency_ms": result.latency_ms,
            "miner": result.miner,
            "output_digest": result.output_digest,
        }
    )
    second = canonical_json({"result_id": result.result_id})
    third = canonical_json({"work_units": result.work_units})
    return (
        b"," + first[:-1] + b',"reason":"',
        b'",' + second[1:-1] + b',"score_ppm":',
        b"," + third[1:],
    )


def _letters(texts: Sequence[bytes] | Texts) -> Letters:
    """Lay texts under each other, a row a text, filled up to the length of the longest."""
    column = np.asarray(texts, dtype=np.bytes_)
    return np.frombuffer(column, dtype=np.uint8).reshape(len(column), -1)


def _lines(pieces: Sequence[tuple[Letters, Column]], part: slice) -> bytes:
    """Put the pieces of some scores in a row, one score after the other, and take the filler out."""
    page = np.hstack([letters[places[part]] for letters, places in pieces])
    return page.tobytes().replace(_FILLER, b"")

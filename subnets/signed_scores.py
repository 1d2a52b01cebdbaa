"""The signed scores of a window in columns, as they are read, measured and published. Pure.

A full epoch has 12 288, and a validator signs each. An object a score would take longer to make than all that is
computed from it; so what is the same in every score of a result is kept once, and the rest a column a field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from neurons.protocol import canonical_json


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

    results: by id, each that was scored. The columns have one value a score.
    """

    results: Mapping[str, ScoredResult]
    result_ids: Sequence[str]
    validators: Sequence[str]
    scores_ppm: Sequence[int]
    reasons: Sequence[str]
    signatures: Sequence[str]

    def __post_init__(self) -> None:
        """Assert that the columns are of one length."""
        assert len({len(column) for column in self._columns()}) == 1

    def _columns(self) -> tuple[Sequence[Any], ...]:
        return (
            self.result_ids,
            self.validators,
            self.scores_ppm,
            self.reasons,
            self.signatures,
        )

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """Return a score as it stands in a bundle."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        result_id, validator, score_ppm, reason, signature = (
            column[place] for column in self._columns()
        )
        result = self.results[result_id]
        return {
            "result_id": result_id,
            "validator": validator,
            "miner": result.miner,
            "score_ppm": score_ppm,
            "latency_ms": result.latency_ms,
            "work_units": result.work_units,
            "is_canary": result.is_canary,
            "reason": reason,
            "output_digest": result.output_digest,
            "signature": signature,
        }

    def __len__(self) -> int:
        return len(self.result_ids)

    def spelled(self) -> list[bytes]:
        """Return `canonical_json` of the list in parts, from the columns: a score is a few pieces put in a row."""
        around = {result_id: _pieces(result) for result_id, result in self.results.items()}
        judged = {who: b'","validator":' + canonical_json(who) for who in set(self.validators)}
        rows = zip(
            map(around.__getitem__, self.result_ids),
            _texts(self.reasons),
            self.scores_ppm,
            _texts(self.signatures),
            map(judged.__getitem__, self.validators),
            strict=True,
        )
        scores = [
            b'%b%b%b%d,"signature":"%b%b%b' % (first, reason, second, ppm, signature, judge, third)
            for (first, second, third), reason, ppm, signature, judge in rows
        ]
        return [b"[", b",".join(scores), b"]"]


def _pieces(result: ScoredResult) -> tuple[bytes, bytes, bytes]:
    """Spell what stands before a score's reason, before its value, and after its validator."""
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
        first[:-1] + b',"reason":"',
        b'",' + second[1:-1] + b',"score_ppm":',
        b"," + third[1:],
    )


def _texts(values: Sequence[str]) -> list[bytes]:
    """Spell texts as JSON, each without its quotation marks; all at once, where these alone divide them."""
    if not values:
        return []
    spelled = canonical_json(list(values))[2:-2]
    if b'\\"' in spelled:  # a text that ends with a quotation mark and a comma would pass for two
        return [canonical_json(value)[1:-1] for value in values]
    return spelled.split(b'","')

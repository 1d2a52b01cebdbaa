"""Commitments: what a validator's sealed scores are bound to before anybody may read them. Pure.

Each validator's scores on a subnet form one chain of hashes that never begins anew:

    head_0 = SHA-256(subnet, validator)        head_k = SHA-256(head_k-1, score k, its signature)

While an epoch runs, only the heads are public. Whoever keeps one can check in the bundle of the closed
epoch that no score before it was added, removed, changed or put in another order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from neurons import protocol


@dataclass(frozen=True, slots=True)
class Commitment:
    """What one validator's chain did in one epoch: from `before`, over `count` scores, to `after`.

    before_count: scores of the chain before this epoch, so that a head kept at any time has its place.
    """

    before: str
    before_count: int
    count: int
    after: str

    @property
    def total_count(self) -> int:
        """Return how many scores the chain binds at `after`."""
        return self.before_count + self.count


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that an epoch's scores are genuine and whole; it pays nobody.

    results: what the miners signed of the scored results. commitments: validator → what its chain did;
    None where nobody had scored before.
    """

    results: tuple[Mapping[str, Any], ...] = ()
    commitments: Mapping[str, Commitment] | None = None


NO_PROOF = Proof()


def heads(head: str, scores: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the chain's head after each of one validator's scores, as the bundle writes them."""
    found = []
    for score in scores:
        message = protocol.score_message(
            result_id=score["result_id"],
            digest=score["output_digest"],
            score_ppm=score["score_ppm"],
            reason=score["reason"],
        )
        head = protocol.score_chain_next(head, message=message, signature=score["signature"])
        found.append(head)
    return found


def by_validator(scores: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return each validator's scores in their order."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for score in scores:
        found.setdefault(score["validator"], []).append(score)
    return found


def continued(
    netuid: int,
    scores: Iterable[Mapping[str, Any]],
    last: Mapping[str, Commitment] | None = None,
) -> dict[str, Commitment]:
    """Commit to scores where `last` ended; a validator that is not in it begins its chain."""
    found = {}
    for validator, own in by_validator(scores).items():
        earlier = (last or {}).get(validator)
        start = protocol.score_chain_start(netuid=netuid, validator=validator)
        before = earlier.after if earlier else start
        found[validator] = Commitment(
            before=before,
            before_count=earlier.total_count if earlier else 0,
            count=len(own),
            after=heads(before, own)[-1],
        )
    return found

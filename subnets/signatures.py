"""Whether hotkeys signed what a bundle says they signed. Pure; many are shared out among processes.

A full epoch carries 16 384 scores. One check costs about a fifth of a millisecond and holds the
interpreter's lock all the while, so that threads would not help.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from neurons import keys, protocol
from subnets.record import Record

# Fewer are checked sooner than other processes have started.
SHARED_MIN = 1_000
BATCH = 500
PROCESSES_MAX = 4


@dataclass(frozen=True, slots=True)
class Claim:
    """That a hotkey signed a message; pointer: where the bundle says so."""

    pointer: str
    signer: str
    message: bytes
    signature: str

    def holds(self) -> bool:
        """Check it."""
        return keys.verify(self.signer, self.message, self.signature)


def claims_of(record: Record) -> list[Claim]:
    """List what a record says was signed: every score by its validator, every result by its miner.

    Raises: KeyError when a result is not among the scored ones.
    """
    scored = {score["result_id"]: score for score in record.scores}
    scores = [
        Claim(
            pointer=f"/record/scores/{place}/signature",
            signer=score["validator"],
            message=protocol.score_message(
                result_id=score["result_id"],
                digest=score["output_digest"],
                score_ppm=score["score_ppm"],
                reason=score["reason"],
            ),
            signature=score["signature"],
        )
        for place, score in enumerate(record.scores)
    ]
    results = [
        Claim(
            pointer=f"/record/results/{place}/signature",
            signer=scored[result["result_id"]]["miner"],
            message=protocol.result_message(
                lease_id=result["lease_id"],
                job_id=result["job_id"],
                digest=scored[result["result_id"]]["output_digest"],
            ),
            signature=result["signature"],
        )
        for place, result in enumerate(record.results)
    ]
    return scores + results


def first_false(claims: Sequence[Claim]) -> Claim | None:
    """Return the first claim that does not hold, in their order; None when all do."""
    batches = [claims[start : start + BATCH] for start in range(0, len(claims), BATCH)]
    processes = min(PROCESSES_MAX, os.cpu_count() or 1)
    if len(claims) < SHARED_MIN or processes < 2:
        return next((claim for claim in claims if not claim.holds()), None)
    with ProcessPoolExecutor(processes) as pool:
        found = zip(batches, pool.map(_first_false_place, batches), strict=True)
        return next((batch[place] for batch, place in found if place is not None), None)


def _first_false_place(claims: Sequence[Claim]) -> int | None:
    return next((place for place, claim in enumerate(claims) if not claim.holds()), None)

"""How often work is done twice, when answers agree, and what a check misses. Pure.

The coin. Whether a job has a replica (is done once more, by another owner's machine) is decided by a keyed
hash of the job's id, asked only when the miner has signed its output: there is nothing the answer could be fitted
to. One coin a job, so a batch shares no fate; how often it falls on "again" declines with the right answers
in a row, of one hotkey and one kind of work, to REPLICA_LEAST_PPM and never to nothing.

Source of the rule and of its flaws: BOINC's adaptive replication, which flips one coin for a whole batch and lets
a host that was honest for long go wrong for as long again.
"""

import hashlib
import hmac
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

PPM = 1_000_000
Output = TypeVar("Output")
By = TypeVar("By", bound=Hashable)
REPLICA_LEAST_PPM = (
    30_000  # who turns bad after years is still found within a hundred wrong answers
)
ANSWERS_MAX = 5  # of one job; five owners who say five things say that the job is at fault


def replica_ppm(right_count: int) -> int:
    """Return how likely a job is replicated after so many right answers in a row: every one of a newcomer's."""
    assert right_count >= 0
    return max(REPLICA_LEAST_PPM, PPM // (1 + right_count))


def drawn_ppm(job_id: UUID, *, secret: bytes) -> int:
    """Draw a job's number, 0 to 999 999: the same each time, and nobody's to foresee without the secret."""
    seal = hmac.digest(secret, b"replica:" + job_id.bytes, hashlib.sha256)
    return int.from_bytes(seal[:8]) % PPM


def is_replicated(job_id: UUID, *, right_count: int, secret: bytes) -> bool:
    """Toss the job's coin."""
    return drawn_ppm(job_id, secret=secret) < replica_ppm(right_count)


@dataclass(frozen=True, slots=True)
class Answer(Generic[By, Output]):
    """What one machine said. owner: who answers for it; two machines of one owner are one voice."""

    by: By
    owner: Hashable
    output: Output


@dataclass(frozen=True, slots=True)
class Agreement(Generic[By]):
    """What came of some answers: who stands with the majority and who against it."""

    right: tuple[By, ...]
    wrong: tuple[By, ...]


def answers_needed(count: int) -> int:
    """Return how many of so many answers have to agree: 2 of 2, 2 of 3, 3 of 4, 3 of 5."""
    return count // 2 + 1


def agreement(
    answers: Sequence[Answer[By, Output]], *, agrees: Callable[[Output, Output], bool]
) -> Agreement[By] | None:
    """Find the first answer that a majority of owners agrees with; None while there is none.

    Where there is none, one more answer is wanted: what differs raises the quorum, up to ANSWERS_MAX.
    """
    owners_count = len({answer.owner for answer in answers})
    if owners_count < 2:
        return None
    for one in answers:
        alike = [answer for answer in answers if answer is one or agrees(answer.output, one.output)]
        voices = len({answer.owner for answer in alike})
        if voices >= answers_needed(owners_count):
            right = {answer.by for answer in alike}
            return Agreement(
                right=tuple(answer.by for answer in answers if answer.by in right),
                wrong=tuple(answer.by for answer in answers if answer.by not in right),
            )
    return None


# What slips through. Each returns a probability; docs/verification.md has the table.


def missed_by_samples(count: int, *, looked_at: float, cheated: float) -> float:
    """Of `count` jobs a part is cheated and a part looked at, independently: that no cheat was seen.

    For canaries, replicas and re-execution alike; each look is taken to know what it sees.
    """
    return (1.0 - looked_at * cheated) ** count


def jobs_until_found(*, looked_at: float, cheated: float, certainty: float) -> int:
    """Return after how many jobs a cheat was seen with this certainty."""
    return math.ceil(math.log(1.0 - certainty) / math.log(1.0 - looked_at * cheated))


def missed_by_quorum(*, miners: int, colluders: int, answers: int) -> float:
    """Of some miners, chosen without repetition, so many answer: that a ring is their majority.

    The ring agrees on one wrong answer; wrong answers of others agree with nobody's.
    """
    needed = answers_needed(answers)
    ways = sum(
        math.comb(colluders, bad) * math.comb(miners - colluders, answers - bad)
        for bad in range(needed, answers + 1)
    )
    return ways / math.comb(miners, answers)


def missed_by_freivalds(*, challenge_range: int, rounds: int) -> float:
    """Return the most that a wrong product passes: each round with 1 / range at most."""
    return float(challenge_range) ** -rounds


def missed_by_prefix(*, altered: float, looked_at: int) -> float:
    """Of a text a part of the tokens is altered, and so many are looked at, at random: that none of them was."""
    return (1.0 - altered) ** looked_at


def penalty_to_deter(*, looked_at: float) -> float:
    """Return how many times what a cheat gains it must lose when seen, or it pays on average."""
    return (1.0 - looked_at) / looked_at


def replicated_share(jobs: int) -> float:
    """Return which part of an always right miner's first jobs is replicated, on average.

    Each replica adds one right answer: after N the next comes 1 / replica_ppm(N) jobs later.
    """
    right_count, left = 0, float(jobs)
    while (wait := PPM / replica_ppm(right_count)) <= left:
        left -= wait
        right_count += 1
    return (right_count + left / wait) / jobs


def wrong_until_found(right_count: int) -> float:
    """Return how many wrong answers a miner that turns bad gives, on average, before one is replicated."""
    return PPM / replica_ppm(right_count) - 1.0

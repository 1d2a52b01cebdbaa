"""When a message that was not taken goes out again. Pure: jitter is handed in."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

# Standard Webhooks: at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: some three days in all.
WEBHOOK_WAITS_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
# A mail server that is down is mended within a day or two; news are stale after that, and stand on the site anyway.
MAIL_WAITS_S = (0, 60, 300, 900, 3_600, 7_200, 14_400, 28_800, 57_600)
# So much of a wait may be added, so that what failed together does not come back together.
JITTER = 0.1
# What a busy receiver may ask for; it cannot stop us for ever.
PAUSE_MAX_S = 3_600
PAUSE_USUAL_S = 60
BUSY = frozenset({429, 502, 504})  # Standard Webhooks: throttle
GONE = 410  # Standard Webhooks: disable


class Verdict(Enum):
    """What an answer means for a message."""

    TAKEN = "taken"
    """2xx: it arrived."""
    AGAIN = "again"
    """Anything else, redirects among it: it is tried again."""
    GONE = "gone"
    """410: the receiver wants nothing more."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and how long the receiver is to be left alone whatever is due."""

    verdict: Verdict
    pause_s: int = 0


def judge(status: int | None, retry_after: str) -> Judged:
    """Say what an answer means. status: None where there was none."""
    if status is not None and 200 <= status < 300:
        return Judged(Verdict.TAKEN)
    if status == GONE:
        return Judged(Verdict.GONE)
    if status in BUSY:
        asked = retry_after.strip()
        is_seconds = asked.isascii() and asked.isdecimal() and len(asked) < 10
        return Judged(Verdict.AGAIN, min(int(asked), PAUSE_MAX_S) if is_seconds else PAUSE_USUAL_S)
    return Judged(Verdict.AGAIN)


def wait(attempts: int, *, waits_s: tuple[int, ...], jitter: float) -> timedelta | None:
    """Return how long after so many attempts the next one is due; None when it was the last.

    jitter: from 0 to 1.

    Example:
        >>> wait(1, waits_s=WEBHOOK_WAITS_S, jitter=0.0)
        datetime.timedelta(seconds=5)
    """
    if attempts >= len(waits_s):
        return None
    return timedelta(seconds=waits_s[attempts] * (1 + JITTER * jitter))

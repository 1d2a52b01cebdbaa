"""How far a machine is trusted with one kind of work: what it did lately, and whose fault it was.

Kept per machine and blueprint, so that one heavy kind of work does not spoil a machine's name for the others.
What was long ago weighs less: every HALF_LIFE it counts half, so a machine that failed comes back by itself,
and one that was good has to stay it. Only what is the miner's fault counts against the miner.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class Fault(StrEnum):
    """Whose fault it is that an attempt came to nothing."""

    MINER = "miner"
    """It let the deadline pass while it worked, or validators found the result wrong."""
    VALIDATOR = "validator"
    """Nobody judged the result in time."""
    PLATFORM = "platform"
    """The offer never reached a machine that had been alive."""
    CONSUMER = "consumer"
    """The job was cancelled by whoever ordered it."""


HALF_LIFE = timedelta(hours=1)
ONE = 1_000  # outcomes are counted in thousandths, so that they can fade

# An unknown machine is trusted like one that did two jobs of three well: below the proven, above the failing.
PRIOR_GOOD, PRIOR_ALL = 2 * ONE, 3 * ONE
NEWCOMER_BELOW = 3 * ONE  # outcomes; one good job may be luck

# Two failures in a row may be the jobs'; from the second on a machine rests, each time twice as long.
RESTS_FROM = 2
REST = timedelta(seconds=30)
REST_DOUBLINGS_MAX = (
    5  # 16 min: long against a crash loop, short against a repaired machine's patience
)


@dataclass(frozen=True, slots=True)
class Record:
    """One machine's lately faded outcomes in one blueprint, as of an instant.

    good_milli, bad_milli: outcomes in thousandths. busy_ms: how long it held leases. failures_count: the
    miner's own failures since the last success; failed_at: the last of them.
    """

    good_milli: int = 0
    bad_milli: int = 0
    busy_ms: int = 0
    failures_count: int = 0
    failed_at: datetime | None = None
    as_of: datetime | None = None

    def at(self, now: datetime) -> "Record":
        """Fade to a later instant; time does not run backwards."""
        if self.as_of is None or now <= self.as_of:
            return replace(self, as_of=self.as_of or now)
        left = 0.5 ** ((now - self.as_of) / HALF_LIFE)
        return replace(
            self,
            good_milli=int(self.good_milli * left),
            bad_milli=int(self.bad_milli * left),
            busy_ms=int(self.busy_ms * left),
            as_of=now,
        )

    def after(self, fault: Fault | None, *, busy: timedelta, now: datetime) -> "Record":
        """Add an attempt that ended; without a fault it was a success. Only the miner's own fault is a failure."""
        faded = self.at(now)
        worked = replace(faded, busy_ms=faded.busy_ms + max(0, busy // timedelta(milliseconds=1)))
        match fault:
            case None:
                return replace(worked, good_milli=worked.good_milli + ONE, failures_count=0)
            case Fault.MINER:
                return replace(
                    worked,
                    bad_milli=worked.bad_milli + ONE,
                    failures_count=worked.failures_count + 1,
                    failed_at=now,
                )
            case Fault.VALIDATOR | Fault.PLATFORM | Fault.CONSUMER:
                return worked

    @property
    def trust(self) -> float:
        """Return the chance that the next attempt comes to something, above 0 and below 1."""
        known = self.good_milli + self.bad_milli
        return (self.good_milli + PRIOR_GOOD) / (known + PRIOR_ALL)

    @property
    def is_newcomer(self) -> bool:
        """Say whether too little is known of it lately."""
        return self.good_milli + self.bad_milli < NEWCOMER_BELOW

    @property
    def rests_until(self) -> datetime | None:
        """Return until when it gets no work of this kind; None when it does not rest."""
        if self.failed_at is None or self.failures_count < RESTS_FROM:
            return None
        doublings = min(self.failures_count - RESTS_FROM, REST_DOUBLINGS_MAX)
        return self.failed_at + REST * (1 << doublings)


UNKNOWN = Record()

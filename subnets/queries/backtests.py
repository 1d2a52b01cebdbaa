"""Past epochs as a replay needs them, and the backtests that owners asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

from django.db import connection

from subnets import bundle, evidence, hyperparameters, payroll
from subnets.backtest import EPOCHS_MAX, PastEpoch
from subnets.emission import EpochSplit
from subnets.evidence import Evidence
from subnets.models import Backtest, Epoch, EpochTerm

# The first half of an advisory lock's name, so that no other use of such locks meets this one.
BACKTEST_CLAIM = 0x42414354


def replayable_epochs(netuid: int, *, limit: int) -> list[int]:
    """List the numbers of the newest closed epochs, oldest first."""
    newest = (
        Epoch.objects.filter(subnet=netuid).order_by("-number").values_list("number", flat=True)
    )
    return sorted(newest[: min(limit, EPOCHS_MAX)])


def past_epochs(netuid: int, numbers: list[int]) -> Iterator[PastEpoch]:
    """Yield closed epochs one by one, as each is read: all at once would be hundreds of megabytes."""
    for number in numbers:
        row = Epoch.objects.defer("bundle", "handed_on").get(subnet=netuid, number=number)
        terms = list(
            EpochTerm.objects.filter(epoch=row)
            .order_by("uid")
            .values_list("miner_rao", "validator_rao")
        )
        split = EpochSplit(
            owner_rao=row.owner_rao,
            miner_rao=tuple(miner_rao for miner_rao, _ in terms),
            validator_rao=tuple(validator_rao for _, validator_rao in terms),
            burned_rao=row.burned_rao,
            miner_burned_u16=0,  # counts for the subnet's share of emission, which is not replayed
        )
        yield PastEpoch(epoch_evidence(row), split)


def last_evidence(netuid: int) -> Evidence | None:
    """Return what the last epoch was paid by; None before the first."""
    row = Epoch.objects.filter(subnet=netuid).defer("bundle", "handed_on").order_by("number").last()
    return epoch_evidence(row) if row else None


def epoch_evidence(row: Epoch) -> Evidence:
    """Return what an epoch was paid by: as it was packed, else measured anew from its bundle's scores."""
    kept = getattr(row, "evidence", None)
    if kept is not None:
        found = evidence.unpacked(bytes(kept.packed))
    else:
        # Epochs older than evidence; their bundle is all that is left.
        record = bundle.record_read(row.bundle["record"])
        found = Evidence(record, payroll.measured(record))
    # A table of values that is older than a hyperparameter gets that one's default.
    values = hyperparameters.completed(found.record.hyperparameters)
    return replace(found, record=replace(found.record, hyperparameters=values))


def backtests_of(netuid: int) -> list[Backtest]:
    """List a subnet's backtests, newest first, without their answers."""
    return list(Backtest.objects.filter(subnet=netuid).defer("answer").order_by("-asked_at"))


def waiting_backtests(*, limit: int) -> list[UUID]:
    """List backtests that nobody has finished, oldest first: asked for, or left behind by a dead worker."""
    unfinished = (Backtest.State.ASKED, Backtest.State.RUNNING)
    rows = Backtest.objects.filter(state__in=unfinished).order_by("asked_at")
    return list(rows.values_list("pk", flat=True)[:limit])


@contextmanager
def backtests_claimed() -> Iterator[bool]:
    """Claim the running of backtests for this process; False when another has it. Waits for nobody.

    One at a time, so that a worker is left for everything else. The claim is the database session's and
    ends with it, however the process dies.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, 0)", [BACKTEST_CLAIM])
        (is_mine,) = cursor.fetchone()
    try:
        yield is_mine
    finally:
        if is_mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, 0)", [BACKTEST_CLAIM])

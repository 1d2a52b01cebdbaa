"""The sweep over backtests that owners asked for."""

from celery import shared_task
from django.utils import timezone

from ledger import sweeps
from subnets import operations, queries

# A task is killed after CELERY_TASK_TIME_LIMIT, whatever it is at. With one backtest to a task it is that
# backtest's own time which runs out, and not what those before it took.
BACKTESTS_PER_SWEEP = 1


@shared_task
def run_asked_backtests() -> None:
    """Run the oldest backtest that was asked for, or that a worker that died left behind."""
    sweeps.each(
        queries.waiting_backtests(limit=BACKTESTS_PER_SWEEP),
        lambda backtest_id: operations.run_backtest(backtest_id=backtest_id, now=timezone.now()),
    )

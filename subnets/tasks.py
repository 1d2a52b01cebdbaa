"""The sweep over backtests that owners asked for."""

from celery import shared_task
from django.utils import timezone

from ledger import sweeps
from subnets import operations, queries


@shared_task
def run_asked_backtests() -> None:
    """Run what was asked for, and what a worker that died left behind."""
    sweeps.each(
        queries.waiting_backtests(),
        lambda backtest_id: operations.run_backtest(backtest_id=backtest_id, now=timezone.now()),
    )

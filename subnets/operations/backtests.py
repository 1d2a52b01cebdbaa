"""A draft rule replayed over past epochs: asked for by the owner, run by a worker, answered once."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from ledger.errors import DomainError
from subnets import backtest, queries, rules
from subnets.errors import BacktestUnderWay, NothingToReplay, RuleUnknown
from subnets.models import Backtest, IncentiveRule

KEPT_MAX = 20  # answers a subnet keeps; a full subnet's is some fifty kilobytes
# 200 epochs of a full subnet take under a minute. What is not done ten minutes after a worker first took it up,
# however often one died over it, is given up; the wait for other subnets' backtests does not count.
GIVE_UP = timedelta(minutes=10)
PROGRESS_EVERY = (
    4  # epochs between two writes of how far it is: about three a second on a full subnet
)
BROKEN = "It was stopped by a fault of ours, which the log tells. Ask again, or tell the operator."
TOO_LONG = "It was not done within ten minutes. Ask for fewer epochs."


@transaction.atomic
def ask_backtest(
    *, netuid: int, owner: UUID, version: int, epoch_count: int, now: datetime
) -> Backtest:
    """Ask for a replay of a version, draft or published, over the newest epochs; fewer where there are fewer.

    Raises: SubnetUnknown, NotTheOwner, RuleUnknown, RuleInvalid, BacktestUnderWay, NothingToReplay.
    """
    found = IncentiveRule.objects.filter(subnet=netuid, version=version).first()
    # The check may run a program for seconds, so it comes before the lock.
    rule = rules.parse(found.document) if found else None
    subnet = queries.lock_own_subnet(netuid, owner)
    if found is None or rule is None:
        raise RuleUnknown(netuid=netuid, version=version)
    unfinished = (Backtest.State.ASKED, Backtest.State.RUNNING)
    if Backtest.objects.filter(subnet=subnet, state__in=unfinished).exists():
        raise BacktestUnderWay(netuid=netuid)
    numbers = queries.replayable_epochs(netuid, limit=epoch_count)
    if not numbers:
        raise NothingToReplay(netuid=netuid)
    asked = Backtest.objects.create(
        subnet=subnet,
        document=found.document,
        digest=rules.digest(rule),
        author=owner,
        asked_at=now,
        epoch_count=len(numbers),
    )
    kept = Backtest.objects.filter(subnet=subnet).order_by("-asked_at").values("pk")[:KEPT_MAX]
    Backtest.objects.filter(subnet=subnet).exclude(pk__in=kept).delete()
    return asked


def run_backtest(*, backtest_id: UUID, now: datetime) -> None:
    """Run a backtest to its end; does nothing while another process runs one, or when it is finished.

    One that a worker left behind is begun again. Runs for seconds, outside any transaction, and writes on the
    way how many epochs are done.
    """
    with queries.backtests_claimed() as is_mine:
        if not is_mine:
            return
        found = Backtest.objects.select_related("subnet").get(pk=backtest_id)
        if found.state in {Backtest.State.DONE, Backtest.State.FAILED}:
            return
        found.started_at = found.started_at or now
        if now - found.started_at > GIVE_UP:
            _finish(found, fault=TOO_LONG)
            return
        found.state, found.done_count = Backtest.State.RUNNING, 0
        found.save(update_fields=["state", "done_count", "started_at"])
        fault = BROKEN
        try:
            found.answer = backtest.answer_json(backtest.answer(_replayed(found)))
            fault = ""
        except DomainError as refusal:
            fault = str(refusal)
        finally:
            # A fault that nobody foresaw passes on to the log, and the row says so.
            _finish(found, fault=fault)


def _replayed(found: Backtest) -> list[backtest.Step]:
    numbers = queries.replayable_epochs(found.subnet_id, limit=found.epoch_count)
    past = queries.past_epochs(found.subnet_id, numbers)
    steps = []
    for step in backtest.steps(found.document, found.digest, past):
        steps.append(step)
        if len(steps) % PROGRESS_EVERY == 0:
            found.done_count = len(steps)
            found.save(update_fields=["done_count"])
    return steps


def _finish(found: Backtest, *, fault: str) -> None:
    found.state = Backtest.State.FAILED if fault else Backtest.State.DONE
    found.fault = fault[:500]
    found.done_count = found.done_count if fault else found.epoch_count
    found.save(update_fields=["state", "fault", "done_count", "answer"])

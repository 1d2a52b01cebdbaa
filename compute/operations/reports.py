"""What a consumer says of a bad answer, and what comes of it. Nobody is paid or fined by a report: validators look, and score."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from compute import queries, reporting
from compute.errors import AnswerReported, TooManyReports
from compute.models import AnswerReport, Job, Lease, ReportedChat, Result, Usage
from compute.reporting import Chat, Repeatable, Unchecked
from neurons import protocol
from neurons.workloads import language
from subnets import naming
from subnets import queries as subnets

logger = logging.getLogger(__name__)
DAY = timedelta(days=1)


@transaction.atomic
def report_answer(
    *, usage_id: UUID, owner: UUID, reason: str, now: datetime, shows_chat: bool = False
) -> AnswerReport:
    """Tell validators that an answer was bad, once for each; the same again changes nothing.

    shows_chat: its consumer lets the subnet's validators read the conversation; the gateway is asked for it.
    Raises: UsageUnknown, TextRefused, AnswerReported, TooManyReports.
    """
    said = naming.read_prose(reason, field="reason", length_max=reporting.REASON_LENGTH_MAX)
    usage = queries.usage_of(usage_id, owner)
    queries.lock_reporter(owner)
    report = AnswerReport.objects.select_related("chat").filter(usage=usage).first()
    if report is not None:
        if report.reason != said or hasattr(report, "chat") != shows_chat:
            raise AnswerReported
        return report
    refuse_too_many(owner, usage.hotkey, now=now)
    report = AnswerReport.objects.create(
        usage=usage, owner=owner, netuid=usage.netuid, reason=said, reported_at=now
    )
    if shows_chat:
        ReportedChat.objects.create(report=report, awaited_at=now)
    logger.info(
        "answer:reported usage=%s netuid=%s shows_chat=%s", usage.pk, usage.netuid, shows_chat
    )
    return report


def refuse_too_many(owner: UUID, hotkey: str, *, now: datetime) -> None:
    """Raise TooManyReports where an account reported as many answers, or as many of one miner, as it may in a day."""
    lately = queries.reports_since(owner, since=now - DAY)
    of_miner = [at for at, miner in lately if miner == hotkey]
    for limit, times, most in (
        ("this miner", of_miner, reporting.REPORTS_OF_MINER_PER_DAY_MAX),
        ("all miners", [at for at, _ in lately], reporting.REPORTS_PER_DAY_MAX),
    ):
        if len(times) >= most:
            wait = times[-most] + DAY - now
            raise TooManyReports(
                limit=limit, limit_count=most, retry_after_s=int(wait.total_seconds()) + 1
            )


@transaction.atomic
def hand_over_chat(*, chat: Chat, now: datetime) -> bool:
    """Lay a reported conversation before the subnet's validators. False where nobody waits for it any more.

    What the gateway remembers has to be what the miner signed, so that a report cannot put words into its mouth.
    """
    case = queries.lock_reported_chat(chat.request_id)
    if case is None or case.state != ReportedChat.State.AWAITED:
        return False
    usage = case.report.usage
    if protocol.answer_digest(chat.pieces) != usage.answer_digest:
        logger.warning("report:chat_differs usage=%s", usage.pk)
        case.move_to(ReportedChat.State.GONE, now=now)
        return False
    case.body, case.pieces = dict(chat.body), list(chat.pieces)
    found = reporting.repeatable(chat)
    unchecked = reason_unchecked(usage, found)
    if found is None or unchecked is not None:
        case.unchecked = unchecked or Unchecked.OPTIONS
        case.move_to(ReportedChat.State.SHOWN, now=now)
    else:
        case.job = lay_before_validators(usage, chat, found, now=now)
        case.move_to(ReportedChat.State.CHECKED, now=now)
    logger.info("report:handed_over usage=%s state=%s", usage.pk, case.state)
    return True


def reason_unchecked(usage: Usage, found: Repeatable | None) -> Unchecked | None:
    """Say why nobody can repeat an answer; None where the subnet's validators can."""
    if found is None:
        return Unchecked.OPTIONS
    judges_it = subnets.subnet(usage.netuid).blueprint == language.KIND
    is_measured = usage.model in queries.models_measured(usage.netuid)
    if not (judges_it and is_measured and queries.machine_of_hotkey(usage.hotkey)):
        return Unchecked.SUBNET
    if queries.owner_by_hotkey([usage.hotkey]).get(usage.hotkey) == usage.owner:
        return Unchecked.OWN
    is_crowded = queries.reports_checking_count(usage.netuid) >= reporting.CHECKED_AT_ONCE_MAX
    return Unchecked.CROWDED if is_crowded else None


def lay_before_validators(usage: Usage, chat: Chat, found: Repeatable, *, now: datetime) -> Job:
    """Write a reported answer as a job that came back, without its words; from here on it is judged as any other.

    It costs nobody anything and pays nobody by itself; its scores count among the miner's, right or wrong.
    """
    machine = queries.machine_of_hotkey(usage.hotkey)
    assert machine is not None, "a reported answer without a machine is not checked"
    kept = reporting.without_words(found)
    job = Job.objects.create(
        netuid=usage.netuid,
        blueprint=language.KIND,
        origin=Job.Origin.REPORTED,
        key=f"reported:{usage.pk}",
        payload=kept.payload,
        state=Job.State.RETURNED,
        created_at=now,
        queued_at=now,
        turn_at=now,
        ready_at=now,
        verify_by_at=now + reporting.CHECKED_WITHIN,
    )
    lease = Lease.objects.create(
        job=job,
        netuid=usage.netuid,
        machine=machine,
        hotkey=usage.hotkey,
        state=Lease.State.RETURNED,
        offered_at=usage.began_at,
        taken_at=usage.began_at,
        deadline_at=now,
        ended_at=now,
    )
    Result.objects.create(
        lease=lease,
        job=job,
        netuid=usage.netuid,
        hotkey=usage.hotkey,
        output=kept.output,
        output_digest=usage.answer_digest,
        signature=usage.signature,
        request_id=chat.call_id,
        pieces=[],
        model=usage.model,
        latency_ms=usage.duration_ms,
        submitted_at=now,
    )
    return job


@transaction.atomic
def miss_chats(*, usage_ids: Sequence[UUID], now: datetime) -> None:
    """Note of reports that no gateway had their conversation in time: validators have the words alone."""
    for usage_id in usage_ids:
        case = queries.lock_reported_chat(usage_id)
        if case is not None and case.state == ReportedChat.State.AWAITED:
            case.move_to(ReportedChat.State.GONE, now=now)


@transaction.atomic
def forget_chats(*, usage_ids: Sequence[UUID]) -> None:
    """Forget conversations that were kept long enough: report and verdict stay, and no word of them."""
    rows = ReportedChat.objects.filter(report__usage__in=usage_ids)
    rows.update(body=None, pieces=None, forget_at=None)

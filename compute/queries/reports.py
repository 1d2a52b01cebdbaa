"""Reports of bad answers: what validators read, what consumers are told, and what sweeps and gateways look for."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import connection

from compute.errors import NotAValidator, ReportUnknown
from compute.models import AnswerReport, Job, Machine, ReportedChat
from compute.queries.jobs import ROWS_MAX
from compute.queries.serving import open_models
from compute.reporting import CHAT_AWAITED, Standing
from compute.serving import measured_models
from compute.verification import FOUND_WRONG
from subnets import queries as subnets

REPORTERS = 0x52505254  # "RPRT": no other advisory lock meets this one
JUDGED = {
    Job.State.RETURNED: Standing.CHECKING,
    Job.State.VERIFIED: Standing.NOT_UPHELD,
}


def lock_reporter(owner: UUID) -> None:
    """Queue up with whatever else the account reports, to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [REPORTERS, str(owner)])


def reports_since(owner: UUID, *, since: datetime) -> list[tuple[datetime, str]]:
    """Return (when, the miner) of an account's reports after an instant, oldest first."""
    rows = AnswerReport.objects.filter(owner=owner, reported_at__gt=since)
    return list(rows.order_by("reported_at").values_list("reported_at", "usage__hotkey"))


def report_of(usage_id: UUID, owner: UUID) -> AnswerReport:
    """Return an account's report of an answer, with all that tells what came of it. Raises: ReportUnknown."""
    rows = AnswerReport.objects.filter(usage=usage_id, owner=owner)
    found = rows.select_related("usage", "chat__job").first()
    if found is None:
        raise ReportUnknown(usage_id=usage_id)
    return found


def reports_on(netuid: int, *, validator: str, limit: int) -> list[AnswerReport]:
    """List what consumers report of a subnet's answers, newest first, to a validator of it.

    Raises: SubnetUnknown, NotAValidator.
    """
    subnets.subnet(netuid)
    if validator not in subnets.permitted_validators(netuid):
        raise NotAValidator(
            hotkey=validator, netuid=netuid, least_rao=subnets.least_stake_rao(netuid)
        )
    rows = AnswerReport.objects.filter(netuid=netuid).select_related("usage", "chat__job")
    return list(rows.order_by("-reported_at", "-pk")[: min(limit, ROWS_MAX)])


def standing_of(report: AnswerReport) -> Standing:
    """Tell what came of a report so far. It has to be read with its conversation and the job of that."""
    chat: ReportedChat | None = getattr(report, "chat", None)
    if chat is None:
        return Standing.TOLD
    if chat.job is None:
        return Standing(chat.state)
    if chat.job.state != Job.State.FAILED:
        return JUDGED[Job.State(chat.job.state)]
    is_upheld = chat.job.failure == FOUND_WRONG
    return Standing.UPHELD if is_upheld else Standing.UNJUDGED


def awaited_chats(*, limit: int) -> list[UUID]:
    """Return the requests whose conversation a gateway is to hand over, oldest first."""
    rows = ReportedChat.objects.filter(state=ReportedChat.State.AWAITED).order_by("awaited_at")
    return list(rows.values_list("report__usage_id", flat=True)[:limit])


def missed_chats(now: datetime, *, limit: int) -> list[UUID]:
    """Return the requests whose conversation no gateway handed over in time."""
    rows = ReportedChat.objects.filter(
        state=ReportedChat.State.AWAITED, awaited_at__lte=now - CHAT_AWAITED
    )
    return list(rows.values_list("report__usage_id", flat=True)[:limit])


def outlived_chats(now: datetime, *, limit: int) -> list[UUID]:
    """Return the requests whose conversation was kept long enough."""
    rows = ReportedChat.objects.filter(forget_at__lte=now)
    return list(rows.values_list("report__usage_id", flat=True)[:limit])


def lock_reported_chat(usage_id: UUID) -> ReportedChat | None:
    """Lock the conversation of a report; None where nobody lets it be shown."""
    rows = ReportedChat.objects.select_for_update(of=("self",)).select_related("report__usage")
    return rows.filter(report__usage=usage_id).first()


def reporters(job_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return job → who reported the answer that it judges, for those that judge one."""
    rows = ReportedChat.objects.filter(job__in=job_ids)
    return dict(rows.values_list("job", "report__owner"))


def reports_checking_count(netuid: int) -> int:
    """Return how many reported answers of a subnet wait for its validators."""
    return Job.objects.filter(
        netuid=netuid, state=Job.State.RETURNED, origin=Job.Origin.REPORTED
    ).count()


def models_measured(netuid: int) -> list[str]:
    """Return the models of a subnet that its validators judge."""
    found = measured_models(terms for terms in open_models() if terms.netuid == netuid)
    return [terms.name for terms in found.get(netuid, [])]


def machine_of_hotkey(hotkey: str) -> Machine | None:
    """Return the machine of a hotkey that was heard of last."""
    return Machine.objects.filter(hotkey=hotkey).order_by("-last_seen_at").first()

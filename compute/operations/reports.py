"""What a consumer says of a bad answer. Nobody is paid or fined by it: validators look, and score."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from compute import queries
from compute.errors import AnswerReported
from compute.models import AnswerReport
from compute.models.serving import REASON_LENGTH_MAX
from subnets import naming

logger = logging.getLogger(__name__)


@transaction.atomic
def report_answer(*, usage_id: UUID, owner: UUID, reason: str, now: datetime) -> AnswerReport:
    """Tell validators that an answer was bad, once for each; the same words again change nothing.

    Raises: UsageUnknown, TextRefused, AnswerReported.
    """
    said = naming.read_prose(reason, field="reason", length_max=REASON_LENGTH_MAX)
    usage = queries.usage_of(usage_id, owner)
    new = AnswerReport(usage=usage, owner=owner, netuid=usage.netuid, reason=said, reported_at=now)
    # Two windows of one person: the insert that comes second gives way.
    AnswerReport.objects.bulk_create([new], ignore_conflicts=True)
    report = AnswerReport.objects.get(usage=usage)
    if report.reason != said:
        raise AnswerReported
    logger.info("answer:reported usage=%s netuid=%s", usage.pk, usage.netuid)
    return report

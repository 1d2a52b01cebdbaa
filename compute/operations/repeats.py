"""Repeats: what came of a consumer's chat that several owners' miners were asked."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from compute.models import Repeat

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Repeated:
    """One miner's answer. is_first: the one the consumer has.  is_right: None where there was no majority."""

    request_id: UUID
    hotkey: str
    is_first: bool
    is_right: bool | None
    prompt_tokens: int
    completion_tokens: int
    answer_digest: str


@transaction.atomic
def record_repeat(found: Sequence[Repeated], *, netuid: int, model: str, now: datetime) -> None:
    """Write down who stood with whom, and what it cost; the same again changes nothing."""
    rows = [
        Repeat(
            request_id=each.request_id,
            netuid=netuid,
            model=model,
            hotkey=each.hotkey,
            is_first=each.is_first,
            is_right=each.is_right,
            prompt_tokens=each.prompt_tokens,
            completion_tokens=each.completion_tokens,
            answer_digest=each.answer_digest,
            compared_at=now,
        )
        for each in found
    ]
    Repeat.objects.bulk_create(rows, ignore_conflicts=True)
    for each in found:
        logger.info(
            "chat:repeated request=%s netuid=%s hotkey=%s right=%s",
            *(each.request_id, netuid, each.hotkey, each.is_right),
        )

"""Making deliveries: endpoints are taken for a while, spoken to outside any transaction, and what they said is written."""

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from standardwebhooks import Webhook

from marketplace import egress, queries, retrying
from marketplace.egress import Answer
from marketplace.errors import AddressRefused, DeliveryUnknown
from marketplace.models import Delivery, WebhookEndpoint
from marketplace.operations.webhooks import rules, secrets_of

logger = logging.getLogger(__name__)

# One connection an endpoint, so many endpoints a sweep: what strangers can keep busy of us is bounded.
ENDPOINTS_AT_ONCE = 16
DELIVERIES_AT_ONCE = 5
# For so long nobody else speaks to an endpoint that a worker took; a sweep is over in half a minute.
TAKEN_FOR = timedelta(minutes=2)
BODY_BYTES_MAX = 20_000  # Standard Webhooks


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery, ready to be sent by a thread that knows no database."""

    delivery_id: UUID
    url: str
    body: bytes
    headers: dict[str, str]


def deliver_due_webhooks(*, now: datetime, jitter: float) -> int:
    """Send what is due to every free endpoint, each in a thread of its own; return how many were tried."""
    batches = _take(now=now)
    if not batches:
        return 0
    allowed = rules()
    with ThreadPoolExecutor(max_workers=len(batches)) as threads:
        spoken = threads.map(lambda batch: _speak(batch[1], allowed), batches)
        said = list(zip(batches, spoken, strict=True))
    for (endpoint, _), answers in said:
        _record(endpoint.pk, answers, now=now, jitter=jitter)
    return sum(len(answers) for _, answers in said)


@transaction.atomic
def _take(*, now: datetime) -> list[tuple[WebhookEndpoint, list[Message]]]:
    """Take free endpoints for this worker, and sign what is due at each."""
    taken = queries.lock_due_endpoints(now=now, limit=ENDPOINTS_AT_ONCE)
    batches = []
    for endpoint in taken:
        due = queries.due_deliveries(endpoint.pk, now=now, limit=DELIVERIES_AT_ONCE)
        batches.append((endpoint, [_message(endpoint, one, now=now) for one in due]))
        endpoint.taken_until = now + TAKEN_FOR
    WebhookEndpoint.objects.bulk_update(taken, ["taken_until"])
    return batches


def _message(endpoint: WebhookEndpoint, delivery: Delivery, *, now: datetime) -> Message:
    """Write and sign a message; its id and body stay the same however often it is sent."""
    body = body_of(delivery)
    assert len(body.encode()) < BODY_BYTES_MAX
    name = str(delivery.pk)
    # `sign` takes any instant for UTC: `now` is aware UTC here.
    signatures = [Webhook(one).sign(name, now, body) for one in secrets_of(endpoint, now=now)]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "subnet-exchange-webhooks/1",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return Message(delivery.pk, endpoint.url, body.encode(), headers)


def body_of(delivery: Delivery) -> str:
    """Write what a delivery says: {type, timestamp, data}."""
    notice = delivery.notice
    if notice is None:
        said = {"type": "test", "timestamp": delivery.created_at.isoformat(), "data": {}}
        return json.dumps(said)
    line = queries.notice_line(notice)
    data = {
        **line.data,
        "notice_id": line.id,
        "netuid": line.netuid,
        "auction_id": str(line.auction_id) if line.auction_id else None,
        "sentence": line.sentence,
        "url": f"{settings.SITE_URL}{line.path}",
    }
    return json.dumps({"type": line.type, "timestamp": line.happened_at.isoformat(), "data": data})


def _speak(messages: Sequence[Message], allowed: egress.Rules) -> list[tuple[UUID, Answer]]:
    """Send an endpoint's messages one after another, until one fails or the time of one is spent."""
    answers: list[tuple[UUID, Answer]] = []
    for message in messages:
        answer = _asked(message, allowed)
        answers.append((message.delivery_id, answer))
        spent_ms = sum(one.took_ms for _, one in answers)
        if retrying.judge(answer.status, "").verdict is not retrying.Verdict.TAKEN:
            break
        if spent_ms > egress.TIMEOUT_S * 1_000:
            break
    return answers


def _asked(message: Message, allowed: egress.Rules) -> Answer:
    try:
        return egress.post(message.url, body=message.body, headers=message.headers, rules=allowed)
    except AddressRefused as refusal:
        # A name may lead elsewhere for a while, so it is tried again like any failure.
        return Answer(None, "", str(refusal.fields["reason"]), "", 0)


@transaction.atomic
def _record(
    endpoint_id: UUID, answers: Sequence[tuple[UUID, Answer]], *, now: datetime, jitter: float
) -> None:
    """Write what an endpoint said, and let it go."""
    endpoint = WebhookEndpoint.objects.select_for_update(of=("self",)).get(pk=endpoint_id)
    pause_s = 0
    for delivery_id, answer in answers:
        try:
            delivery = queries.lock_delivery(delivery_id, endpoint_id=endpoint_id)
        except DeliveryUnknown:
            continue  # sent again by hand just as it was forgotten for its age
        judged = retrying.judge(answer.status, answer.retry_after)
        pause_s = max(pause_s, judged.pause_s)
        _note(delivery, answer, judged.verdict, now=now, jitter=jitter)
        if delivery.state == Delivery.State.FAILED:
            gone = judged.verdict is retrying.Verdict.GONE
            _switch_off(
                endpoint, "it answered 410 Gone" if gone else "no attempt of a delivery was taken"
            )
    endpoint.taken_until = now + timedelta(seconds=pause_s) if pause_s else None
    endpoint.save(update_fields=["taken_until", "state", "reason"])


def _note(
    delivery: Delivery, answer: Answer, verdict: retrying.Verdict, *, now: datetime, jitter: float
) -> None:
    delivery.attempts += 1
    delivery.tried_at, delivery.status = now, answer.status
    delivery.answer, delivery.fault, delivery.took_ms = answer.body, answer.fault, answer.took_ms
    later = retrying.wait(delivery.attempts, waits_s=retrying.WEBHOOK_WAITS_S, jitter=jitter)
    if verdict is retrying.Verdict.TAKEN:
        delivery.state = Delivery.State.DELIVERED
    elif verdict is retrying.Verdict.GONE or later is None:
        delivery.state = Delivery.State.FAILED
    else:
        delivery.next_at = now + later
    fields = ["attempts", "tried_at", "status", "answer", "fault", "took_ms", "state", "next_at"]
    delivery.save(update_fields=fields)
    logger.info("webhooks:tried delivery=%s status=%s", delivery.pk, answer.status)


def _switch_off(endpoint: WebhookEndpoint, reason: str) -> None:
    if endpoint.state == WebhookEndpoint.State.ENABLED:
        endpoint.state, endpoint.reason = WebhookEndpoint.State.DISABLED, reason

"""The books beside Stripe: what was missed is made up for, what still differs is kept for the operator."""

import logging
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import transaction

from ledger import queries as books
from ledger import sweeps
from marketplace import payments, queries, reconciling
from marketplace.models import CardDifference, WebhookEvent
from marketplace.operations import card_books, card_events, withdrawal_banks, withdrawal_transfers
from marketplace.payments import payouts
from marketplace.reconciling import Difference, Found, Line

logger = logging.getLogger(__name__)

# An entry is younger than its balance transaction by as much as Stripe may take to tell: it keeps events 30 days.
LINES_BEFORE = timedelta(days=30)
BY_DEFAULT = timedelta(days=3)


def reconcile_cards(*, since: datetime | None, now: datetime) -> list[Difference]:
    """Compare the books with Stripe since an instant, three days ago unless told; return what differs after mending.

    Missed events are fetched and worked off, and payments, payouts and costs without entries are looked at. What
    differs still is kept as rows; a row whose subject agrees by now is resolved. May be run at any time, and again.
    Raises: CardsSwitchedOff, CardsUnavailable, CardsRefused.
    """
    since = since or now - BY_DEFAULT
    _make_up_for_events(since, now=now)
    withdrawal_banks.look_at_banks(since=since - LINES_BEFORE, now=now)
    lines = payments.lines_since(since - LINES_BEFORE)
    sweeps.each(_unbooked(lines), lambda line: _mend(line, now=now))
    found = _compare(lines, since=since, now=now)
    _keep(found, now=now)
    logger.info("cards:reconciled lines=%s differences=%s", len(lines), len(found.differences))
    return list(found.differences)


def _make_up_for_events(since: datetime, *, now: datetime) -> None:
    """Store what Stripe told and nobody heard, and work it off."""
    known = set(WebhookEvent.objects.filter(received_at__gte=since).values_list("pk", flat=True))
    missed = [event for event in payments.events_since(since) if event.id not in known]
    for event in reversed(missed):
        card_events.record_webhook_event(event, now=now)
    sweeps.each(
        [event.id for event in reversed(missed)],
        lambda event_id: card_events.process_webhook_event(event_id=event_id, now=now),
    )


def _unbooked(lines: list[Line]) -> list[Line]:
    """Return the lines that have not all of their entries."""
    expected = {line.id: set(line.expected()) for line in lines}
    known = books.known_keys(key for keys in expected.values() for key in keys)
    return [line for line in lines if not expected[line.id] <= known]


def _mend(line: Line, *, now: datetime) -> None:
    """Post what a line asks for, by the road that its event would have taken."""
    if line.payment_id:
        look = card_books.look_at(line.payment_id)
        if look:
            with transaction.atomic():
                card_books.take_up(look, now=now)
    elif line.transfer_id:
        withdrawal_transfers.take_up_transfer(payouts.retrieve_transfer(line.transfer_id), now=now)
    elif line.source.startswith(("po_", "tu_")):
        card_books.post_transit(payments.retrieve_transit(line.source), now=now)
    else:
        posting = reconciling.cost(line)
        if posting:
            card_books.post_once(posting, now=now)


def _compare(lines: list[Line], *, since: datetime, now: datetime) -> Found:
    recent = queries.cleared_between(since, now - reconciling.GRACE)
    keys = {key for line in lines for key in line.expected()}
    booked = queries.cleared_by(keys) | recent
    found = reconciling.compare(lines, booked=booked, recent=recent, now=now)
    arrived = [
        line.source
        for line in lines
        if line.type == "payout" and f"card:{line.source}:paid" in booked
    ]
    left = [_uncleared(payout_id) for payout_id in arrived]
    cleared = {payout for payout, difference in zip(arrived, left, strict=True) if not difference}
    differences = (*found.differences, *(difference for difference in left if difference))
    return Found(differences, found.agreed | cleared | queries.undone_extras())


def _uncleared(payout_id: str) -> Difference | None:
    """Say what a payout leaves in clearing: its lines may be older than those compared."""
    lines = payments.lines_of_payout(payout_id)
    keys = {key for line in lines for key in line.expected()}
    return reconciling.clears(payout_id, lines, booked=queries.cleared_by(keys))


@transaction.atomic
def _keep(found: Found, *, now: datetime) -> None:
    """Write what differs as rows, and resolve those whose subjects agree."""
    _resolve(found.agreed, now=now)
    for difference in found.differences:
        facts = asdict(difference)
        subject = facts.pop("subject")
        CardDifference.objects.update_or_create(
            subject=subject,
            defaults={**facts, "seen_at": now, "resolved_at": None},
            create_defaults={**facts, "found_at": now, "seen_at": now},
        )


def _resolve(subjects: Iterable[str], *, now: datetime) -> None:
    waiting = CardDifference.objects.filter(resolved_at=None, subject__in=list(subjects))
    waiting.update(resolved_at=now)

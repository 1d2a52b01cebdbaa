"""Mail: letters that are due to one person together go as one. At least once: a worker that dies after the server took a mail sends it again."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction

from marketplace import notices, queries, retrying, unsubscribing
from marketplace.models import Letter

logger = logging.getLogger(__name__)

# People a sweep writes to; a server that takes ten seconds for each is stopped by its first failure.
MAILS_AT_ONCE = 20
# Notices in one mail; more are read on the site.
GATHERED_MAX = 50
# For so long nobody else sends what a worker took; far longer than the mail server may take (EMAIL_TIMEOUT).
TAKEN_FOR = timedelta(minutes=5)
SUBJECT_LENGTH_MAX = 150


def send_due_letters(*, now: datetime, jitter: float) -> int:
    """Send what is due, one mail a person; return how many mails were taken. A server that fails is left alone until the next sweep."""
    for sent_count in range(MAILS_AT_ONCE):
        letters = _take(now=now)
        if not letters:
            return sent_count
        try:
            mail_of(letters).send()
        except OSError as fault:  # smtplib's own faults and those of its socket
            _put_back(letters, fault.__class__.__name__, now=now, jitter=jitter)
            return sent_count
        _mark_sent(letters, now=now)
    return MAILS_AT_ONCE


def mail_of(letters: Sequence[Letter]) -> EmailMessage:
    """Write the mail: every notice with its link, and how to stop it with one click (RFC 8058)."""
    told = [(letter.notice, queries.notice_line(letter.notice)) for letter in letters]
    person = letters[0].person
    kinds = [notice.kind for notice, _ in told]
    stoppable = notices.stoppable(kinds)
    token = unsubscribing.token(person.pk, stoppable, secret=settings.SECRET_KEY)
    stop_url = f"{settings.SITE_URL}/notices/stop-mail/{token}/"
    paragraphs = [f"{line.sentence}\n{settings.SITE_URL}{line.path}" for _, line in told]
    if stoppable:
        labels = sorted(notices.KINDS[kind].label for kind in stoppable)
        paragraphs.append(f"Stop mail of this kind ({'; '.join(labels)}):\n{stop_url}")
    first = " ".join(told[0][1].sentence.split())[:SUBJECT_LENGTH_MAX]
    return EmailMessage(
        subject=first if len(told) == 1 else f"{len(told)} notices: {first}",
        body="\n\n".join(paragraphs) + "\n",
        to=[person.email],
        headers={
            "List-Unsubscribe": f"<{stop_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        if stoppable
        else {},
    )


@transaction.atomic
def _take(*, now: datetime) -> list[Letter]:
    """Take one person's letters for this worker."""
    letters = queries.lock_due_letters(now=now, limit=GATHERED_MAX)
    for letter in letters:
        letter.attempts += 1
        letter.next_at = now + TAKEN_FOR
    Letter.objects.bulk_update(letters, ["attempts", "next_at"])
    return letters


def _mark_sent(letters: Sequence[Letter], *, now: datetime) -> None:
    ids = [letter.pk for letter in letters]
    waiting = Letter.objects.filter(pk__in=ids, state=Letter.State.WAITING)
    waiting.update(state=Letter.State.SENT, sent_at=now, fault="")
    logger.info("letters:sent person=%s count=%s", letters[0].person_id, len(letters))


def _put_back(letters: Sequence[Letter], fault: str, *, now: datetime, jitter: float) -> None:
    """Try again later; after the last attempt the notice stands on the site alone."""
    for letter in letters:
        later = retrying.wait(letter.attempts, waits_s=retrying.MAIL_WAITS_S, jitter=jitter)
        letter.state = Letter.State.FAILED if later is None else Letter.State.WAITING
        letter.next_at = now + (later or timedelta())
        letter.fault = fault
    Letter.objects.bulk_update(letters, ["state", "next_at", "fault"])
    logger.warning("letters:failed count=%s fault=%s", len(letters), fault)

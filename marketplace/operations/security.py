"""How somebody signs in: what changed of it is written down, sessions are ended, a lost factor is removed."""

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction

from marketplace.models import SecurityChange
from marketplace.models.security import ABOUT_LENGTH_MAX, DEVICE_LENGTH_MAX

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was done from: what the browser calls itself, and its address."""

    device: str
    address: str | None


def record_security_change(
    *, person: UUID, kind: SecurityChange.Kind, place: Place, now: datetime, about: str = ""
) -> SecurityChange:
    """Write down what changed. Once a change: whoever made it calls this in the same request."""
    change = SecurityChange.objects.create(
        person_id=person,
        kind=kind,
        about=about[:ABOUT_LENGTH_MAX],
        device=place.device[:DEVICE_LENGTH_MAX],
        address=place.address,
        happened_at=now,
    )
    logger.info("security:changed person=%s kind=%s", person, kind.value)
    return change


def see_device(*, person: UUID, browser: str, place: Place, now: datetime) -> None:
    """Write down that a browser signed in, by the number its cookie has. Again, and nothing is written."""
    seen = SecurityChange(
        person_id=person,
        kind=SecurityChange.Kind.DEVICE_SEEN,
        device=place.device[:DEVICE_LENGTH_MAX],
        address=place.address,
        browser=hashlib.sha256(browser.encode()).hexdigest(),
        happened_at=now,
    )
    SecurityChange.objects.bulk_create([seen], ignore_conflicts=True)


def end_sessions(*, person: UUID, session_id: int | None = None, but_key: str | None = None) -> int:
    """End one session of somebody, or all but the one with a key; return how many. The next request of each is a visitor's."""
    sessions = UserSession.objects.filter(user_id=person)
    if session_id is not None:
        sessions = sessions.filter(pk=session_id)
    if but_key is not None:
        sessions = sessions.exclude(session_key=but_key)
    ended = list(sessions)
    for session in ended:
        session.end()
    logger.info("sessions:ended person=%s count=%s", person, len(ended))
    return len(ended)


@transaction.atomic
def remove_factors(*, person: UUID, operator: UUID, now: datetime) -> int:
    """Take second factors and recovery codes from somebody who lost them; return how many. Their sessions end, and they are told."""
    count: int = Authenticator.objects.filter(user_id=person).delete()[0]
    if count:
        record_security_change(
            person=person,
            kind=SecurityChange.Kind.FACTOR_REMOVED,
            about="everything, by an operator",
            place=Place(device="the operator’s desk", address=None),
            now=now,
        )
        end_sessions(person=person)
        logger.info("factors:removed person=%s operator=%s", person, operator)
    return count

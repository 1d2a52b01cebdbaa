"""How somebody signs in: what changed and when, what is set up, and where they are signed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Exists, Max, OuterRef

from marketplace.models import SecurityChange
from marketplace.queries.factors import FACTORS

# What an intruder would do first. New codes move no money, and a new device has to prove the factor as any other.
DELAYING = tuple(
    kind
    for kind in SecurityChange.Kind
    if kind not in {SecurityChange.Kind.CODES_MADE, SecurityChange.Kind.DEVICE_SEEN}
)
# More are ended together; nobody reads on.
SESSIONS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as its owner knows it."""

    id: int
    name: str
    added_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Factors:
    """What somebody has set up beside the password. codes_left: None without recovery codes."""

    app_since: datetime | None
    passkeys: Sequence[Passkey]
    codes_left: int | None

    @property
    def is_set_up(self) -> bool:
        """Tell whether there is a second factor."""
        return bool(self.app_since or self.passkeys)


def security_changed_at(person: UUID) -> datetime | None:
    """Return when a second factor, the password or the e-mail address of somebody last changed; None if they never did.

    Withdrawals wait after it. From facts, and from the factors themselves, whose rows are there a moment earlier.
    """
    changes = SecurityChange.objects.filter(person=person, kind__in=DELAYING)
    factors = Authenticator.objects.filter(user_id=person, type__in=FACTORS)
    found = (changes.aggregate(at=Max("happened_at")), factors.aggregate(at=Max("created_at")))
    return max((one["at"] for one in found if one["at"]), default=None)


def security_changes(person: UUID, *, limit: int) -> Sequence[SecurityChange]:
    """List what changed about how somebody signs in, the newest first."""
    return list(SecurityChange.objects.filter(person=person)[:limit])


def set_up(person: UUID) -> Factors:
    """Return what somebody has set up beside the password, in one statement."""
    rows = list(Authenticator.objects.filter(user_id=person).order_by("created_at"))
    apps = [row.created_at for row in rows if row.type == Authenticator.Type.TOTP]
    codes = [row for row in rows if row.type == Authenticator.Type.RECOVERY_CODES]
    return Factors(
        app_since=apps[0] if apps else None,
        passkeys=[
            Passkey(row.pk, row.wrap().name, row.created_at, row.last_used_at)
            for row in rows
            if row.type == Authenticator.Type.WEBAUTHN
        ],
        codes_left=len(codes[0].wrap().get_unused_codes()) if codes else None,
    )


def sessions_of(person: UUID, *, now: datetime) -> Sequence[UserSession]:
    """List where somebody is signed in, the newest first, in one statement."""
    alive = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=now)
    rows = UserSession.objects.filter(Exists(alive), user_id=person)
    return list(rows.order_by("-created_at")[:SESSIONS_SHOWN])

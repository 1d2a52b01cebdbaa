"""Linking a hotkey to an account: the owner shows a code, the hotkey signs the request that carries it."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from subnets import naming
from subnets.errors import ChallengeExpired, ChallengeUnknown, HotkeyTaken, TooManyChallenges
from subnets.models import Hotkey, HotkeyChallenge

CHALLENGE_LIFE = timedelta(minutes=15)  # long enough to start a miner, short enough to be forgotten
CHALLENGES_OPEN_MAX = 20  # an owner with a rack of machines links them one after the other
CODE_BYTES = (
    16  # 128 bits; hex, because a code that starts with a dash is an option to a command line
)
NAME_MAX = 40  # what the column holds


@transaction.atomic
def open_challenge(*, owner: UUID, now: datetime) -> HotkeyChallenge:
    """Give the owner a one-time code. Raises: TooManyChallenges."""
    waiting = HotkeyChallenge.objects.filter(owner=owner, used_at=None, expires_at__gt=now)
    if waiting.count() >= CHALLENGES_OPEN_MAX:
        raise TooManyChallenges(limit=CHALLENGES_OPEN_MAX)
    return HotkeyChallenge.objects.create(
        code=secrets.token_hex(CODE_BYTES), owner=owner, expires_at=now + CHALLENGE_LIFE
    )


@transaction.atomic
def link_hotkey(*, ss58: str, code: str, name: str, now: datetime) -> Hotkey:
    """Link the hotkey that signed the request to the owner who made the code.

    Linking again for the same owner returns the key as it is. Raises: TextRefused, ChallengeUnknown,
    ChallengeExpired, HotkeyTaken.
    """
    name = naming.read_name(name, length_max=NAME_MAX)
    challenge = HotkeyChallenge.objects.select_for_update().filter(code=code).first()
    if challenge is None:
        raise ChallengeUnknown
    known = Hotkey.objects.filter(ss58=ss58).first()
    if known is None:
        if challenge.used_at is not None:
            raise ChallengeUnknown
        if challenge.expires_at <= now:
            raise ChallengeExpired
        challenge.used_at = now
        challenge.save(update_fields=["used_at"])
        # Two codes may meet at one hotkey: the first takes it, and the second is answered below.
        known, _ = Hotkey.objects.get_or_create(
            ss58=ss58, defaults={"owner": challenge.owner, "name": name, "linked_at": now}
        )
    if known.owner != challenge.owner:
        raise HotkeyTaken(hotkey=ss58)
    return known

"""Links that stop mail: signed, so that they need no sign-in, and naming no more than a person and kinds of notices."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core import signing

from marketplace import notices
from marketplace.errors import UnsubscribeLinkInvalid

SALT = "marketplace.unsubscribing"


@dataclass(frozen=True, slots=True)
class Unsubscribing:
    """Whose mail of which kinds is to stop."""

    person: UUID
    kinds: tuple[str, ...]

    @property
    def labels(self) -> list[str]:
        """Return the kinds as the page of preferences calls them."""
        return [notices.KINDS[kind].label for kind in self.kinds if kind in notices.KINDS]


def token(person: UUID, kinds: Sequence[str], *, secret: str) -> str:
    """Return the last part of a link. It has no end: mail is read years later, and stopping it harms nobody."""
    said = [str(person), *sorted(set(kinds))]
    return signing.dumps(said, key=secret, salt=SALT)


def read(token: str, *, secret: str) -> Unsubscribing:
    """Read the last part of a link. Raises: UnsubscribeLinkInvalid."""
    try:
        person, *kinds = signing.loads(token, key=secret, salt=SALT)
        return Unsubscribing(person=UUID(person), kinds=tuple(kinds))
    except (signing.BadSignature, ValueError) as fault:
        raise UnsubscribeLinkInvalid from fault

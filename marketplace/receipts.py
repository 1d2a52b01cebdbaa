"""The receipt of a bid: its facts in a fixed order of lines, and their digest, by which they can be shown later. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

FORMAT = "bid receipt 1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was agreed by one bid. key: the bidder's own words for the request.  version: of the auction after it.

    hold: the id under which the maximum was set aside; None for a bid that was beaten at once, or led only until the
    next bid of the same batch.
    """

    bid: UUID
    auction: UUID
    netuid: int
    bidder: UUID
    max_rao: int
    price_rao: int
    is_leading: bool
    closes_at: datetime
    placed_at: datetime
    sequence: int
    version: int
    key: str
    hold: UUID | None

    @property
    def text(self) -> str:
        """Return the facts, a line each; anybody can hash them again.

        Instants are in UTC to the microsecond, amounts in rao; keys are printable, so each stays one line.
        """
        facts = {
            "bid": self.bid,
            "auction": self.auction,
            "netuid": self.netuid,
            "bidder": self.bidder,
            "max_rao": self.max_rao,
            "price_rao": self.price_rao,
            "is_leading": "yes" if self.is_leading else "no",
            "closes_at": _instant(self.closes_at),
            "placed_at": _instant(self.placed_at),
            "sequence": self.sequence,
            "version": self.version,
            "key": self.key,
            "hold": self.hold or "none",
        }
        return "\n".join([FORMAT, *(f"{name}: {value}" for name, value in facts.items())]) + "\n"

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the text in UTF-8, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

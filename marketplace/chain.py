"""The chain as withdrawals know it: TAO is sent once per request, and later it is final or was dropped.

No live chain is reached from here. Whoever runs one writes a class with these four methods; the rules that it has to
keep stand at each, and `operations.rehearsed_chain` keeps them over a table of its own, for tests and the demo.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Fate(StrEnum):
    """What became of TAO that was sent."""

    PENDING = "pending"
    """It was broadcast; no block that is final has it."""
    FINAL = "final"
    """It is in a final block: it has arrived, for good."""
    DROPPED = "dropped"
    """It is in no final block and can never be: its era has passed."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """TAO that was sent for a request. extrinsic: its hash.  fee_rao: what the chain took of the sender besides."""

    request: UUID
    extrinsic: str
    address: str
    amount_rao: int
    fee_rao: int
    fate: Fate
    sent_at: datetime


class Chain(Protocol):
    """Where TAO leaves for.

    All methods raise ChainUnavailable where nothing can be known now.
    """

    def find(self, request: UUID) -> Broadcast | None:
        """Return what was sent for a request; None only where nothing was, and nothing is on its way."""
        ...

    def send(self, request: UUID, *, address: str, amount_rao: int) -> Broadcast:
        """Send TAO for a request, once: asked again, whatever happened in between, the first sending is returned.

        So the signed extrinsic is written down under the request before it is broadcast.
        Raises: RailShort where the hot wallet has too little; nothing is sent then, never a part.
        """
        ...

    def available_rao(self) -> int:
        """Return what the hot wallet can send now."""
        ...

    def sent_since(self, since: datetime) -> list[Broadcast]:
        """List what was sent since an instant, for comparing with the books."""
        ...

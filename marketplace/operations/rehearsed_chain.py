"""A chain that writes down what it would send, for tests and the demo: no TAO moves anywhere by it.

It keeps the rules of `marketplace.chain.Chain`: one sending per request, whoever asks how often; nothing in part; final
after its time, or dropped, which a test or an operator's shell says by hand. What it was asked is kept in a table, so
that a worker which was killed finds it again.
"""

import hashlib
import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Sum

from marketplace.chain import Broadcast, Fate
from marketplace.errors import RailShort
from marketplace.models import RehearsedBroadcast

logger = logging.getLogger(__name__)

# GRANDPA needs two or three blocks of 12 s to make one final.
FINAL_AFTER = timedelta(seconds=36)
FEE_RAO = 125_000  # what a transfer of the balances pallet costs, roughly


class RehearsedChain:
    """The rehearsed chain as it is at an instant."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def find(self, request: UUID) -> Broadcast | None:
        """Return what was sent for a request."""
        row = RehearsedBroadcast.objects.filter(request=request).first()
        return self._read(row) if row else None

    def send(self, request: UUID, *, address: str, amount_rao: int) -> Broadcast:
        """Write down a sending, once per request. Raises: RailShort."""
        earlier = self.find(request)
        if earlier:
            return earlier
        if amount_rao + FEE_RAO > self.available_rao():
            raise RailShort
        words = f"{request} {address} {amount_rao}"
        row, _ = RehearsedBroadcast.objects.get_or_create(
            request=request,
            defaults={
                "extrinsic": f"0x{hashlib.sha256(words.encode()).hexdigest()}",
                "address": address,
                "amount_rao": amount_rao,
                "fee_rao": FEE_RAO,
                "sent_at": self.now,
            },
        )
        logger.warning("chain:rehearsed request=%s extrinsic=%s", request, row.extrinsic)
        return self._read(row)

    def available_rao(self) -> int:
        """Return what is left of CHAIN_HOT_RAO."""
        sent = RehearsedBroadcast.objects.exclude(fate=Fate.DROPPED)
        sums = sent.aggregate(rao=Sum("amount_rao"), fees_rao=Sum("fee_rao"))
        gone_rao = (sums["rao"] or 0) + (sums["fees_rao"] or 0)
        return int(settings.CHAIN_HOT_RAO) - int(gone_rao)

    def sent_since(self, since: datetime) -> list[Broadcast]:
        """List what was sent since an instant."""
        return [self._read(row) for row in RehearsedBroadcast.objects.filter(sent_at__gte=since)]

    def drop(self, request: UUID) -> None:
        """Let the era of a pending sending pass without a block that has it."""
        RehearsedBroadcast.objects.filter(request=request, fate=Fate.PENDING).update(
            fate=Fate.DROPPED
        )

    def _read(self, row: RehearsedBroadcast) -> Broadcast:
        fate = Fate(row.fate)
        if fate is Fate.PENDING and self.now - row.sent_at >= FINAL_AFTER:
            fate = Fate.FINAL
        return Broadcast(
            request=row.request,
            extrinsic=row.extrinsic,
            address=row.address,
            amount_rao=row.amount_rao,
            fee_rao=row.fee_rao,
            fate=fate,
            sent_at=row.sent_at,
        )

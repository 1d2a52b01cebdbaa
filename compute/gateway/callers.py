"""Who calls: an API key is looked up in the database once, and remembered for seconds.

A key that is revoked works on for as long as it is remembered (docs/gateway.md). A wrong key is looked up as
well, so an address that sends many is refused before that.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from asgiref.sync import sync_to_async

from compute.errors import KeyBusy, TooManyWrongKeys
from compute.reservations import Payer
from ledger.errors import DomainError

REMEMBERED_S = 10.0
REMEMBERED_MAX = 10_000  # keys; the one not used for longest is forgotten first
WRONG_PER_MINUTE_MAX = 20
ADDRESSES_MAX = 10_000
UNDER_WAY_MAX = 64  # requests of one key at once: one key may not take every miner's places

PayerOf = Callable[[str, str], Payer]
"""Token and address to who pays. Raises a DomainError where the key does not work."""


@dataclass(slots=True)
class _Known:
    payer: Payer
    until_s: float


class Callers:
    """The callers of one process."""

    def __init__(self, payer_of: PayerOf) -> None:
        self._payer_of = sync_to_async(payer_of, thread_sensitive=False)
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._wrong: OrderedDict[str, tuple[int, int]] = OrderedDict()  # address: (minute, count)
        self._under_way: dict[str, int] = {}
        self._lookups = asyncio.Semaphore(8)

    async def identify(self, authorization: str, *, address: str) -> Payer:
        """Return who pays for a request. Raises: TooManyWrongKeys, and what the look-up refuses."""
        token = authorization.removeprefix("Bearer ").removeprefix("bearer ").strip()
        name = hashlib.sha256(f"{address}\n{token}".encode(errors="replace")).digest()
        now_s = time.monotonic()
        known = self._known.get(name)
        if known is not None and known.until_s > now_s:
            return known.payer
        minute = int(now_s // 60)
        when, wrong = self._wrong.get(address, (minute, 0))
        if when == minute and wrong >= WRONG_PER_MINUTE_MAX:
            raise TooManyWrongKeys(retry_after_s=60 - int(now_s % 60))
        try:
            async with self._lookups:
                payer = await self._payer_of(token, address)
        except DomainError:
            self._known.pop(name, None)
            _put(self._wrong, address, (minute, wrong + 1 if when == minute else 1), ADDRESSES_MAX)
            raise
        _put(self._known, name, _Known(payer, now_s + REMEMBERED_S), REMEMBERED_MAX)
        return payer

    def enter(self, payer: Payer) -> None:
        """Count a request of a key as under way. Raises: KeyBusy."""
        count = self._under_way.get(payer.key_id, 0)
        if count >= UNDER_WAY_MAX:
            raise KeyBusy(limit=UNDER_WAY_MAX, retry_after_s=1)
        self._under_way[payer.key_id] = count + 1

    def leave(self, payer: Payer) -> None:
        """Count a request of a key as over."""
        left = self._under_way[payer.key_id] - 1
        if left:
            self._under_way[payer.key_id] = left
        else:
            del self._under_way[payer.key_id]


def _put(kept: OrderedDict, key: object, value: object, limit: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > limit:
        kept.popitem(last=False)

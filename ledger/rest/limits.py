"""How often one caller may ask, and the headers that say so (draft-ietf-httpapi-ratelimit-headers-10).

A throttle counts in a bucket: so many requests in a window that begins with the first of them. Counting is one
script in Redis, so requests that arrive together are counted one by one; DRF's own throttles read and write the
history in two steps and let a crowd through. While Redis is away nothing is counted and everything passes: money
is guarded by the database, which refuses or queues whatever a limit would have slowed down (docs/decisions).

Operators set a rate by its bucket: RATE_LIMITS="bid=120/60 read=1200/60".
"""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

import redis
from django.conf import settings
from django.http import HttpRequest
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:  # its module asks the settings for the authentication classes, which count here
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

# A limit is a courtesy to the server: it may not cost the request more than this.
TIMEOUT_S = 1
PERIODS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
# Addresses with wrong keys that a process remembers, about a megabyte.
SUSPECTS_MAX = 10_000
NOTED = "rate_limits"  # on the HttpRequest: what was counted for it, for the answer's headers

# KEYS[1]: the bucket of one caller.  ARGV[1]: by how much it grows.  ARGV[2]: its window in ms.
COUNT = """
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
local left_ms = redis.call('PTTL', KEYS[1])
if left_ms < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    left_ms = tonumber(ARGV[2])
end
return {used, left_ms}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in a window of so many seconds."""

    quota: int
    window_s: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Where one caller stands in a bucket. used: requests of this window, this one included."""

    bucket: str
    rate: Rate
    used: int
    left_ms: int

    @property
    def is_within(self) -> bool:
        """Tell whether the request may pass."""
        return self.used <= self.rate.quota

    @property
    def remaining(self) -> int:
        """Return how many more requests this window takes."""
        return max(0, self.rate.quota - self.used)

    @property
    def reset_s(self) -> int:
        """Return in how many seconds the window ends, at least one."""
        return max(1, -(-self.left_ms // 1_000))


class Throttle(BaseThrottle):
    """A limit with a usual rate, which operators may set differently. One person, one allowance.

    A person's API keys and sessions share it; a hotkey has its own; who is nobody shares their address's.
    """

    bucket: str
    usual_rate: str
    counted: Counted | None = None

    def allow_request(self, request: Request, view: "APIView | None") -> bool:
        """Count a request; say whether it may pass."""
        del view
        self.counted = self.count(self.identity(request))
        if self.counted is None:
            return True
        note(request, self.counted)
        return self.counted.is_within

    def wait(self) -> int | None:
        """Return in how many seconds the window ends, for Retry-After."""
        return None if self.counted is None else self.counted.reset_s

    def wait_s(self, request: HttpRequest) -> int:
        """Count a request of a page; return how many seconds it comes too early, 0 when it may pass."""
        # Of both, a throttle reads the caller alone, who is in either kind of request.
        if self.allow_request(cast(Request, request), None):
            return 0
        return self.counted.reset_s if self.counted else 0

    def identity(self, request: Request) -> str:
        """Name who shares an allowance: the person or hotkey that asks, else the address."""
        caller = getattr(request, "user", None)
        if caller is not None and caller.is_authenticated:
            return str(caller.pk)
        return str(self.get_ident(request))

    def rate(self) -> Rate:
        """Return the operator's rate, or the usual one."""
        return read_rate(settings.RATE_LIMITS.get(self.bucket, self.usual_rate))

    def count(self, identity: str, *, by: int = 1) -> Counted | None:
        """Count `by` requests at once, 0 to look only; None while Redis is away, which lets them pass."""
        rate = self.rate()
        key = f"limit:{self.bucket}:{identity}"
        try:
            client = _redis(settings.REDIS_URL)
            used, left_ms = client.eval(COUNT, 1, key, by, rate.window_s * 1_000)
        except redis.RedisError as fault:
            logger.warning(
                "limit_not_counted bucket=%s cause=%s", self.bucket, type(fault).__name__
            )
            return None
        return Counted(self.bucket, rate, int(used), int(left_ms))


class AddressThrottle(Throttle):
    """A limit on an address, whoever asks from it."""

    def identity(self, request: Request) -> str:
        """Name the address; NUM_PROXIES says which of a proxy's words are believed."""
        return str(self.get_ident(request))


class ReadThrottle(Throttle):
    """Reads: a page that polls asks once a second, a bot a few times."""

    bucket = "read"
    usual_rate = "600/60"


class PublicThrottle(AddressThrottle):
    """One address's reads of what is public of the network and its subnets, whoever asks.

    A neuron asks four times a minute and many share an address: it is room for seven hundred of them.
    """

    bucket = "public"
    usual_rate = "3000/60"


class AuthThrottle(AddressThrottle):
    """One address's wrong API keys: a typing error or two, no search.

    Every request with a key asks whether its address sent too many wrong ones, and next to none did. So Redis is asked
    about addresses whose wrong keys came to this process; what the others counted is heard with the first of them.
    """

    bucket = "auth"
    usual_rate = "20/60"

    def count(self, identity: str, *, by: int = 1) -> Counted | None:
        """Count as every throttle does; None as well for a look at an address that is not known for wrong keys."""
        if by == 0 and not _suspects.has(identity):
            return None
        counted = super().count(identity, by=by)
        if counted is not None and counted.used:
            _suspects.add(identity, for_ms=counted.left_ms)
        return counted


class _Suspects:
    """Addresses whose wrong keys this process counted, until their window ends. Once it is full, everybody is one."""

    def __init__(self) -> None:
        self._until_ms: dict[str, int] = {}

    def has(self, address: str) -> bool:
        is_full = len(self._until_ms) >= SUSPECTS_MAX
        return is_full or _clock_ms() < self._until_ms.get(address, 0)

    def add(self, address: str, *, for_ms: int) -> None:
        now_ms = _clock_ms()
        if len(self._until_ms) >= SUSPECTS_MAX:
            known = list(self._until_ms.items())
            self._until_ms = {one: until_ms for one, until_ms in known if now_ms < until_ms}
        if len(self._until_ms) < SUSPECTS_MAX:
            self._until_ms[address] = now_ms + for_ms


def _clock_ms() -> int:
    return time.monotonic_ns() // 1_000_000


_suspects = _Suspects()


def read_rate(text: str) -> Rate:
    """Read "60/min" or "60/60", requests and window.

    Example:
        >>> read_rate("60/min") == read_rate("60/60") == Rate(quota=60, window_s=60)
        True
    """
    quota, window = text.split("/")
    return Rate(int(quota), int(window) if window.isdecimal() else PERIODS_S[window[0]])


def note(request: Request | HttpRequest, counted: Counted) -> None:
    """Keep what was counted, for the headers of the answer."""
    plain = getattr(request, "_request", request)
    noted: dict[str, Counted] = plain.__dict__.setdefault(NOTED, {})
    noted[counted.bucket] = counted


def headers_of(request: HttpRequest) -> Mapping[str, str]:
    """Return the RateLimit headers of an answer; none when nothing was counted for it."""
    noted: Mapping[str, Counted] = getattr(request, NOTED, {})
    return headers(noted.values()) if noted else {}


def headers(counted: Iterable[Counted]) -> dict[str, str]:
    """Write what was counted as structured fields.

    Example:
        >>> headers([Counted("bid", Rate(quota=10, window_s=60), used=7, left_ms=19_500)])
        {'RateLimit-Policy': '"bid";q=10;w=60', 'RateLimit': '"bid";r=3;t=20'}
    """
    all_counted = list(counted)
    policies = (f'"{one.bucket}";q={one.rate.quota};w={one.rate.window_s}' for one in all_counted)
    standings = (f'"{one.bucket}";r={one.remaining};t={one.reset_s}' for one in all_counted)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(standings)}


@cache
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )

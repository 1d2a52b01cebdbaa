"""The bytes both sides sign: request headers (btauth/1), results, scores. Pure.

btauth/1 is the official request signing of the Bittensor SDK from version 11 on (`bittensor.http_auth`);
headers made here verify there and the other way round. The store that refuses a nonce seen before belongs
to the server: it must remember (hotkey, nonce) for at least MAX_AGE_NS + MAX_AHEAD_NS after `check_auth`.
"""

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Self

import orjson

from neurons import keys

PROTOCOL = "btauth/1"
VERSION = "1"
SCHEME = "sr25519"
MAX_AGE_NS = 10 * 10**9  # bittensor 11.3 http_auth.DEFAULT_MAX_AGE
MAX_AHEAD_NS = 2 * 10**9  # bittensor 11.3 http_auth.DEFAULT_ALLOWED_SKEW
NONCE_DIGITS_MAX = 20  # 2**64 nanoseconds: the year 2554
JSON_DEPTH_MAX = 32  # Outputs are nested three deep; a stranger's may not exhaust the stack.

HEADER_VERSION = "X-Bittensor-Version"
HEADER_HOTKEY = "X-Bittensor-Hotkey"
HEADER_RECEIVER = "X-Bittensor-Receiver"
HEADER_NONCE = "X-Bittensor-Nonce"
HEADER_SIGNATURE = "X-Bittensor-Signature"
HEADER_CRYPTO = "X-Bittensor-Crypto"


class AuthRefused(Exception):
    """A request's signature was not accepted. `code` is stable; the message says what to do."""

    code: ClassVar[str] = "signature_refused"


class MalformedAuth(AuthRefused):
    """A signature header cannot be read."""

    code = "signature_malformed"


class MissingAuth(MalformedAuth):
    """A signature header is missing."""

    code = "signature_missing"


class WrongReceiver(AuthRefused):
    """The request was signed for another receiver, or for none."""

    code = "wrong_receiver"


class StaleRequest(AuthRefused):
    """The nonce lies outside the window of freshness."""

    code = "stale_request"


class BadSignature(AuthRefused):
    """The signature is not the claimed hotkey's over this request."""

    code = "bad_signature"


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a request, and the nonce that must not be accepted twice."""

    hotkey: str
    nonce_ns: int


@dataclass(frozen=True, slots=True)
class AuthHeaders:
    """The six headers of btauth/1, read and checked for shape."""

    hotkey: str
    receiver: str | None
    nonce_ns: int
    signature: str

    @classmethod
    def parsed(cls, headers: Mapping[str, str]) -> Self:
        """Read the headers once, names in any case. Raises: MissingAuth, MalformedAuth."""
        found = {name.lower(): value for name, value in headers.items()}
        if _required(found, HEADER_VERSION) != VERSION:
            raise MalformedAuth(f"{HEADER_VERSION} must be {VERSION}.")
        if found.get(HEADER_CRYPTO.lower(), SCHEME) != SCHEME:
            raise MalformedAuth(f"Only {SCHEME} hotkeys are accepted; leave {HEADER_CRYPTO} out.")
        hotkey = _required(found, HEADER_HOTKEY)
        nonce = _required(found, HEADER_NONCE)
        signature = _required(found, HEADER_SIGNATURE)
        try:
            keys.checked_address(hotkey)
        except keys.NotAnAddress as error:
            raise MalformedAuth(f"{HEADER_HOTKEY}: {error}") from None
        # int() alone would take signs, spaces, underscores and the digits of other scripts.
        if not (nonce.isascii() and nonce.isdigit() and len(nonce) <= NONCE_DIGITS_MAX):
            raise MalformedAuth(f"{HEADER_NONCE} must be a time in nanoseconds, digits only.")
        if len(signature) != 2 + 2 * keys.SIGNATURE_BYTES or not signature.startswith("0x"):
            raise MalformedAuth(f"{HEADER_SIGNATURE} must be 0x and 128 hex digits.")
        return cls(
            hotkey=hotkey,
            receiver=found.get(HEADER_RECEIVER.lower()),
            nonce_ns=int(nonce),
            signature=signature,
        )


def _required(found: Mapping[str, str], header: str) -> str:
    value = found.get(header.lower())
    if not value:
        raise MissingAuth(f"The header {header} is missing; sign the request with your hotkey.")
    return value


def auth_message(
    *, method: str, path: str, body: bytes, nonce_ns: int, sender: str, receiver: str
) -> bytes:
    """Build the eight lines that btauth/1 signs.

    path: the request target as sent, with its query.  Source: bittensor 11.3 http_auth.build_payload.
    """
    lines = (
        PROTOCOL,
        SCHEME,
        method.upper(),
        path,
        hashlib.sha256(body).hexdigest(),
        str(nonce_ns),
        sender,
        receiver,
    )
    return "\n".join(lines).encode()


def auth_headers(
    *, keypair: keys.Keypair, method: str, path: str, body: bytes, receiver: str, nonce_ns: int
) -> dict[str, str]:
    """Sign a request for `receiver`. Every attempt needs a nonce of its own (`time.time_ns()`)."""
    message = auth_message(
        method=method,
        path=path,
        body=body,
        nonce_ns=nonce_ns,
        sender=keypair.ss58_address,
        receiver=receiver,
    )
    return {
        HEADER_VERSION: VERSION,
        HEADER_HOTKEY: keypair.ss58_address,
        HEADER_RECEIVER: receiver,
        HEADER_NONCE: str(nonce_ns),
        HEADER_SIGNATURE: keypair.sign(message),
    }


def check_auth(
    *,
    headers: Mapping[str, str],
    method: str,
    path: str,
    body: bytes,
    receiver: str,
    now_ns: int,
) -> Signed:
    """Tell who signed this request for `receiver`, or refuse it.

    body: the raw bytes as received.  path: the request target as received, with its query.
    Order of checks: shape, receiver, freshness, signature; the cheap ones come first.
    Raises: MissingAuth, MalformedAuth, WrongReceiver, StaleRequest, BadSignature.
    """
    sent = AuthHeaders.parsed(headers)
    if sent.receiver != receiver:
        raise WrongReceiver(f"Sign the request for the receiver {receiver}.")
    if now_ns - sent.nonce_ns > MAX_AGE_NS:
        raise StaleRequest("The nonce is more than 10 s old; check the clock and sign again.")
    if sent.nonce_ns - now_ns > MAX_AHEAD_NS:
        raise StaleRequest("The nonce is more than 2 s in the future; check the clock.")
    message = auth_message(
        method=method,
        path=path,
        body=body,
        nonce_ns=sent.nonce_ns,
        sender=sent.hotkey,
        receiver=receiver,
    )
    if not keys.verify(sent.hotkey, message, sent.signature):
        raise BadSignature("The signature is not the hotkey's over this method, path and body.")
    return Signed(hotkey=sent.hotkey, nonce_ns=sent.nonce_ns)


def canonical_json(value: object) -> bytes:
    """Write JSON in its one canonical spelling: sorted keys, no spaces, UTF-8.

    A float without a fraction is written as the integer it equals (1.0 and -0.0 become 1 and 0), as
    RFC 8785 does: a database that stores numbers as decimals loses exactly that difference, and a
    digest must survive being stored.
    Raises: ValueError for NaN, infinities, lone surrogates, keys that are no text, other types and
    values nested deeper than JSON_DEPTH_MAX.
    """
    fractions: list[float] = []
    plain = _plain(value, depth=0, fractions=fractions)
    if not fractions:
        # Refused are whole numbers past 64 bits, subclasses and lone surrogates; fractions it spells its own way.
        with suppress(orjson.JSONEncodeError):
            return orjson.dumps(plain, option=_SORTED)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS
# What stands for itself in JSON; told by its type, as a bundle has a quarter of a million values.
_SCALARS = frozenset({type(None), bool, int, str})


def _plain(value: object, *, depth: int, fractions: list[float]) -> object:
    """Return a JSON value with its floats normalised; those with a fraction are added to `fractions`."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError("JSON has no NaN and no infinity")
            if value.is_integer():
                return int(value)
            fractions.append(value)
            return value
        case list() | tuple() | dict():
            return _plain_items(value, depth=depth + 1, fractions=fractions)
    raise ValueError(f"{type(value).__name__} is no JSON value")


def _plain_items(
    value: list[object] | tuple[object, ...] | dict[object, object],
    *,
    depth: int,
    fractions: list[float],
) -> Collection[object]:
    """Return an array or an object whose members stand so deep; itself where nothing has to be normalised."""
    if value and depth > JSON_DEPTH_MAX:
        raise ValueError(f"JSON nested deeper than {JSON_DEPTH_MAX} is not accepted")
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict):
        _refuse_other_keys(value)
    types = {*map(type, items)}
    if types <= _SCALARS or (types == {dict} and depth < JSON_DEPTH_MAX and _are_flat(items)):
        return value
    plain = [
        item if type(item) in _SCALARS else _plain(item, depth=depth, fractions=fractions)
        for item in items
    ]
    return dict(zip(value, plain, strict=True)) if isinstance(value, dict) else plain


def _are_flat(objects: Iterable[Any]) -> bool:
    """Say whether objects have text for keys and scalars for values: so do the rows of a bundle."""
    rows: list[dict[object, object]] = list(objects)
    return {*map(type, chain.from_iterable(rows))} <= {str} and (
        {*map(type, chain.from_iterable(map(dict.values, rows)))} <= _SCALARS
    )


def _refuse_other_keys(value: dict[object, object]) -> None:
    if {*map(type, value)} - {str} and not all(isinstance(key, str) for key in value):
        raise ValueError("JSON keys are text")


def output_digest(output: object) -> str:
    """Hash an output: 64 hex digits of SHA-256 over its canonical JSON. Raises: ValueError."""
    return hashlib.sha256(canonical_json(output)).hexdigest()


def result_message(*, lease_id: str, job_id: str, digest: str) -> bytes:
    """Build what a miner signs to stand for a result; ids as lower-case UUID text."""
    return f"btresult/1\n{lease_id}\n{job_id}\n{digest}".encode()


def score_message(*, result_id: str, digest: str, score_ppm: int, reason: str) -> bytes:
    """Build what a validator signs to stand for a score.

    The reason is hashed, so that a line break in it cannot pass for another field.
    """
    reason_hash = hashlib.sha256(reason.encode()).hexdigest()
    return f"btscore/1\n{result_id}\n{digest}\n{score_ppm}\n{reason_hash}".encode()


class AnswerHash:
    """The digest of an answer while its texts pass by: each text and a line feed behind it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, data: str) -> None:
        """Take the next text of the answer. Raises: UnicodeEncodeError for half a surrogate pair."""
        self._hash.update(data.encode() + b"\n")

    def hexdigest(self) -> str:
        """Tell the digest of what was added so far: 64 hex digits."""
        return self._hash.hexdigest()


def answer_digest(datas: Iterable[str]) -> str:
    """Hash an answer of the gateway, given as the texts of its chunks in order."""
    answer = AnswerHash()
    for data in datas:
        answer.add(data)
    return answer.hexdigest()


def answer_message(request_id: str, digest: str) -> bytes:
    """Build what a miner signs to stand for an answer of the gateway (docs/gateway.md).

    It is a result's message with the request in place of lease and job, so that a bundle proves both alike. No lease
    has its job's id: the one can never be taken for the other.
    """
    return result_message(lease_id=request_id, job_id=request_id, digest=digest)


def score_chain_start(*, netuid: int, validator: str) -> str:
    """Name the beginning of a validator's chain of scores on a subnet: 64 hex digits."""
    return hashlib.sha256(f"btscores/1\n{netuid}\n{validator}".encode()).hexdigest()


def score_chain_next(previous: str, *, message: bytes, signature: str) -> str:
    """Bind one more signed score to the chain: whoever knows its head knows that nothing before it changed.

    sr25519 signatures are random, so a head cannot be turned back into the score by trying all of them.
    """
    return hashlib.sha256(b"\n".join((previous.encode(), message, signature.encode()))).hexdigest()

"""A miner's way in: the signature, the machine, the models its hotkey may serve; and the way out."""

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from compute import queries
from compute.gateway.catalogue import Catalogue
from compute.gateway.tunnels import (
    TUNNELS_MAX,
    FrameInvalid,
    Hub,
    Tunnel,
    close,
    hello,
)
from compute.gateway.wire import Message, Receive, Send
from ledger.errors import DomainError
from neurons import protocol
from subnets import queries as subnets
from subnets.api.authentication import RequestNotAuthentic, receiver, remember_nonce

logger = logging.getLogger(__name__)

HELLO_S = 10.0
CLOSE_MALFORMED, CLOSE_UNSIGNED, CLOSE_FORBIDDEN, CLOSE_REPLACED, CLOSE_FULL = (
    4400,
    4401,
    4403,
    4409,
    4429,
)
CLOSE_RESTART = 1001


@dataclass(frozen=True, slots=True)
class Entrant:
    """Who opens a tunnel. netuids: where its hotkey is registered."""

    hotkey: str
    owner: UUID
    machine_id: UUID
    netuids: frozenset[int]


class NotAdmitted(Exception):
    """The tunnel is closed before it begins."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(reason)


async def serve_tunnel(
    hub: Hub, catalogue: Catalogue, *, scope: Message, receive: Receive, send: Send
) -> None:
    """Serve one miner's connection from its first byte to its last."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    try:
        entrant = await _admitted(hub, scope)
        tunnel = await _introduced(entrant, catalogue, receive, send)
    except NotAdmitted as refusal:
        await close(send, refusal.code, str(refusal))
        return
    before = hub.tunnels.get(tunnel.machine_id)
    if before is not None:
        hub.leave(before)
        await close(before.send, CLOSE_REPLACED, "the machine opened another tunnel")
    hub.enter(tunnel)
    logger.info("tunnel:open hotkey=%s machine=%s", tunnel.hotkey, tunnel.machine_id)
    try:
        await _listen(tunnel, receive)
    except FrameInvalid as fault:
        await close(send, CLOSE_MALFORMED, str(fault))
    finally:
        hub.leave(tunnel)
        logger.info("tunnel:closed hotkey=%s machine=%s", tunnel.hotkey, tunnel.machine_id)


async def _admitted(hub: Hub, scope: Message) -> Entrant:
    """Check the signature and look the machine up. Raises: NotAdmitted."""
    if len(hub.tunnels) >= TUNNELS_MAX:
        raise NotAdmitted(CLOSE_FULL, "this gateway has as many tunnels as it serves")
    target = scope["path"]
    query = scope.get("query_string", b"").decode("latin-1")
    if query:
        target += "?" + query
    headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
    machine = dict(part.partition("=")[::2] for part in query.split("&")).get("machine", "")
    try:
        return await sync_to_async(_entrant, thread_sensitive=False)(headers, target, machine)
    except protocol.AuthRefused as refusal:
        raise NotAdmitted(CLOSE_UNSIGNED, f"{refusal.code}: {refusal}") from None
    except DomainError as refusal:
        unsigned = isinstance(refusal, RequestNotAuthentic)
        code = CLOSE_UNSIGNED if unsigned else CLOSE_FORBIDDEN
        raise NotAdmitted(code, f"{refusal.code}: {refusal}") from None


def _entrant(headers: dict[str, str], target: str, machine: str) -> Entrant:
    """Find out who signed. Raises: AuthRefused, DomainError."""
    close_old_connections()
    signed = protocol.check_auth(
        headers=headers,
        method="GET",
        path=target,
        body=b"",
        receiver=receiver(),
        now_ns=time.time_ns(),
    )
    remember_nonce(signed)
    found = queries.machine_of(machine, hotkey=signed.hotkey)
    netuids = subnets.netuids_of([signed.hotkey])[signed.hotkey]
    return Entrant(signed.hotkey, found.owner, found.pk, netuids)


async def _introduced(
    entrant: Entrant, catalogue: Catalogue, receive: Receive, send: Send
) -> Tunnel:
    """Hear the miner's hello and welcome it. Raises: NotAdmitted."""
    tunnel = Tunnel(entrant.hotkey, entrant.owner, entrant.machine_id, send)
    try:
        async with asyncio.timeout(HELLO_S):
            message = await receive()
        names, tunnel.slots = hello(message.get("text") or "")
    except TimeoutError:
        raise NotAdmitted(CLOSE_MALFORMED, "no hello came") from None
    except FrameInvalid as fault:
        raise NotAdmitted(CLOSE_MALFORMED, str(fault)) from None
    refused = refusals(names, entrant.netuids, catalogue)
    tunnel.models = frozenset(names) - refused.keys()
    if not tunnel.models:
        told = ", ".join(f"{name}: {why}" for name, why in list(refused.items())[:2])
        raise NotAdmitted(CLOSE_FORBIDDEN, f"none of the models can be served ({told})"[:120])
    await tunnel.frame(type="welcome", models=sorted(tunnel.models), refused=refused)
    return tunnel


def refusals(names: Iterable[str], netuids: frozenset[int], catalogue: Catalogue) -> dict[str, str]:
    """Say which models a hotkey cannot serve, and why, in stable words."""
    refused = {}
    for name in names:
        terms = catalogue.terms(name)
        if terms is None:
            refused[name] = "model_unknown"
        elif terms.netuid not in netuids:
            refused[name] = "not_registered"
    return refused


async def _listen(tunnel: Tunnel, receive: Receive) -> None:
    """Take frames until the connection ends. Raises: FrameInvalid."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text is None:
            raise FrameInvalid("frames are text")
        tunnel.take(text)


async def review(hub: Hub, catalogue: Catalogue) -> None:
    """Let go of tunnels whose hotkey lost its place, and of models that are no longer on offer."""
    tunnels = list(hub.tunnels.values())
    hotkeys = [tunnel.hotkey for tunnel in tunnels]
    netuids = await sync_to_async(_netuids_of, thread_sensitive=False)(hotkeys)
    for tunnel in tunnels:
        kept = tunnel.models - refusals(tunnel.models, netuids[tunnel.hotkey], catalogue).keys()
        if kept == tunnel.models:
            continue
        tunnel.models = kept
        if kept:
            hub.enter(tunnel)
        else:
            hub.leave(tunnel)
            await close(tunnel.send, CLOSE_FORBIDDEN, "no model of yours can be served any more")


def _netuids_of(hotkeys: list[str]) -> dict[str, frozenset[int]]:
    close_old_connections()
    return subnets.netuids_of(hotkeys)


async def close_all(hub: Hub) -> None:
    """Send every miner away; they come back at once, to the process that follows."""
    for tunnel in list(hub.tunnels.values()):
        hub.leave(tunnel)
        await close(tunnel.send, CLOSE_RESTART, "the gateway restarts")

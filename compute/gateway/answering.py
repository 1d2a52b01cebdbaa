"""One request, from the moment it is understood to its last byte: money aside, an answer, the account of it.

Before the first piece a request may move to another miner. After it, never: what was sent cannot be taken back,
and a second miner's words would be spliced onto the first one's.
"""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import UUID

import orjson

from compute import openai
from compute.errors import AnswerBrokeOff, MinersFailed
from compute.gateway import wire
from compute.gateway.attempts import NEXT_PIECE_S, Answer, Attempts, Request, blame
from compute.gateway.kept import KeptChats
from compute.gateway.repeats import Repeats
from compute.gateway.replays import Replay
from compute.gateway.tunnels import Done, Gone, Hub
from compute.gateway.wire import Headers, Send
from compute.reservations import Reservation
from compute.serving import Outcome, UsageRecord
from compute.till import Till

BYTES_PER_TOKEN = 4  # of English text, where nobody counted


class Answering:
    """Serves the requests of one process."""

    def __init__(self, *, hub: Hub, till: Till, repeats: Repeats, kept: KeptChats) -> None:
        self._attempts = Attempts(hub)
        self._till = till
        self._repeats = repeats
        self._kept = kept

    async def serve(self, request: Request, send: Send, *, replay: Replay | None) -> None:
        """Answer one request. Raises: a DomainError or ConsumerGone while nothing of the answer was sent."""
        ask = request.ask
        reservation = await self._till.reserve(
            request.payer,
            ask.terms,
            prompt_bytes=ask.prompt_bytes,
            output_tokens=ask.output_tokens,
            request_id=UUID(request.id),
            now=request.began_at,
        )
        delivery = _Delivery(request, reservation, self._till, send, replay)
        try:
            answer = await self._attempts.first(request)
            try:
                await (delivery.stream(answer) if ask.is_streamed else delivery.whole(answer))
            finally:
                await self._attempts.release(answer.tunnel, answer.call, model=ask.terms.name)
            if answer.is_vouched_for:
                self._kept.keep(request, answer)
                self._repeats.consider(request, answer, answer.pieces)
        finally:
            if not delivery.is_counted:
                self._till.cancel(reservation)


@dataclass(slots=True)
class _Delivery:
    """Sends one answer and writes down what it costs, before its last bytes leave."""

    request: Request
    reservation: Reservation
    till: Till
    send: Send
    replay: Replay | None
    is_counted: bool = False

    async def whole(self, answer: Answer) -> None:
        """Send an answer that comes in one piece. Raises: MinersFailed, ConsumerGone."""
        answer.end = await _end_of_whole(answer)
        if not (answer.is_vouched_for and is_json_object(answer.first)):
            blame(self.request, answer.tunnel, "an answer its signature does not cover")
            raise MinersFailed(attempts=len(self.request.tried))
        answer.pieces = [answer.first]
        record = self._count(answer, Outcome.DONE)
        headers = [*trace(self.request), (b"x-price-rao", b"%d" % record.price_rao)]
        body = answer.first.encode()
        self._keep(body, headers=headers, is_complete=True)
        await wire.answer(self.send, body, headers=headers)

    async def stream(self, answer: Answer) -> None:
        """Send an answer as it comes, and how it ended."""
        headers = [wire.EVENT_STREAM, *wire.UNCACHED, *trace(self.request)]
        await wire.start(self.send, status=200, headers=headers)
        async for body in _events(answer):
            self._keep(body)
            await wire.piece(self.send, body)
        if answer.is_vouched_for:
            last = _told(self._count(answer, Outcome.DONE))
            self._keep(last, headers=headers, is_complete=True)
            await wire.piece(self.send, last, is_last=True)
        elif answer.call.gone:
            self._count(answer, Outcome.CUT)
        else:
            self._count(answer, Outcome.FAILED)
            blame(self.request, answer.tunnel, "an answer that broke off")
            last = b"data: " + openai.problem(AnswerBrokeOff()) + b"\n\n"
            await wire.piece(self.send, last, is_last=True)

    def _count(self, answer: Answer, outcome: Outcome) -> UsageRecord:
        record = usage(self.request, answer, self.reservation, outcome=outcome)
        self.till.finish(self.reservation, record)
        self.is_counted = True
        return record

    def _keep(self, body: bytes, *, headers: Headers = (), is_complete: bool = False) -> None:
        """Keep a part of the answer for who asks again under the same key."""
        if self.replay is not None:
            self.replay.add(body)
            if is_complete:
                self.replay.headers, self.replay.is_complete = headers, True


async def _end_of_whole(answer: Answer) -> Done | None:
    """Wait for the end of an answer. Raises: ConsumerGone."""
    try:
        end = await answer.call.next(within_s=NEXT_PIECE_S)
    except TimeoutError:
        return None
    if isinstance(end, Gone):
        raise wire.ConsumerGone
    return end if isinstance(end, Done) else None


async def _events(answer: Answer) -> AsyncGenerator[bytes, None]:
    """Yield the answer as server-sent events, what came together in one piece, until it ends in any way."""
    texts = [answer.first]
    while True:
        texts += answer.call.waiting()
        answer.pieces += texts
        yield b"".join(b"data: " + text.encode() + b"\n\n" for text in texts)
        try:
            event = await answer.call.next(within_s=NEXT_PIECE_S)
        except TimeoutError:
            return
        if not isinstance(event, str):
            answer.end = event if isinstance(event, Done) else None
            return
        texts = [event]


def _told(record: UsageRecord) -> bytes:
    """Write the end of a stream: what it cost as a comment, which clients skip, then OpenAI's last event."""
    told = {"price_rao": str(record.price_rao), "attempts": record.attempts_count}
    return b": trace " + orjson.dumps(told) + b"\n\ndata: [DONE]\n\n"


def usage(
    request: Request, answer: Answer, reservation: Reservation, *, outcome: Outcome
) -> UsageRecord:
    """Write down what a request was and what it costs."""
    prompt_tokens, completion_tokens = tokens(request.ask, answer, outcome=outcome)
    signed = answer.end if outcome is Outcome.DONE else None
    return reservation.record(
        outcome=outcome,
        hotkey=answer.tunnel.hotkey,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        attempts_count=len(request.tried),
        first_token_ms=answer.first_token_ms,
        duration_ms=round((time.monotonic() - request.began_s) * 1000),
        answer_digest=signed.digest if signed else "",
        signature=signed.signature if signed else "",
    )


def tokens(ask: openai.Ask, answer: Answer, *, outcome: Outcome) -> tuple[int, int]:
    """Count the tokens of prompt and answer that are charged.

    What the miner counts is bounded by what can be seen: no token is shorter than a character, and none beyond
    those that were reserved. An answer that broke off by the miner's fault costs nothing. One that its reader
    left has no count by the miner: a piece is taken for a token, and four bytes of the prompt.
    """
    call = answer.call
    if outcome is Outcome.DONE and answer.end is not None:
        return answer.end.prompt_tokens, min(answer.end.completion_tokens, call.characters)
    if outcome is Outcome.CUT:
        return ask.prompt_bytes // BYTES_PER_TOKEN, call.piece_count
    return 0, 0


def trace(request: Request) -> Headers:
    """Tell the route: subnet, miner, attempts."""
    return [
        (b"x-request-id", request.id.encode()),
        (b"x-subnet", b"%d" % request.ask.terms.netuid),
        (b"x-miner", request.tried[-1].encode()),
        (b"x-attempts", b"%d" % len(request.tried)),
    ]


def is_json_object(text: str) -> bool:
    """Say whether an answer is what a client will try to read."""
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False

"""Language jobs, asked of miners as chats: what comes through a tunnel for a job is what comes for a consumer.

Canaries, replicas and ordered jobs are leases in the database, as of any blueprint. Those of machines whose tunnel
this process holds are taken here and asked in the spelling, the options and the manner of the chats that consumers
send (compute.manners), at a moment of no meaning. A miner gets language work no other way, so that it cannot
do the one well and the other badly (decision 0039).

What a killed gateway had taken ends with the lease's deadline and goes to another machine.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from django.utils import timezone

from compute import manners, openai, operations
from compute.gateway.attempts import ANSWER_MAX_CHARACTERS, Attempts
from compute.gateway.catalogue import Catalogue
from compute.gateway.threads import in_thread
from compute.gateway.tunnels import Call, Done, Hub, Tunnel
from compute.models import Job
from compute.operations import Answered
from compute.reliability import Fault
from compute.serving import ModelTerms, Served, measured_models
from neurons.workloads import language, texts

logger = logging.getLogger(__name__)

POLL_S = 0.5
NOTE_S = 10.0  # dispatch believes in a tunnel for three times as long
PAUSE_MAX_S = (
    3.0  # between a lease and its chat, so that no figure of the network tells which chat it is
)
ASKED_MAX = 256  # leases under way in one process
MARGIN_S = 2.0  # before the deadline, for writing the result
PLACE_S = 0.05


@dataclass(frozen=True, slots=True)
class Asked:
    """A lease to be asked through a tunnel."""

    lease_id: UUID
    job_id: UUID
    machine_id: UUID
    netuid: int
    payload: dict[str, Any]
    deadline_at: datetime
    is_planted: bool


class Desk(Protocol):
    """Where leases come from and results go."""

    async def note(self, tunnels: Mapping[UUID, Served]) -> None:
        """Note which machines hold a tunnel, and the subnets whose chats each answers."""

    async def take(self, machine_ids: list[UUID], *, limit: int) -> list[Asked]:
        """Take leases of these machines."""

    async def returned(self, lease_id: UUID, answer: Answered) -> None:
        """Hand in what was answered."""

    async def ended(self, lease_id: UUID, fault: Fault) -> None:
        """Say that no answer will come."""


class DatabaseDesk:
    """The desk over this project's database, from threads: an event loop cannot wait for it."""

    async def note(self, tunnels: Mapping[UUID, Served]) -> None:
        await in_thread(lambda: operations.note_tunnels(tunnels=tunnels, now=timezone.now()))

    async def take(self, machine_ids: list[UUID], *, limit: int) -> list[Asked]:
        def taken() -> list[Asked]:
            leases = operations.take_asked_leases(
                machine_ids=machine_ids, limit=limit, now=timezone.now()
            )
            return [
                Asked(
                    row.pk,
                    row.job_id,
                    row.machine_id,
                    row.job.netuid,
                    row.job.payload,
                    row.deadline_at,
                    row.job.origin == Job.Origin.CANARY,
                )
                for row in leases
            ]

        return await in_thread(taken)

    async def returned(self, lease_id: UUID, answer: Answered) -> None:
        await in_thread(
            lambda: operations.return_answer(lease_id=lease_id, answer=answer, now=timezone.now())
        )

    async def ended(self, lease_id: UUID, fault: Fault) -> None:
        await in_thread(
            lambda: operations.end_asked_lease(lease_id=lease_id, fault=fault, now=timezone.now())
        )


class AskedLeases:
    """The leases of one process's tunnels."""

    def __init__(self, hub: Hub, catalogue: Catalogue, desk: Desk) -> None:
        self._hub = hub
        self._catalogue = catalogue
        self._desk = desk
        self._attempts = Attempts(hub)
        self._noted: dict[UUID, Served] = {}
        self._noted_s = float("-inf")
        self.manners = manners.Manners()
        self.under_way: set[asyncio.Task[None]] = set()
        self.is_stopping = False

    async def run(self) -> None:
        """Take leases and ask them, for ever."""
        while True:
            try:
                await self.step()
            except Exception:
                # A database that is away is back at some later round; what was taken expires.
                logger.exception("leases:round_failed")
            await asyncio.sleep(POLL_S)

    async def step(self) -> None:
        """Say which tunnels there are where that is news, and begin to ask what waits for them."""
        tunnels = self.tunnels()
        if tunnels != self._noted or time.monotonic() - self._noted_s > NOTE_S:
            await self._desk.note(tunnels)
            self._noted, self._noted_s = tunnels, time.monotonic()
        room = ASKED_MAX - len(self.under_way)
        if self.is_stopping or not tunnels or room <= 0:
            return
        for lease in await self._desk.take(list(tunnels), limit=room):
            task = asyncio.create_task(self._served(lease))
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)

    def close(self) -> None:
        """Leave what is not done to its deadline."""
        for task in self.under_way:
            task.cancel()

    def tunnels(self) -> dict[UUID, Served]:
        """Return machine → the subnets whose jobs its tunnel can answer."""
        models = measured_models(self._catalogue.models.values())
        return {
            machine_id: Served(
                tuple(sorted(n for n, own in models.items() if own[0].name in tunnel.models)),
                tuple(sorted(n for n, own in models.items() if _served(own, tunnel))),
            )
            for machine_id, tunnel in self._hub.tunnels.items()
        }

    def _model(self, lease: Asked, tunnel: Tunnel) -> ModelTerms | None:
        """Return the model to ask: the subnet's first, or for what is planted any that the tunnel serves."""
        models = measured_models(self._catalogue.models.values()).get(lease.netuid, [])
        wanted = _served(models if lease.is_planted else models[:1], tunnel)
        return secrets.choice(wanted) if wanted else None

    async def _served(self, lease: Asked) -> None:
        """See one lease to its end, whatever comes."""
        try:
            outcome = await self._outcome(lease)
            if isinstance(outcome, Fault):
                await self._desk.ended(lease.lease_id, outcome)
            else:
                await self._desk.returned(lease.lease_id, outcome)
        except Exception:
            logger.exception("leases:failed job=%s lease=%s", lease.job_id, lease.lease_id)

    async def _outcome(self, lease: Asked) -> Answered | Fault:
        """Ask the machine; return its answer, or whose fault it is that there is none."""
        left_s = (lease.deadline_at - timezone.now()).total_seconds() - MARGIN_S
        until_s = time.monotonic() + left_s
        # A coin of its own for each: taken together they must not arrive together.
        await asyncio.sleep(
            min(PAUSE_MAX_S, max(0.0, left_s / 2)) * secrets.randbelow(1_000) / 1_000
        )
        tunnel = await self._place(lease, until_s=until_s)
        terms = None if tunnel is None else self._model(lease, tunnel)
        if tunnel is None or terms is None:
            return Fault.PLATFORM
        body = manners.asked(
            lease.payload,
            model=terms.name,
            manner=self.manners.draw(),
            seed=self.manners.draw_seed(lease.payload["seed"]),
        )
        asked_s = time.monotonic()
        call = Call(str(uuid4()))
        logger.info(
            "leases:asked job=%s lease=%s call=%s hotkey=%s",
            lease.job_id,
            lease.lease_id,
            call.id,
            tunnel.hotkey,
        )
        answered = await self._attempts.whole(
            openai.job_ask(terms, body), tunnel, call, until_s=until_s
        )
        if answered is None:
            tunnel.standing.note_failure(time.monotonic())
            logger.info(
                "leases:no_answer job=%s lease=%s call=%s", lease.job_id, lease.lease_id, call.id
            )
            return Fault.MINER
        pieces, end = answered
        latency_ms = round((time.monotonic() - asked_s) * 1000)
        answer = read_answer(lease, call, pieces, end, model=terms.name, latency_ms=latency_ms)
        return answer or Fault.MINER

    async def _place(self, lease: Asked, *, until_s: float) -> Tunnel | None:
        """Wait for a free place on the machine's tunnel; None where there is none in time, or the tunnel is gone."""
        while time.monotonic() < until_s:
            tunnel = self._hub.tunnels.get(lease.machine_id)
            if tunnel is None or tunnel.busy < tunnel.slots:
                return tunnel
            await asyncio.sleep(PLACE_S)
        return None


def _served(models: list[ModelTerms], tunnel: Tunnel) -> list[ModelTerms]:
    return [terms for terms in models if terms.name in tunnel.models]


def read_answer(
    lease: Asked, call: Call, pieces: list[str], end: Done, *, model: str, latency_ms: int
) -> Answered | None:
    """Read a signed answer as a job's output; None where it has not the form of one."""
    try:
        text, finish_reason = language.spoken(pieces)
    except ValueError:
        return None
    output = {
        "text": text,
        "finish_reason": finish_reason,
        "prompt_tokens": end.prompt_tokens,
        # A server that counts otherwise than it was asked must not cost its miner the job.
        "completion_tokens": min(end.completion_tokens, lease.payload["max_tokens"]),
    }
    is_kept = all(texts.is_storable(piece, length_max=ANSWER_MAX_CHARACTERS) for piece in pieces)
    if not is_kept or language.output_problem(lease.payload, output) is not None:
        return None
    return Answered(UUID(call.id), tuple(pieces), output, end.signature, latency_ms, model)

"""A thousand miners that have nothing to do: their rows, how each waits for work, and what a server pays for them."""

import asyncio
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from bench import _market
from compute.models import Machine, ServedModel
from launch.children import Child
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from neurons import protocol
from neurons.client import pause_s
from neurons.keys import Keypair
from neurons.tunnel import Plan, Tunnel
from neurons.upstream import Upstream
from subnets.models import Hotkey, Neuron

SUBNET_HOLDS = 250  # miners; a subnet has 256 places
MODEL = "bench-{}"
WAIT_S = 20  # neurons/miner.py asks for as long
COME_BACK_S = (
    15  # over which those who were sent away are spread, as waiting.ASK_AGAIN_S spreads them
)
PATIENCE_S = 90
TICKS = os.sysconf("SC_CLK_TCK")
RETRY_AFTER = re.compile(rb"(?im)^retry-after: (\d+)")


@dataclass(frozen=True, slots=True)
class Miner:
    """One machine, and the key that speaks for it. model: what it serves."""

    key: Keypair
    machine_id: UUID
    model: str

    def signed(self, method: str, path: str, receiver: str, body: bytes = b"") -> dict[str, str]:
        """Return the headers of a request."""
        return protocol.auth_headers(
            keypair=self.key,
            method=method,
            path=path,
            body=body,
            receiver=receiver,
            nonce_ns=time.time_ns(),
        )


def idle_miners(count: int) -> list[Miner]:
    """Register miners in as many subnets as hold them. In bulk: the operations would take a minute."""
    owner = _market.people(1, tao=1_000_000)[0].pk
    return [
        miner
        for start in range(0, count, SUBNET_HOLDS)
        for miner in _settled(owner, min(SUBNET_HOLDS, count - start))
    ]


def _settled(owner: UUID, count: int) -> list[Miner]:
    """Open a subnet with a model on offer, and fill it."""
    now = _market.now()
    subnet = operations.buy_slot(
        buyer=owner,
        name=f"Idle {uuid4().hex[:8]}",
        summary="Answers when it is asked.",
        blueprint="matmul",
        max_cost_rao=100_000 * TAO,
        key=uuid4().hex,
        now=now,
    )
    model = ServedModel.objects.create(
        name=MODEL.format(subnet.netuid),
        subnet_id=subnet.netuid,
        kind="chat",
        context_tokens_max=4_096,
        output_tokens_max=64,
        input_rao_per_mtok=1_000_000,
        output_rao_per_mtok=4_000_000,
        created_at=now,
        changed_at=now,
    )
    return _registered(owner, subnet.netuid, model.name, count=count)


def _registered(owner: UUID, netuid: int, model: str, *, count: int) -> list[Miner]:
    """Give a new subnet's places to hotkeys, each with a machine."""
    now = _market.now()
    keys = [Keypair.generated()[0] for _ in range(count)]
    Hotkey.objects.bulk_create(
        Hotkey(ss58=key.ss58_address, owner=owner, name="key", linked_at=now) for key in keys
    )
    Neuron.objects.bulk_create(
        Neuron(
            subnet_id=netuid,
            uid=uid,
            hotkey_id=key.ss58_address,
            registered_at=now,
            registered_block=0,
        )
        for uid, key in enumerate(keys)
    )
    machines = Machine.objects.bulk_create(
        Machine(
            hotkey=key.ss58_address,
            owner=owner,
            name="rig",
            cpu_model="a processor",
            cpu_count=4,
            memory_bytes=2**33,
            blueprints=["matmul"],
            reported_at=now,
            last_seen_at=now,
        )
        for key in keys
    )
    return [Miner(key, machine.pk, model) for key, machine in zip(keys, machines, strict=True)]


@dataclass(slots=True)
class Polls:
    """What the pollers were answered since this was last emptied. late: waited unread until its signature was stale."""

    waited: int = 0
    sent_away: int = 0
    late: int = 0

    def clear(self) -> None:
        """Count anew."""
        self.waited = self.sent_away = self.late = 0

    @property
    def count(self) -> int:
        """Return how many polls were answered."""
        return self.waited + self.sent_away + self.late


async def poll(miner: Miner, *, port: int, receiver: str, polls: Polls) -> None:
    """Ask for work over REST for ever: wait with the server, or stay away as long as it says.

    Like the miner program: a refusal is followed by a pause that grows, and a connection stays open until its miner
    asks again. They come back one by one, as they left.
    """
    path = f"/api/v1/machines/{miner.machine_id}/lease/"
    body = json.dumps({"wait_s": WAIT_S}).encode()
    failures = 0
    await asyncio.sleep(secrets.randbelow(1_000 * COME_BACK_S) / 1_000)
    while True:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            signed = miner.signed("POST", path, receiver, body)
            writer.write(_request("POST", path, signed, body, port=port))
            head = await reader.readuntil(b"\r\n\r\n")
        status, later = int(head.split()[1]), RETRY_AFTER.search(head)
        assert status in (204, 401), head
        failures = failures + 1 if status == 401 else 0
        if failures:
            polls.late += 1
            await asyncio.sleep(pause_s(failures))
        elif later:
            polls.sent_away += 1
            await asyncio.sleep(float(later[1]))
        else:
            polls.waited += 1
        writer.close()


async def page_ms(port: int, path: str = "/") -> float:
    """Fetch a page on a connection of its own, and return how long that took."""
    started = time.perf_counter()
    await fetched(port, path)
    return 1_000 * (time.perf_counter() - started)


async def fetched(port: int, path: str) -> bytes:
    """Return the body of what must be there."""
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_request("GET", path, {"Connection": "close"}, b"", port=port))
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert head.split()[1] == b"200", head
    return body


def _request(method: str, path: str, headers: dict[str, str], body: bytes, *, port: int) -> bytes:
    given = {
        "Host": f"127.0.0.1:{port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@dataclass(slots=True)
class Tunnels:
    """The miner program's own tunnels to one gateway, held in this process."""

    port: int
    receiver: str
    told: list[str] = field(default_factory=list)
    _held: list[tuple[Tunnel, asyncio.Task[None]]] = field(default_factory=list)

    async def open(self, miners: list[Miner]) -> None:
        """Open a tunnel for each of them, and wait until all are welcome."""
        some = [self._tunnel(miner) for miner in miners]
        self._held += [(tunnel, asyncio.create_task(tunnel.run())) for tunnel in some]
        async with asyncio.timeout(PATIENCE_S):
            while not all(tunnel.is_open for tunnel in some):
                await asyncio.sleep(0.005)

    @property
    def open_count(self) -> int:
        """Return how many are open."""
        return sum(tunnel.is_open for tunnel, _ in self._held)

    async def close(self) -> None:
        """End all of them."""
        tasks = [task for _, task in self._held]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tunnel(self, miner: Miner) -> Tunnel:
        return Tunnel(
            url=f"http://127.0.0.1:{self.port}/tunnel/?machine={miner.machine_id}",
            sign=lambda method, path: miner.signed(method, path, self.receiver),
            keypair=miner.key,
            plan=Plan(Upstream("http://127.0.0.1:1/v1", {miner.model: miner.model}), slots=1),
            say=self._say,
        )

    def _say(self, event: str, **facts: object) -> None:
        if event != "tunnel_open":
            self.told.append(f"{event} {facts}")


@dataclass(slots=True)
class Cost:
    """What a server used while it was watched. processor_s: of one core."""

    began_s: float
    processor_s: float
    watched_s: float = 0.0

    @property
    def a_minute(self) -> float:
        """Return processor seconds a minute."""
        return 60 * self.processor_s / self.watched_s


@contextmanager
def watched(server: Child) -> Iterator[Cost]:
    """Watch what a server costs, from /proc."""
    cost = Cost(time.perf_counter(), processor_s(server))
    yield cost
    cost.watched_s = time.perf_counter() - cost.began_s
    cost.processor_s = processor_s(server) - cost.processor_s


def processor_s(child: Child) -> float:
    """Return the processor time that a child and all it started have used."""
    assert child.process is not None
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if os.getsid(int(stat.parent.name)) == child.process.pid:
                fields = stat.read_text().rpartition(")")[2].split()
                used += int(fields[11]) + int(fields[12])  # man 5 proc: utime, stime
        except (ProcessLookupError, FileNotFoundError):
            continue  # it ended meanwhile
    return used / TICKS

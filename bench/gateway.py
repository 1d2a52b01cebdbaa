"""Requests per second through the gateway, beside the model's server alone and beside LiteLLM's proxy with a key.

One trivial model server for all three. Ours goes the whole way: an API key, money set aside, a real miner's own
connection, a signed answer, a line in the journal. Consumers, gateway, miner and model server share this machine's
cores in every measurement, and there is one process of each.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
from django.conf import settings
from django.utils import timezone

from bench import _callers, _peers, _world
from bench.figures import Figure
from compute.models import ServedModel
from launch import goals, programs, servers
from launch.children import Child, stop_all
from ledger.money import RAO_PER_TAO as TAO
from ledger.scopes import Scope
from marketplace import operations
from marketplace.models import User
from neurons.keys import Keypair
from subnets import operations as subnets

SECONDS = 4.0
MANY = 32
TIMES_TARGET = 5.0
ADDED_MS_TARGET = 5.0
MODEL = "bench"
LITELLM = ("litellm[proxy]==1.106.2",)
READY_S = 60.0
ROOT = Path(__file__).resolve().parents[1]


def measure() -> Iterator[Figure]:
    """Measure each alone: the model's server, LiteLLM before it, the gateway before it."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        _world.opened(),
        _upstream(Path(scratch)) as direct,
    ):
        floor = _asked(direct, key="none")
        with _litellm(Path(scratch), direct) as (address, key):
            peer = _asked(address, key=key) if address else None
        with _gateway(Path(scratch), direct) as (address, key):
            ours = _asked(address, key=key)
            streamed = _callers.run(
                address, model=MODEL, key=key, connections=1, seconds=SECONDS, is_streamed=True
            )
    yield from _told(ours, floor=floor, peer=peer)
    yield Figure(
        "gateway, a stream's first piece, one at once, p50", _half(streamed, "first_ms"), "ms"
    )
    refused = sum(report["refused"] for report in (*ours, streamed))
    assert not refused, f"{refused} requests were refused"


def _asked(address: str, *, key: str) -> tuple[dict, dict]:
    """Ask one at a time, then many at once."""
    _callers.run(address, model=MODEL, key=key, connections=4, seconds=1)
    one, many = (
        _callers.run(address, model=MODEL, key=key, connections=count, seconds=SECONDS)
        for count in (1, MANY)
    )
    return one, many


def _told(
    ours: tuple[dict, dict], *, floor: tuple[dict, dict], peer: tuple[dict, dict] | None
) -> Iterator[Figure]:
    rate = ours[1]["answers"] / ours[1]["seconds"]
    yield Figure(
        f"gateway, {MANY} at once",
        rate,
        "requests/s",
        peer=floor[1]["answers"] / floor[1]["seconds"],
        peer_name="the model's server alone",
        at_most=False,
    )
    if peer is not None:
        yield Figure(
            f"gateway, {MANY} at once",
            rate,
            "requests/s",
            peer=peer[1]["answers"] / peer[1]["seconds"],
            peer_name="LiteLLM, one process",
            target=TIMES_TARGET,
            at_most=False,
        )
        yield Figure("LiteLLM adds, one at once, p50", _half(peer[0]) - _half(floor[0]), "ms")
    yield Figure(
        "gateway adds, one at once, p50",
        _half(ours[0]) - _half(floor[0]),
        "ms",
        target=ADDED_MS_TARGET,
    )
    yield Figure(
        f"gateway, {MANY} at once, p99", ours[1]["ms"][int(len(ours[1]["ms"]) * 0.99)], "ms"
    )


def _half(report: dict, name: str = "ms") -> float:
    return float(report[name][len(report[name]) // 2])


@contextmanager
def _upstream(state: Path) -> Iterator[str]:
    port = servers.free_port()
    words = ("-m", "granian", "--host", "127.0.0.1", "--interface", "asgi", "--workers", "1")
    child = programs.python(
        "upstream",
        *words,
        "--port",
        str(port),
        "bench._upstream:application",
        env=os.environ,
        state=state,
    )
    with _running(child, f"http://127.0.0.1:{port}/v1/models"):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def _running(child: Child, page: str, *, others: tuple[Child, ...] = ()) -> Iterator[None]:
    child.start()
    try:
        until_s = time.monotonic() + READY_S
        while not goals.is_answering(page):
            assert child.is_alive(), child.tail()
            assert time.monotonic() < until_s, f"{child.name} does not answer: {child.tail()}"
            time.sleep(0.1)
        yield
    finally:
        stop_all([child], grace_s=4)


@contextmanager
def _litellm(state: Path, direct: str) -> Iterator[tuple[str, str]]:
    """Run LiteLLM's proxy from an environment of its own (700 MB, made once); ("", "") where it cannot be had."""
    program = _peers.program_of("litellm", LITELLM, "litellm")
    if program is None:
        yield "", ""
        return
    port, key = servers.free_port(), "sk-" + uuid4().hex
    config = state / "litellm.yaml"
    config.write_text(
        f"model_list:\n- model_name: {MODEL}\n  litellm_params:\n    model: openai/{MODEL}\n"
        f"    api_base: {direct}\n    api_key: none\ngeneral_settings:\n  master_key: {key}\n"
    )
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    env |= {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        "NO_PROXY": "127.0.0.1",
    }
    child = Child(
        name="litellm",
        argv=[
            str(program),
            "--config",
            str(config),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--num_workers",
            "1",
        ],
        env=env,
        log=state / "litellm.log",
        cwd=state,
    )
    with _running(child, f"http://127.0.0.1:{port}/health/liveliness"):
        yield f"http://127.0.0.1:{port}/v1", key


@contextmanager
def _gateway(state: Path, direct: str) -> Iterator[tuple[str, str]]:
    """Run the gateway, and a miner whose model server is the one all share."""
    port = servers.free_port()
    env = programs.environment(
        given=os.environ,
        state=state,
        port=port,
        database_url=_world.address(),
        redis_url=settings.REDIS_URL,
    )
    web, _, gateway = programs.web(env=env, state=state, port=port)
    key, code, netuid = _market()
    seed = state / "miner.seed"
    seed.write_text(Keypair.generated()[1])
    words = (
        "-m",
        "neurons.cli",
        "miner",
        "--url",
        f"http://127.0.0.1:{port}",
        "--seed-file",
        str(seed),
    )
    words += ("--code", code, "--netuid", str(netuid), "--max-burn-tao", "100", "--name", "bench")
    words += ("--upstream", direct, "--model", MODEL, "--slots", str(2 * MANY))
    miner = programs.python("miner", *words, env=os.environ, state=state)
    address = f"http://127.0.0.1:{port + 2}"
    with (
        _running(web, f"http://127.0.0.1:{port}/api/v1/network/"),
        _running(gateway, f"{address}/health"),
        _running(miner, f"{address}/health"),
    ):
        until_s = time.monotonic() + READY_S
        while not httpx.get(f"{address}/health").json()["tunnels"]:
            assert miner.is_alive(), miner.tail()
            assert time.monotonic() < until_s, miner.tail()
            time.sleep(0.1)
        yield f"{address}/v1", key


def _market() -> tuple[str, str, int]:
    """Found a network with one model on offer; return a consumer's API key, a code for a hotkey, the netuid."""
    now = timezone.now()
    operations.fund_treasury(amount_rao=100_000 * TAO, key="bench", now=now)
    subnets.found_network(block_ms=12_000, min_lock_rao=TAO, now=now)
    people = [User.objects.create(email=f"{name}@example.com") for name in ("ada", "mia", "eve")]
    for person in people:
        operations.grant_test_tao(owner=person.id, amount_rao=10_000 * TAO, key="start", now=now)
    ada, mia, eve = people
    netuid = operations.buy_slot(
        buyer=ada.id,
        name="Bench",
        summary="Answers at once.",
        blueprint="matmul",
        max_cost_rao=1_000 * TAO,
        key=uuid4().hex,
        now=now,
    ).netuid
    ServedModel.objects.create(
        name=MODEL,
        subnet_id=netuid,
        kind="chat",
        context_tokens_max=4_096,
        output_tokens_max=64,
        input_rao_per_mtok=1_000_000,
        output_rao_per_mtok=4_000_000,
        created_at=now,
        changed_at=now,
    )
    code = subnets.open_challenge(owner=mia.id, now=now).code
    made = operations.create_api_key(
        owner=eve.id,
        name="bench",
        scopes=[Scope.READ, Scope.WORK],
        expires_at=now + timedelta(days=1),
        now=now,
    )
    return made.text, code, netuid

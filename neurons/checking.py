"""Try everything a neuron needs, without changing anything; say of what fails why, and what to do next."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from neurons import energy, machine
from neurons.amounts import format_tao
from neurons.client import Client, Refused, Unreachable
from neurons.keys import Keypair, KeyUnusable
from neurons.upstream import Upstream
from neurons.wallet import KeyChoice
from neurons.wire import AnswerMalformed
from neurons.workloads import Workload, embeddings, language, matmul

MATMUL_N = 128
BENCHMARK_S = 0.5  # Long enough for a rate, short enough for somebody who waits.
CLOCK_SURE_S = 1.0  # The server tells its time in whole seconds.
AHEAD_MAX_S, BEHIND_MAX_S = 2.0, 10.0  # What the server takes of a signature's time.
DISK_MIN_BYTES = 100 * 2**20
OK, NOTE, FAILED = "ok", "note", "failed"
PROMPT = "What is the capital of France?"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. next_step: what to do, where there is something to do."""

    name: str
    state: str
    detail: str
    next_step: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be checked."""

    url: str
    key: KeyChoice
    workloads: Mapping[str, Workload]
    upstream: Upstream | None
    transport: httpx.BaseTransport | None = None


def findings(subject: Subject) -> Iterator[Finding]:
    """Check one thing after the other, what needs the network last."""
    yield computer()
    yield cards()
    yield power()
    for kind, workload in subject.workloads.items():
        yield work(kind, workload)
    if subject.upstream is not None:
        yield model_server(subject.upstream)
    keypair, found = key(subject.key)
    yield found
    # Without a key the network can still be reached: only signed calls need one.
    client = Client(subject.url, keypair or Keypair.generated()[0], transport=subject.transport)
    try:
        yield from network(client, is_signed=keypair is not None)
    finally:
        client.close()


def computer() -> Finding:
    """Say what computer this is."""
    count, size_bytes = machine.cpu_count(), machine.memory_bytes()
    detail = f"{machine.cpu_model()}, {count} processors, {size_bytes / 2**30:.1f} GiB of memory"
    return Finding("machine", OK, detail, figures={"cpu_count": count, "memory_bytes": size_bytes})


def cards() -> Finding:
    """List the graphics cards that NVML reports."""
    found = machine.gpus()
    if not found:
        return Finding(
            "gpu",
            NOTE,
            "no NVIDIA card is reported; every kind of work here runs without one",
            "If there is one, install its driver: `nvidia-smi` must list it.",
            {"gpu_count": 0},
        )
    names = ", ".join(f"{gpu.name} ({gpu.memory_bytes / 2**30:.0f} GiB)" for gpu in found)
    return Finding("gpu", OK, names, figures={"gpu_count": len(found)})


def power() -> Finding:
    """Say which counters of energy can be read."""
    meters = energy.meters()
    if meters:
        return Finding("energy", OK, "read from " + ", ".join(meters), figures={"meters": meters})
    step = f"On Intel and AMD: let this user read {energy.RAPL}/*/energy_uj, which root may now."
    return Finding("energy", NOTE, "no counter of energy can be read here", step, {"meters": []})


def work(kind: str, workload: Workload) -> Finding:
    """Do work of one kind for a moment, and check it as a validator does."""
    rng = np.random.default_rng()
    payload = sample(kind, rng)
    try:
        output = workload.run(payload)  # The first one loads a model.
        count, started_s = 0, time.monotonic()
        while count == 0 or time.monotonic() - started_s < BENCHMARK_S:
            output = workload.run(payload)
            count += 1
        job_ms = (time.monotonic() - started_s) * 1000 / count
        score_ppm, reason = workload.check(
            payload=payload, output=output, known_answer=None, rng=rng
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, the operator is told
        step = (
            "See `upstream`: the model server does this work."
            if kind == language.KIND
            else f"Install what it needs (pip install 'neurons[{kind}]'), or leave it out by --workloads."
        )
        return Finding(f"work:{kind}", FAILED, f"{type(error).__name__}: {error}", step)
    figures = {"job_ms": round(job_ms, 2), "score_ppm": score_ppm}
    if score_ppm < 1_000_000:
        step = "Results like this earn nothing. Is the memory sound, are the packages whole?"
        return Finding(f"work:{kind}", FAILED, reason, step, figures)
    return Finding(f"work:{kind}", OK, f"{job_ms:.1f} ms a job; {reason}", figures=figures)


def sample(kind: str, rng: np.random.Generator) -> dict[str, Any]:
    """Make a payload to try a kind of work with."""
    match kind:
        case matmul.KIND:
            return matmul.make(rng, MATMUL_N)
        case embeddings.KIND:
            return {"sentences": ["Is everything working on this machine today?"]}
        case _:
            messages = [{"role": "user", "content": PROMPT}]
            return {"messages": messages, "max_tokens": 16, "temperature": 0, "seed": 1}


def model_server(upstream: Upstream) -> Finding:
    """Ask the model server for its list of models, and for each that is named."""
    headers = {"Authorization": f"Bearer {upstream.api_key}"} if upstream.api_key else {}
    try:
        answer = httpx.get(f"{upstream.url}/models", headers=headers, timeout=10, trust_env=False)
        listed = [str(each["id"]) for each in answer.raise_for_status().json()["data"]]
    except httpx.HTTPStatusError as error:
        step = "Set NEURON_UPSTREAM_KEY, or look whether the address ends in /v1."
        return Finding("upstream", FAILED, f"it answers {error.response.status_code}", step)
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        detail = f"{upstream.url} does not answer as OpenAI's API ({type(error).__name__})"
        return Finding(
            "upstream", FAILED, detail, "Start it: `neuron upstream --echo` is one to try."
        )
    missing = [name for name in upstream.models.values() if name not in listed]
    if missing:
        step = f"It serves {', '.join(listed[:10])}: name one of these, --model NAME=THAT."
        return Finding("upstream", FAILED, f"it has no {', '.join(missing)}", step)
    return Finding("upstream", OK, f"{upstream.url} serves {', '.join(upstream.models)}")


def key(choice: KeyChoice) -> tuple[Keypair | None, Finding]:
    """Load the hotkey."""
    try:
        keypair = choice.keypair()
    except KeyUnusable as error:
        step = "`neuron wallet list` shows what is there, `neuron wallet new` makes one."
        return None, Finding("key", FAILED, str(error), step)
    address = keypair.ss58_address
    return keypair, Finding("key", OK, f"hotkey {address}", figures={"hotkey": address})


def network(client: Client, *, is_signed: bool) -> Iterator[Finding]:
    """Reach the network, compare clocks, and look how the hotkey stands."""
    try:
        found, ahead_s = client.timed_network()
    except (Unreachable, Refused, AnswerMalformed) as error:
        step = "Is --url the site's address, and may this machine call it?"
        yield Finding("network", FAILED, str(error), step)
        return
    detail = f"{client.url}, block {found.block}, {len(found.gateways)} gateways"
    yield Finding("network", OK, detail, figures={"block": found.block})
    yield clock(ahead_s)
    if not is_signed:
        return
    yield from _guarded("linked", lambda: standing(client))


def clock(ahead_s: float | None) -> Finding:
    """Judge how far this clock is ahead of the server's; behind is negative."""
    if ahead_s is None:
        return Finding("clock", NOTE, "the server does not tell its time")
    figures = {"ahead_s": round(ahead_s, 2)}
    if -BEHIND_MAX_S + CLOCK_SURE_S < ahead_s < AHEAD_MAX_S - CLOCK_SURE_S / 2:
        return Finding("clock", OK, "agrees with the server's", figures=figures)
    side = "ahead of" if ahead_s > 0 else "behind"
    detail = f"{abs(ahead_s):.1f} s {side} the server's; signatures are refused"
    step = "Let the system keep time: timedatectl set-ntp true."
    return Finding("clock", FAILED, detail, step, figures)


def _guarded(name: str, look: Callable[[], Sequence[Finding]]) -> Sequence[Finding]:
    try:
        return look()
    except Refused as refusal:
        if refusal.code == "hotkey_not_linked":
            step = "Make a code on the page Hotkeys of your account, and start with --code CODE."
            return [Finding(name, FAILED, "no account answers for this hotkey yet", step)]
        return [Finding(name, FAILED, f"{refusal.detail} ({refusal.code})", "See docs/api.md.")]
    except (Unreachable, AnswerMalformed) as error:
        return [Finding(name, FAILED, str(error), "Try again in a minute.")]


def standing(client: Client) -> list[Finding]:
    """Say where the hotkey is registered. Raises: Refused, Unreachable, AnswerMalformed."""
    linked = Finding("linked", OK, "an account answers for this hotkey")
    standings = client.standings()
    if not standings:
        step = "Start the miner with --netuid N --max-burn-tao TAO: it registers by itself."
        return [linked, Finding("registered", FAILED, "on no subnet yet", step)]
    places = "; ".join(
        f"subnet {each.netuid} as uid {each.uid}, rank {each.rank}, "
        f"last payout {format_tao(each.last_payout_rao)} TAO"
        for each in standings
    )
    netuids = [each.netuid for each in standings]
    return [linked, Finding("registered", OK, places, figures={"netuids": netuids})]

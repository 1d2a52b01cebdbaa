"""A small world made by operations, as everybody makes it. Amounts in TAO where the name says so.

    make.network()
    netuid = make.subnet(make.rich_owner())
    miner, validator = make.miner(netuid), make.validator(netuid)
    job = make.job(netuid)
    make.dispatched()                       # → leases
    result = make.returned(job, miner)      # takes the lease, works, signs
    make.scored(result, validator)

`now` is NOW everywhere unless told; behind the API, whose edge asks the clock, pass the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import numpy as np

from compute import operations as compute
from compute.models import Job, Lease, Result, Tab
from compute.operations.scores import ScoreInput
from ledger import chart
from ledger import queries as books
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations as market
from marketplace.models import User
from neurons import protocol
from neurons.keys import Keypair
from neurons.workloads import matmul
from subnets import operations as subnets
from subnets.models import Network

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TREASURY_TAO = 1_000_000
MIN_LOCK_TAO = 10
JOB_N = 16  # 4 units of work: 2 000 rao


def network(*, block_ms: int = 12_000, now: datetime = NOW) -> Network:
    """Found the network and fund the treasury; again, and nothing changes."""
    market.fund_treasury(amount_rao=TREASURY_TAO * TAO, key="genesis", now=now)
    return subnets.found_network(block_ms=block_ms, min_lock_rao=MIN_LOCK_TAO * TAO, now=now)


def user(*, email: str = "", staff: bool = False) -> User:
    """Sign somebody up."""
    name = email or f"{uuid4().hex[:12]}@example.com"
    return User.objects.create_user(name, "a long password", is_staff=staff, is_superuser=staff)


def funded(owner: UUID, *, tao: int, now: datetime = NOW) -> UUID:
    """Give somebody test TAO of the treasury."""
    network(now=now)
    market.grant_test_tao(owner=owner, amount_rao=tao * TAO, key=uuid4().hex, now=now)
    return owner


def rich_owner(tao: int = 10_000, *, now: datetime = NOW) -> UUID:
    """Sign somebody up with TAO; return the account."""
    return funded(user().pk, tao=tao, now=now)


def subnet(
    owner: UUID | None = None, *, name: str = "", blueprint: str = "matmul", now: datetime = NOW
) -> int:
    """Buy a slot, whatever it costs; return its netuid."""
    bought = subnets.register_subnet(
        owner=owner or rich_owner(now=now),
        name=name or f"Subnet {uuid4().hex[:8]}",
        summary="Multiplies matrices.",
        blueprint=blueprint,
        max_cost_rao=10_000 * TAO,
        key=f"slot:{uuid4()}",
        now=now,
    )
    return bought.netuid


def keypair() -> Keypair:
    """Make a new hotkey that nobody knows."""
    return Keypair.generated()[0]


def linked(owner: UUID, *, now: datetime = NOW) -> Keypair:
    """Make a hotkey that answers to an owner."""
    key = keypair()
    code = subnets.open_challenge(owner=owner, now=now).code
    subnets.link_hotkey(ss58=key.ss58_address, code=code, name="key", now=now)
    return key


@dataclass(frozen=True, slots=True)
class Neuron:
    """A hotkey on a subnet; machine_id is None for one that only judges."""

    key: Keypair
    owner: UUID
    netuid: int
    uid: int
    machine_id: UUID | None = None

    @property
    def hotkey(self) -> str:
        return self.key.ss58_address


def miner(
    netuid: int,
    *,
    owner: UUID | None = None,
    blueprints: Sequence[str] = ("matmul",),
    concurrency: int = 1,
    now: datetime = NOW,
) -> Neuron:
    """Register a hotkey of somebody new and report its machine."""
    neuron = _registered(netuid, owner or rich_owner(100, now=now), now=now)
    machine = compute.report_machine(
        hotkey=neuron.hotkey,
        owner=neuron.owner,
        name="rig",
        cpu_model="a processor",
        cpu_count=4,
        memory_bytes=2**33,
        gpus=[],
        blueprints=blueprints,
        concurrency=concurrency,
        now=now,
    )
    return Neuron(neuron.key, neuron.owner, netuid, neuron.uid, machine.pk)


def validator(
    netuid: int, *, stake_tao: int = 1_000, owner: UUID | None = None, now: datetime = NOW
) -> Neuron:
    """Register a hotkey of somebody new and stake on it."""
    neuron = _registered(netuid, owner or rich_owner(stake_tao + 100, now=now), now=now)
    if stake_tao:
        subnets.add_stake(
            netuid=netuid,
            hotkey=neuron.hotkey,
            owner=neuron.owner,
            amount_rao=stake_tao * TAO,
            key=f"stake:{uuid4()}",
            now=now,
        )
    return neuron


def _registered(netuid: int, owner: UUID, *, now: datetime) -> Neuron:
    key = linked(owner, now=now)
    seat = subnets.register_neuron(
        netuid=netuid, hotkey=key.ss58_address, max_burn_rao=50 * TAO, now=now
    )
    return Neuron(key, owner, netuid, seat.uid)


def payload(*, n: int = JOB_N, seed: int = 1) -> dict:
    """Draw a matmul job."""
    return matmul.make(np.random.default_rng(seed), n)


def job(netuid: int, owner: UUID | None = None, *, key: str = "", now: datetime = NOW) -> Job:
    """Order a matmul job."""
    return compute.submit_job(
        netuid=netuid,
        owner=owner or rich_owner(10, now=now),
        payload=payload(),
        max_price_rao=TAO,
        key=key or f"job:{uuid4()}",
        now=now,
    )


def dispatched(*, now: datetime = NOW) -> list[Lease]:
    """Run dispatch once; return the leases that are open."""
    compute.dispatch_queued(now=now, limit=100)
    still_open = [Lease.State.OFFERED, Lease.State.TAKEN]
    return list(Lease.objects.filter(state__in=still_open).order_by("offered_at", "pk"))


def signed_output(lease: Lease, key: Keypair, *, output: dict | None = None) -> dict:
    """Work on a lease, or lie with `output`; return the fields of a result."""
    done = matmul.run(lease.job.payload) if output is None else output
    digest = protocol.output_digest(done)
    message = protocol.result_message(
        lease_id=str(lease.pk), job_id=str(lease.job_id), digest=digest
    )
    return {"output": done, "output_digest": digest, "signature": key.sign(message)}


def wrong_output(lease: Lease) -> dict:
    """Return an output of the right form with a wrong product."""
    return matmul.run(payload(n=lease.job.payload["n"], seed=99))


def returned(
    lease: Lease, by: Neuron, *, output: dict | None = None, now: datetime = NOW
) -> Result:
    """Take a lease and return its result."""
    taken = compute.take_lease(machine_id=by.machine_id, hotkey=by.hotkey, now=now)
    assert taken is not None
    assert taken.pk == lease.pk
    fields = signed_output(lease, by.key, output=output)
    result, _ = compute.submit_result(lease_id=lease.pk, hotkey=by.hotkey, now=now, **fields)
    return result


def score(result: Result, by: Neuron, *, ppm: int = 1_000_000, reason: str = "right") -> ScoreInput:
    """Sign a score."""
    message = protocol.score_message(
        result_id=str(result.pk), digest=result.output_digest, score_ppm=ppm, reason=reason
    )
    return ScoreInput(result.pk, ppm, reason, by.key.sign(message))


def scored(result: Result, by: Neuron, *, ppm: int = 1_000_000, now: datetime = NOW):
    """Give a score; return what became of it."""
    return compute.submit_scores(
        validator=by.hotkey, owner=by.owner, scores=[score(result, by, ppm=ppm)], now=now
    )


def tab(owner: UUID, payer: str, *, need_rao: int = 1_000, now: datetime = NOW) -> Tab:
    """Open a tab for an API key."""
    return compute.open_tab(
        tab_id=uuid4(), owner=owner, payer=payer, need_rao=need_rao, limit_rao=None, now=now
    )


def wallet_rao(owner: UUID) -> int:
    """Return what somebody can spend."""
    return books.balance(chart.wallet(owner)).available_rao


def held_rao(owner: UUID) -> int:
    """Return what is set aside of somebody's wallet."""
    return books.balance(chart.wallet(owner)).held_rao

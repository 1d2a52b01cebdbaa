"""Full subnets, written in bulk: 64 validators that judge 192 miners each, with stake behind them.

Rows are written past the operations, which would take minutes; money is posted, so that the books balance.
Scores carry signatures of the right length and nobody's hand: closing an epoch does not check them again.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
from django.db import connection

from bench import _world  # noqa: F401  sets Django up
from compute.models import Job, Lease, Machine, Result
from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import MAX_STEPS, Entry, Move
from ledger.money import RAO_PER_TAO
from neurons.keys import Keypair
from subnets import hyperparameters, rules
from subnets import operations as subnets
from subnets.models import Hotkey, IncentiveRule, Neuron, Ownership, Subnet

NEURONS, VALIDATORS = 256, 64
TEMPO = 360
BLOCK_MS = 12_000
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BLUEPRINT = "matmul"
# Ordered jobs, whose scores may differ: a known answer that comes back less than right is not paid at all.
CONSUMER = UUID(int=1)

# Every validator scores the result of every miner, within one minute of the window.
SCORES = """
INSERT INTO compute_score (id, result_id, netuid, validator, miner, score_ppm, reason, signature, scored_at)
SELECT gen_random_uuid(), result.id, result.netuid, judge.hotkey, result.hotkey,
       (hashtextextended(result.hotkey || judge.hotkey, %(netuid)s) & 32767) + 960000, 'product verified',
       '0x' || encode(sha256(result.id::text::bytea), 'hex') || encode(sha256(judge.hotkey::bytea), 'hex'),
       %(at)s::timestamptz + judge.place * interval '1 second'
FROM compute_result AS result, unnest(%(validators)s::text[]) WITH ORDINALITY AS judge (hotkey, place)
WHERE result.id = ANY(%(results)s::uuid[])
"""


def at_block(block: int) -> datetime:
    """Return the instant at which a block opens."""
    return NOW + timedelta(milliseconds=block * BLOCK_MS)


def hotkeys(count: int = NEURONS) -> list[Hotkey]:
    """Write hotkeys, each of an owner of its own. They sit on every subnet."""
    return Hotkey.objects.bulk_create(
        Hotkey(
            ss58=Keypair.from_seed(f"0x{place + 1:064x}").ss58_address,
            owner=UUID(int=1_000 + place),
            name=f"key {place}",
            linked_at=NOW,
        )
        for place in range(count)
    )


def founded(netuids: range, keys: list[Hotkey], *, backers_per_validator: int = 1) -> None:
    """Found the network with full subnets whose first epochs end at block TEMPO."""
    subnets.found_network(block_ms=BLOCK_MS, min_lock_rao=10 * RAO_PER_TAO, now=NOW)
    for netuid in netuids:
        _slot(netuid, keys)
        stakes = [
            chart.stake(
                key.owner if backer == 0 else UUID(int=netuid << 64 | place << 32 | backer),
                key.ss58,
                netuid,
            )
            for place, key in enumerate(keys[:VALIDATORS])
            for backer in range(backers_per_validator)
        ]
        _post(
            f"bench:stakes:{netuid}",
            [
                move
                for place, stake in enumerate(stakes)
                if stake.owner is not None
                for move in (
                    Move(chart.ISSUANCE, chart.wallet(stake.owner), _tao(place)),
                    Move(chart.wallet(stake.owner), stake, _tao(place)),
                )
            ],
        )
    wallets = [Move(chart.ISSUANCE, chart.wallet(key.owner), RAO_PER_TAO) for key in keys]
    burned = Move(chart.ISSUANCE, chart.BURNED, RAO_PER_TAO)
    _post("bench:wallets", [*wallets, burned])


def _tao(place: int) -> int:
    """Return a stake above the threshold of a validator's permit."""
    return (2_000 + place % 97) * RAO_PER_TAO


def _post(key: str, moves: list[Move]) -> None:
    for start in range(0, len(moves), MAX_STEPS):
        steps = tuple(moves[start : start + MAX_STEPS])
        ledger.post(Entry(key=f"{key}:{start}", code=Code.SUPPLY_ISSUED, at=NOW, steps=steps))


def _slot(netuid: int, keys: list[Hotkey]) -> None:
    owner = keys[0].owner
    subnet = Subnet.objects.create(
        netuid=netuid,
        name=f"Subnet {netuid}",
        summary="Multiplies matrices.",
        blueprint=BLUEPRINT,
        owner=owner,
        hyperparameters=hyperparameters.defaults(),
        burn_rao=RAO_PER_TAO,
        burn_block=0,
        last_epoch_block=0,
        next_epoch_block=TEMPO,
        registered_at=NOW,
        registered_block=0,
    )
    Ownership.objects.create(
        subnet=subnet, owner=owner, starts_at=NOW, price_rao=0, reason=Ownership.Reason.REGISTERED
    )
    document = dict(rules.DEFAULT_RULES[BLUEPRINT])
    IncentiveRule.objects.create(
        subnet=subnet,
        version=1,
        state=IncentiveRule.State.PUBLISHED,
        document=document,
        digest=rules.digest(rules.parse(document)),
        author=owner,
        created_at=NOW,
        published_at=NOW,
        from_epoch=1,
    )
    draw = np.random.default_rng(netuid)
    Neuron.objects.bulk_create(
        Neuron(
            subnet=subnet,
            uid=uid,
            hotkey=key,
            registered_at=NOW,
            registered_block=0,
            has_permit=uid < VALIDATORS,
            last_update_block=0,
            bonds=_bonds(draw) if uid < VALIDATORS else {},
        )
        for uid, key in enumerate(keys)
    )


def _bonds(draw: np.random.Generator) -> dict[str, int]:
    drawn = draw.integers(1, 65_536, NEURONS - VALIDATORS).tolist()
    return {str(VALIDATORS + place): u16 for place, u16 in enumerate(drawn)}


def worked(netuid: int, keys: list[Hotkey], *, at: datetime) -> None:
    """Let every miner return a result at an instant, and every validator score it in the minute after."""
    made = list(_work(netuid, keys[VALIDATORS:], at=at))
    Machine.objects.bulk_create([machine for machine, *_ in made], ignore_conflicts=True)
    Job.objects.bulk_create(job for _, job, *_ in made)
    Lease.objects.bulk_create(lease for _, _, lease, _ in made)
    Result.objects.bulk_create(result for *_, result in made)
    with connection.cursor() as cursor:
        cursor.execute(
            SCORES,
            {
                "netuid": netuid,
                "at": at,
                "validators": [key.ss58 for key in keys[:VALIDATORS]],
                "results": [result.pk for *_, result in made],
            },
        )


def _work(
    netuid: int, keys: list[Hotkey], *, at: datetime
) -> Iterator[tuple[Machine, Job, Lease, Result]]:
    for key in keys:
        machine = Machine(
            id=key.owner, hotkey=key.ss58, owner=key.owner, name="rig", cpu_model="a processor",
            cpu_count=4, memory_bytes=2**33, blueprints=[BLUEPRINT], reported_at=NOW,
            last_seen_at=NOW,
        )  # fmt: skip
        job = Job(
            netuid=netuid, blueprint=BLUEPRINT, origin=Job.Origin.CONSUMER, owner=CONSUMER,
            key=f"bench:{uuid4()}", payload={"n": 256}, state=Job.State.VERIFIED, created_at=at,
            queued_at=at, turn_at=at, ready_at=at, ended_at=at,
        )  # fmt: skip
        lease = Lease(
            job=job, netuid=netuid, machine=machine, hotkey=key.ss58, state=Lease.State.RETURNED,
            offered_at=at, taken_at=at, deadline_at=at, ended_at=at,
        )  # fmt: skip
        result = Result(
            lease=lease, job=job, netuid=netuid, hotkey=key.ss58, output={},
            output_digest=f"{key.owner.int:064x}", signature="0x" + "5" * 128,
            latency_ms=100 + key.owner.int % 400, submitted_at=at,
        )  # fmt: skip
        yield machine, job, lease, result

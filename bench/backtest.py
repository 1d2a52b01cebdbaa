"""A draft rule replayed over 100 epochs of a full subnet: 64 validators that judge 192 miners each.

The evidence is made here, packed as the database holds it, and unpacked within the measured time. The peer
computes the same formula with plain floats in numpy: metrics, moving average, power, Yuma consensus, split.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import numpy as np

from bench.figures import Figure
from neurons.keys import Keypair
from subnets import backtest, evidence, hyperparameters, rules
from subnets.emission import EpochSplit
from subnets.metrics import METRICS, Metrics
from subnets.record import Backing, Record, RuleVersion, Seat

EPOCHS, VALIDATORS, NEURONS = 100, 64, 256
MINERS = NEURONS - VALIDATORS
EMISSION_RAO = 3_600 * 10**7
TEMPO = 360
DOCUMENT = {
    "format": 1,
    "title": "Close and quick",
    "gates": [{"if": "sample_count >= 2", "reason": "Too few."}],
    "score": "quality * success_rate * math.least(1.0, 500.0 / latency_ms)",
    "shaping": {"kind": "power", "exponent_ppm": 2_000_000},
    "smoothing": {"ema_alpha_ppm": 300_000},
}


def measure() -> Iterator[Figure]:
    """Yield how long a backtest takes, and where the time goes."""
    rng = np.random.default_rng(7)
    rule = rules.parse(DOCUMENT)
    digest = rules.digest(rule)
    seats, packed_epochs, arrays = world(rng, RuleVersion(1, digest, rule.document()))
    nobody = EpochSplit(0, (0,) * NEURONS, (0,) * NEURONS, EMISSION_RAO, 0)

    def past() -> Iterator[backtest.PastEpoch]:
        for at_rest in packed_epochs:
            yield backtest.PastEpoch(evidence.unpacked(at_rest), nobody)

    started = time.perf_counter()
    steps = list(backtest.steps(rule.document(), digest, past()))
    backtest.answer(steps)
    taken_s = time.perf_counter() - started

    started = time.perf_counter()
    plain = floats(arrays, stakes=np.array([seat.stake_rao for seat in seats], dtype=np.float64))
    plain_s = time.perf_counter() - started
    paid = steps[-1].hotkeys
    ours = np.array([paid[seat.hotkey].would_rao if seat.hotkey in paid else 0 for seat in seats])
    assert np.allclose(ours, plain, rtol=1e-2, atol=EMISSION_RAO * 1e-6), "both compute the same"

    started = time.perf_counter()
    for _ in past():
        pass
    unpacking_s = time.perf_counter() - started
    size_kb = sum(map(len, packed_epochs)) / len(packed_epochs) / 1024
    yield Figure("100 epochs, 64 x 256, one process", taken_s, "s", target=10.0)
    yield Figure(
        "the same beside plain floats", taken_s, "s", peer=plain_s, peer_name="numpy, floats"
    )
    yield Figure("of which unpacking", unpacking_s, "s")
    yield Figure("evidence of an epoch", size_kb, "KiB")


def world(rng, version):
    """Return the seats, the packed evidence of every epoch, and the same metrics as arrays."""
    keys = [Keypair.from_seed(f"0x{n + 1:064x}").ss58_address for n in range(NEURONS)]
    stakes = rng.integers(10**12, 10**14, VALIDATORS)
    seats = tuple(
        Seat(
            uid=uid,
            hotkey=hotkey,
            owner=str(UUID(int=uid + 1)),
            registered_block=1,
            last_update_block=2,
            has_permit=uid < VALIDATORS,
            bonds={},
            backing=(Backing(str(UUID(int=uid + 1)), int(stakes[uid])),)
            if uid < VALIDATORS
            else (),
        )
        for uid, hotkey in enumerate(keys)
    )
    first = Record(
        netuid=1,
        number=1,
        start_block=2,
        end_block=2 + TEMPO,
        last_step_block=0,
        owner=str(UUID(int=10**6)),
        emission_rao=EMISSION_RAO,
        hyperparameters=hyperparameters.defaults(),
        versions=(version,),
        seats=seats,
        scores=(),
        deliveries=(),
    )
    talent = rng.random(MINERS)
    arrays = [metrics(rng, talent) for _ in range(EPOCHS)]
    packed_epochs = [epoch(first, number, columns) for number, columns in enumerate(arrays)]
    return seats, packed_epochs, arrays


def epoch(first, number, columns):
    """Return the packed evidence of an epoch in which these metrics were measured."""
    keys = [seat.hotkey for seat in first.seats]
    rows = map(Metrics, *(columns[name].ravel().tolist() for name in METRICS))
    seen = {
        keys[validator]: {keys[VALIDATORS + miner]: next(rows) for miner in range(MINERS)}
        for validator in range(VALIDATORS)
    }
    record = replace(
        first,
        number=number + 1,
        start_block=2 + number * TEMPO,
        end_block=2 + (number + 1) * TEMPO,
        last_step_block=2 + number * TEMPO if number else 0,
    )
    return evidence.packed(record, dict(sorted(seen.items())))


def metrics(rng, talent):
    """Return every metric as an array, validators by miners; what the platform counts is alike for all."""
    shape = (VALIDATORS, MINERS)
    count = rng.integers(2, 12, shape)
    ppm = np.clip(talent + rng.normal(0, 0.05, shape), 0, 1) * 1_000_000
    quality = np.rint(ppm) * count / (count * 1_000_000)
    offered = np.broadcast_to(rng.integers(40, 60, MINERS), shape)
    failed = np.broadcast_to(rng.integers(0, 5, MINERS), shape)
    completed = offered - failed
    work = count * 1_000
    return {
        "quality": quality,
        "sample_count": count,
        "canary_quality": np.where(rng.random(shape) < 0.9, 1.0, 0.5),
        "canary_count": rng.integers(0, 3, shape),
        "latency_ms": rng.integers(100, 1_500, shape) / 2.0,
        "work_units": work,
        "credited_work_units": work * quality,
        "offered_count": offered,
        "completed_count": completed,
        "failed_count": failed,
        "success_rate": completed / offered,
    }


def floats(arrays, *, stakes):
    """Replay the same rule in plain floats; return what the last epoch pays, by uid."""
    smoothed = None
    bonds = np.zeros((NEURONS, NEURONS))
    for columns in arrays:
        score = columns["quality"] * columns["success_rate"]
        score = score * np.minimum(1.0, 500.0 / columns["latency_ms"])
        score = np.where(columns["sample_count"] >= 2, score, 0.0)
        smoothed = score if smoothed is None else 0.7 * smoothed + 0.3 * score
        mass = smoothed**2
        weights = np.zeros((NEURONS, NEURONS))
        weights[:VALIDATORS, VALIDATORS:] = mass / mass.sum(axis=1, keepdims=True)
        incentive, dividends, bonds = yuma(weights, bonds, stakes / stakes.sum())
    # Half of what the subnet's owner leaves goes to the miners, half to the validators.
    owner_rao = EMISSION_RAO * hyperparameters.defaults()["owner_cut"] // 65_535
    half_rao = (EMISSION_RAO - owner_rao) / 2
    return half_rao * (incentive / incentive.sum() + dividends / dividends.sum())


def yuma(weights, bonds, stake, *, kappa=32_767 / 65_535, alpha=0.1):
    """Return incentive, dividends and bonds after one epoch of Yuma 3 without liquid alpha."""
    order = np.argsort(-weights, axis=0, kind="stable")
    ranked = np.take_along_axis(weights, order, axis=0)
    reached = np.cumsum(stake[order], axis=0)
    consensus = np.take_along_axis(ranked, (reached >= kappa).argmax(axis=0)[None], axis=0)[0]
    clipped = np.minimum(weights, consensus)
    ranks = stake @ clipped
    incentive = ranks / ranks.sum()
    bonds = (1 - alpha) * bonds + alpha * clipped
    held = bonds * stake[:, None]
    column = held.sum(axis=0)
    share = np.divide(held, column, out=np.zeros_like(held), where=column > 0)
    dividends = share @ incentive
    return incentive, dividends / max(dividends.sum(), 1e-12), bonds

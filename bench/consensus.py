"""How fast an epoch is computed exactly: beside Yuma in floats, and for a network of full subnets."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench import _float_yuma
from bench.figures import Figure, best_s
from subnets import emission
from subnets.consensus import EpochInputs, EpochParams, run_yuma
from subnets.fixed import Words
from subnets.pairs import Matrix, Pairs

VALIDATORS = 64
UIDS = 256
SUBNETS = 128
RUNS = 30  # of a millisecond each

OWNER_CUT_U16 = 11_796
EMISSION_RAO = 360 * 10**9

# Bytes that a process which has worked for a while holds. Allocating and freeing as many once keeps the
# allocator from giving the pages of every matrix back to the kernel, ours and the peer's alike.
GROWN_HEAP = 1 << 24

RATIO_AT_MOST = 8.0
NETWORK_S_AT_MOST = 2.0


def dense(values: Words) -> Pairs:
    """Return a matrix of u16 as the rows of the first uids."""
    return Pairs(tuple(range(len(values))), Matrix(values, np.ones(values.shape, dtype=np.bool_)))


def full_subnet(seed: int, params: EpochParams) -> EpochInputs:
    """Return a subnet without an empty slot, in its second epoch: everyone weighs everyone."""
    numbers = np.random.default_rng(seed)
    shape = (VALIDATORS, UIDS)
    first = EpochInputs(
        stakes_rao=[int(numbers.integers(10**12, 10**15)) for _ in range(VALIDATORS)]
        + [0] * (UIDS - VALIDATORS),
        permits=[uid < VALIDATORS for uid in range(UIDS)],
        weights=dense(numbers.integers(1, 65_536, shape).astype(np.uint64)),
        bonds={},
        last_update=[360] * UIDS,
        registered_block=[0] * UIDS,
        block=360,
        tempo=360,
        params=params,
    )
    weights = dense(numbers.integers(1, 65_536, shape).astype(np.uint64))
    bonds = run_yuma(first).bonds
    return replace(
        first,
        weights=weights,
        bonds=bonds,
        block=720,
        last_update=[720] * UIDS,
        last_step_block=360,
    )


def measure() -> Iterator[Figure]:
    """Yield milliseconds an epoch beside floats, then seconds for all subnets."""
    np.ones(GROWN_HEAP, dtype=np.uint8)
    for name, params, peer in (
        ("Yuma 3", EpochParams(), _float_yuma.FloatParams()),
        (
            "Yuma 3, liquid alpha",
            EpochParams(liquid_alpha=True),
            _float_yuma.FloatParams(liquid_alpha=True),
        ),
        ("Yuma 2", EpochParams(yuma3=False), _float_yuma.FloatParams(yuma3=False)),
    ):
        yield beside_floats(name, params, peer)
    yield network()


def beside_floats(name: str, params: EpochParams, peer: _float_yuma.FloatParams) -> Figure:
    """Time one dense epoch of 64 x 256 in integers and in floats, and see that both mean the same."""
    inputs = full_subnet(0, params)
    stakes = np.array(inputs.stakes_rao, dtype=np.float64)
    weights = inputs.weights.matrix.values.astype(np.float64)
    bonds = inputs.bonds.rows(range(VALIDATORS)).values.astype(np.float64)
    validators = np.arange(VALIDATORS)

    def in_floats() -> _float_yuma.FloatTerms:
        return _float_yuma.run(stakes, weights, bonds, validators=validators, params=peer)

    exact, rounded = run_yuma(inputs), in_floats()
    for ours, theirs in (
        (exact.incentive_q32, rounded.incentive),
        (exact.dividends_q32, rounded.dividends),
        (exact.consensus_q32, rounded.consensus),
    ):
        assert np.allclose(np.array(ours) / 2**32, theirs, atol=1e-6), name
    return Figure(
        name=f"an epoch of 64 × 256, {name}",
        value=best_s(lambda: run_yuma(inputs), runs=RUNS) * 1_000,
        unit="ms",
        peer=best_s(in_floats, runs=RUNS) * 1_000,
        peer_name="floats in numpy",
        target=RATIO_AT_MOST,
    )


def network() -> Figure:
    """Time 128 full subnets from the dicts of a record to who is paid what, half of them with liquid alpha."""
    subnets = (
        full_subnet(seed, EpochParams(liquid_alpha=seed % 2 == 1)) for seed in range(SUBNETS)
    )
    epochs = [
        replace(
            inputs,
            weights={uid: dict(row) for uid, row in inputs.weights.items()},
            bonds={uid: dict(row) for uid, row in inputs.bonds.items()},
        )
        for inputs in subnets
    ]

    def work() -> None:
        for inputs in epochs:
            terms = run_yuma(inputs)
            emission.split_epoch(
                EMISSION_RAO,
                owner_cut_u16=OWNER_CUT_U16,
                server_share=terms.server_share,
                validator_share=terms.validator_share,
            )
            for uid in terms.bonds:
                assert terms.bonds[uid]

    return Figure(
        name="consensus and split of 128 full subnets",
        value=best_s(work, runs=3),
        unit="s",
        target=NETWORK_S_AT_MOST,
    )

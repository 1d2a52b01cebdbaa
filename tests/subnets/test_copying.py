"""A score copied from another validator's last epoch earns its author nothing more than being late does.

Five validators with the same stake look at the same miners. Three score what they see; one scores each
result an epoch late; one repeats what an honest one said in the epoch before, the first that it may read.
"""

from uuid import UUID

import numpy as np
import pytest

from subnets import hyperparameters, payroll
from subnets.record import Backing
from tests.subnets import worlds
from tests.subnets.worlds import TAO

EPOCHS = 8
MINERS = 6
HONEST, LATE, COPIER = range(3), 3, 4
JUDGES = 5


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def seats():
    judges = [
        worlds.seat(
            uid,
            f"judge {uid}",
            str(UUID(int=100 + uid)),
            backing=(Backing(str(UUID(int=100 + uid)), 1_000 * TAO),),
            has_permit=True,
        )
        for uid in range(JUDGES)
    ]
    miners = [worlds.seat(JUDGES + n, f"miner {n}", str(UUID(int=200 + n))) for n in range(MINERS)]
    return (*judges, *miners)


def scores(epoch, said):
    """Return one score a validator and miner; said: validator → quality by miner, in ppm."""
    return tuple(
        {
            "result_id": f"{epoch} {miner}",
            "validator": f"judge {judge}",
            "miner": f"miner {miner}",
            "score_ppm": int(ppm),
            "latency_ms": 100,
            "work_units": 1,
            "is_canary": False,
            "reason": "",
            "output_digest": "",
            "signature": "",
        }
        for judge, row in enumerate(said)
        for miner, ppm in enumerate(row)
    )


def earned(seen, *, liquid_alpha, smoothing):
    """Return what each validator was paid over all epochs. seen: epoch → what each honest one sees."""
    values = hyperparameters.defaults() | {"yuma3_enabled": 1, "liquid_alpha_enabled": liquid_alpha}
    changes = {"smoothing": {"ema_alpha_ppm": 500_000}} if smoothing else {}
    record = paid = None
    totals = np.zeros(JUDGES, dtype=object)
    for epoch in range(1, len(seen)):
        # Whoever is late says what it saw itself; whoever copies, what another one said.
        said = [*seen[epoch][:3], seen[epoch - 1][LATE], seen[epoch - 1][0]]
        given = scores(epoch, said)
        record = (
            worlds.following(record, paid, scores=given)
            if record
            else worlds.record(
                seats=seats(),
                scores=given,
                deliveries=(),
                hyperparameters=values,
                versions=(worlds.version(1, **changes),),
            )
        )
        paid = payroll.settle(record)
        totals += [term.validator_rao for term in paid.terms[:JUDGES]]
    return totals.tolist()


def seen_by_all(qualities, *, noise_ppm=0, seed=0):
    """Return epoch → validator → quality by miner: what there is, and how each validator errs."""
    rng = np.random.default_rng(seed)
    shape = (len(qualities), JUDGES, MINERS)
    errors = rng.integers(-noise_ppm, noise_ppm, shape, endpoint=True)
    return np.clip(np.asarray(qualities)[:, np.newaxis, :] + errors, 0, 1_000_000)


def changing(seed):
    """Return qualities that change from epoch to epoch."""
    return np.random.default_rng(seed).integers(100_000, 900_000, (EPOCHS + 1, MINERS))


@pytest.mark.parametrize("liquid_alpha", [0, 1])
@pytest.mark.parametrize("smoothing", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_copying_pays_as_being_late_does_and_less_than_looking(liquid_alpha, smoothing, seed):
    seen = seen_by_all(changing(seed))

    paid = earned(seen, liquid_alpha=liquid_alpha, smoothing=smoothing)

    # Without any error of measurement the copy is the late score, to the last rao but those of rounding.
    assert paid[COPIER] == pytest.approx(paid[LATE], abs=10 * EPOCHS)
    assert all(paid[COPIER] < paid[honest] for honest in HONEST)


@pytest.mark.parametrize("liquid_alpha", [0, 1])
def test_where_validators_err_a_copy_is_worth_no_more_than_a_late_look_on_average(liquid_alpha):
    late = copied = least = 0
    for seed in range(12):
        paid = earned(
            seen_by_all(changing(seed), noise_ppm=20_000, seed=seed),
            liquid_alpha=liquid_alpha,
            smoothing=False,
        )
        late, copied = late + paid[LATE], copied + paid[COPIER]
        least += min(paid[honest] for honest in HONEST)

    assert copied <= late * 101 // 100
    assert copied < least


def test_where_nothing_changes_the_late_and_the_copier_are_as_right_as_the_others():
    still = np.tile(changing(1)[0], (EPOCHS + 1, 1))

    paid = earned(seen_by_all(still), liquid_alpha=0, smoothing=False)

    assert paid[COPIER] == pytest.approx(paid[0], abs=10 * EPOCHS)

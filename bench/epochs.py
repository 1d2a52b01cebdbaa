"""All 128 full subnets close an epoch: scores read, maths, database, ledger.

Eight subnets are measured, one epoch each, and scaled to 128: the rows of 1.6 million scores would take longer to
make than to pay. Each has 256 neurons; 64 validators, with stake of their own, score a result of each of the
192 miners; it is the second epoch, so that there are bonds, moving averages and a bundle to follow. Epochs are
closed through compute.close_epoch, one after the other, as a worker does. The parts are timed where they happen:
`rule and consensus` is payroll.settle, with CEL in its child processes.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from unittest import mock

from bench import _crowd, _world
from bench.figures import Figure
from compute import operations as compute
from compute import queries as work
from subnets import consensus, payroll, queries
from subnets.operations import epochs

SUBNETS, MEASURED = 128, 8
TARGET_S = 20.0
SETTLED = timedelta(minutes=2)  # after the end of an epoch, when nothing is on its way any more

# What is timed, by the name of its figure: where it is looked up, and its name there.
PARTS = {
    "scores read": (work, "gather"),
    "accrued and read under the network's row": (epochs, "begin"),
    "metrics measured": (payroll, "measured"),
    "rule and consensus": (payroll, "settle"),
    "consensus alone": (consensus, "run_yuma"),
    "bundle made and packed": (epochs, "prove"),
    "written and paid": (epochs, "conclude"),
}


def measure() -> Iterator[Figure]:
    """Close the second epoch of full subnets."""
    with _world.opened():
        keys = _crowd.hotkeys()
        netuids = range(1, MEASURED + 1)
        _crowd.founded(netuids, keys)
        for number in (0, 1):
            for netuid in netuids:
                _crowd.worked(netuid, keys, at=_crowd.at_block(number * _crowd.TEMPO + 10))
        close(number=1)
        spent: dict[str, float] = {}
        with clocked(spent):
            started = time.perf_counter()
            close(number=2)
            taken_s = time.perf_counter() - started
    scale = SUBNETS / MEASURED
    yield Figure(
        name=f"{SUBNETS} full subnets' epochs (from {MEASURED})",
        value=taken_s * scale,
        unit="s",
        target=TARGET_S,
    )
    for said, part_s in spent.items():
        yield Figure(name=f"  of it: {said}", value=part_s * scale, unit="s")


def close(*, number: int) -> None:
    """Close an epoch of every subnet. Raises: RuntimeError when one did not close, or paid no miner."""
    now = _crowd.at_block(number * _crowd.TEMPO) + SETTLED
    due = queries.due_epochs(now)
    closed = [compute.close_epoch(due=one, now=now) for one in due]
    if [epoch and epoch.number for epoch in closed] != [number] * MEASURED:
        raise RuntimeError("an epoch did not close")
    if not all(epoch and epoch.miners_rao for epoch in closed):
        raise RuntimeError("an epoch paid no miner")


@contextmanager
def clocked(spent: dict[str, float]) -> Iterator[None]:
    """Add up the seconds spent in each part."""
    with ExitStack() as patches:
        for said, (place, name) in PARTS.items():
            patches.enter_context(mock.patch.object(place, name, _timed(place, name, said, spent)))
        yield


def _timed(place: object, name: str, said: str, spent: dict[str, float]) -> object:
    work = getattr(place, name)

    def timed(*args: object, **kwargs: object) -> object:
        started = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            spent[said] = spent.get(said, 0.0) + time.perf_counter() - started

    return timed

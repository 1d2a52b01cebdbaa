"""All 128 full subnets close an epoch: scores read, maths, database, ledger.

Eight subnets are measured, one epoch each, and scaled to 128: the rows of 1.6 million scores would take longer to
make than to pay. Each has 256 neurons; 64 validators, with stake of their own, score a result of each of the
192 miners; it is the second epoch, so that there are bonds, moving averages and a bundle to follow. Epochs are
closed through compute.close_epoch, one after the other, as a worker does. The parts are timed where they happen:
`rule and consensus` is payroll.settle, with CEL in its child processes. The target is that of the one process.

Celery has several workers, so the same is done once more by two processes, half of the subnets each: what keeps
them from taking half the time is what they wait for each other, and the machine's cores, which PostgreSQL shares.
"""

import multiprocessing
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from unittest import mock

from django.db import connection

from bench import _crowd, _world
from bench.figures import Figure
from compute import operations as compute
from compute import queries as work
from subnets import consensus, payroll, queries
from subnets.models import Hotkey
from subnets.operations import epochs

SUBNETS, MEASURED = 128, 8
TARGET_S = 20.0
WORKERS = 2
WAIT_S = 600  # for the slower worker; longer than the whole measurement takes
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
    """Close the second epoch of full subnets in this process, and a later one in two."""
    netuids = range(1, MEASURED + 1)
    with _world.opened():
        keys = _crowd.hotkeys()
        _crowd.founded(netuids, keys)
        _work(netuids, keys, epochs=(1, 2, 4))
        close(netuids, number=1)
        spent: dict[str, float] = {}
        with clocked(spent):
            started = time.perf_counter()
            close(netuids, number=2)
            taken_s = time.perf_counter() - started
        shared_s = closed_by_workers(netuids)
    scale = SUBNETS / MEASURED
    yield Figure(
        name=f"{SUBNETS} full subnets' epochs (from {MEASURED})",
        value=taken_s * scale,
        unit="s",
        target=TARGET_S,
    )
    for said, part_s in spent.items():
        yield Figure(name=f"  of it: {said}", value=part_s * scale, unit="s")
    yield Figure(name=f"  the same, {WORKERS} processes at once", value=shared_s * scale, unit="s")


def _work(netuids: range, keys: list[Hotkey], *, epochs: Iterable[int]) -> None:
    for number in epochs:
        for netuid in netuids:
            _crowd.worked(netuid, keys, at=_crowd.at_block((number - 1) * _crowd.TEMPO + 10))


def close(netuids: Iterable[int], *, number: int) -> None:
    """Close an epoch of every subnet. Raises: RuntimeError when one did not close, or paid no miner."""
    now = _crowd.at_block(number * _crowd.TEMPO) + SETTLED
    due = [one for one in queries.due_epochs(now) if one.netuid in set(netuids)]
    closed = [compute.close_epoch(due=one, now=now) for one in due]
    if [epoch and epoch.number for epoch in closed] != [number] * len(list(netuids)):
        raise RuntimeError("an epoch did not close")
    if not all(epoch and epoch.miners_rao for epoch in closed):
        raise RuntimeError("an epoch paid no miner")


def closed_by_workers(netuids: range) -> float:
    """Return the seconds in which processes close epoch 4, each its part of the subnets, all at once."""
    spawn = multiprocessing.get_context("spawn")
    gate = spawn.Barrier(WORKERS + 1, timeout=WAIT_S)
    name = connection.settings_dict["NAME"]
    workers = [
        spawn.Process(target=_worker, args=(name, netuids[place::WORKERS], gate), daemon=True)
        for place in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    gate.wait()
    started = time.perf_counter()
    gate.wait()
    taken_s = time.perf_counter() - started
    for worker in workers:
        worker.join()
    return taken_s


def _worker(name: str, netuids: range, gate: Barrier) -> None:
    """Close epoch 4; before, epoch 3, in which nobody scored: a worker that has run for a while is warm."""
    connection.settings_dict["NAME"] = name
    try:
        close(netuids, number=3)
        gate.wait()
        close(netuids, number=4)
        gate.wait()
    except BaseException:
        gate.abort()
        raise
    finally:
        connection.close()


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

"""What machines say they used, counted once, within what is possible, beside the work of those that were measured."""

from datetime import timedelta

import pytest

from compute import operations, queries
from compute.models import EnergyDay, Machine
from compute.operations.machines import POWER_MAX_W, EnergyRead
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
RUN, LATER_RUN = "a" * 32, "b" * 32
KWH_MJ = 3_600_000_000


@pytest.fixture
def miner():
    return make.miner(make.subnet())


def report(miner, energy, *, now):
    machine = Machine.objects.get(pk=miner.machine_id)
    return operations.report_machine(
        hotkey=miner.hotkey,
        owner=miner.owner,
        name=machine.name,
        cpu_model=machine.cpu_model,
        cpu_count=4,
        memory_bytes=2**33,
        gpus=[{"name": "A card", "memory_bytes": 2**34, "uuid": "GPU-1"}],
        blueprints=["matmul"],
        concurrency=2,
        energy=energy,
        now=now,
    )


def used_mj():
    return sum(EnergyDay.objects.values_list("used_mj", flat=True))


def test_reports_of_one_run_are_counted_on_and_one_that_came_twice_once(miner):
    report(miner, EnergyRead(RUN, 50_000), now=NOW + SECOND)
    for _ in range(2):
        report(miner, EnergyRead(RUN, 80_000), now=NOW + 10 * SECOND)
    report(miner, EnergyRead(LATER_RUN, 7_000), now=NOW + 20 * SECOND)

    assert used_mj() == 87_000


def test_more_than_a_machine_can_draw_is_not_believed(miner):
    report(miner, EnergyRead(RUN, 2**59), now=NOW + 10 * SECOND)

    assert used_mj() == POWER_MAX_W * 10_000


def test_what_is_not_measured_is_none_and_not_nothing(miner):
    report(miner, None, now=NOW + SECOND)

    assert queries.energy(NOW).kwh is None
    assert queries.energy(NOW).jobs_per_kwh is None
    found = queries.capacity(NOW + SECOND)
    assert (found.machine_count, found.metered_count) == (1, 0)
    assert (found.places, found.gpu_memory_bytes) == (2, 2**34)


def test_jobs_are_counted_where_energy_was_measured(miner):
    judge = make.validator(miner.netuid)
    other = make.miner(miner.netuid)
    for _ in range(2):
        make.job(miner.netuid)
    for lease in make.dispatched():
        by = miner if lease.machine_id == miner.machine_id else other
        result = make.returned(lease, by)
        make.scored(result, judge)
        operations.settle_job(job_id=result.job_id, now=NOW)
    report(miner, EnergyRead(RUN, 100), now=NOW + SECOND)
    EnergyDay.objects.update(used_mj=KWH_MJ // 2)

    found = queries.energy(NOW + SECOND)

    assert (found.machine_count, found.jobs_verified_count) == (1, 1)
    assert found.jobs_per_kwh == 2.0
    assert queries.energy(NOW + timedelta(days=queries.ENERGY_DAYS)).kwh is None

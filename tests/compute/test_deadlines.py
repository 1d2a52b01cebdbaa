"""How long a machine has for a job."""

from datetime import timedelta

import pytest

from compute import deadlines
from compute.blueprints import BLUEPRINTS
from compute.deadlines import Hardware

FLOOR = timedelta(seconds=60)


def lease_s(work_units, on, *, blueprint="language"):
    lease = deadlines.lease_for(blueprint=blueprint, work_units=work_units, on=on, floor=FLOOR)
    return lease.total_seconds()


@pytest.mark.parametrize(
    ("cpu_count", "gpu_count", "expected"),
    [(1, 0, Hardware.SMALL), (8, 0, Hardware.CPU), (1, 1, Hardware.GPU), (64, 8, Hardware.GPU)],
)
def test_a_machine_has_the_class_of_what_it_computes_with(cpu_count, gpu_count, expected):
    assert deadlines.hardware(cpu_count=cpu_count, gpu_count=gpu_count) is expected


def test_the_weaker_the_hardware_the_more_time_for_the_same_work():
    assert [lease_s(800, on) for on in Hardware] == [600.0, 240.0, 60.0]


def test_no_job_has_less_than_the_floor_nor_more_than_an_hour():
    assert lease_s(1, Hardware.SMALL) == 60
    assert lease_s(10**9, Hardware.GPU) == 3_600


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_every_blueprint_has_a_rate_on_every_hardware(blueprint):
    assert all(lease_s(1, on, blueprint=blueprint) == 60 for on in Hardware)

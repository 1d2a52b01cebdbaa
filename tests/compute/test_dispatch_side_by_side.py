"""Sweeps that dispatch at once: every job goes to one machine, and no machine gets more than it has places."""

import threading

import pytest
from django.db import connection

from compute import operations, scheduling
from compute.models import Job, Lease
from tests import make
from tests.make import NOW


@pytest.mark.django_db(transaction=True)
def test_sweeps_side_by_side_give_every_job_to_one_machine(transactional_db):
    netuid, owner = make.subnet(), make.rich_owner(10)
    make.miner(netuid, concurrency=64)
    for number in range(12):
        make.job(netuid, owner, key=f"job:{number}")
    start = threading.Barrier(3)

    def sweep():
        try:
            start.wait()
            operations.dispatch_queued(now=NOW, limit=6)
        finally:
            connection.close()

    sweeps = [threading.Thread(target=sweep) for _ in range(3)]
    for each in sweeps:
        each.start()
    for each in sweeps:
        each.join()
    make.dispatched()

    leased = list(Lease.objects.values_list("job_id", flat=True))
    assert len(leased) == len(set(leased)) == 12


@pytest.mark.django_db(transaction=True)
def test_sweeps_that_choose_one_machine_at_once_give_it_no_more_than_its_places(
    transactional_db, monkeypatch
):
    netuid, owner = make.subnet(), make.rich_owner(10)
    make.miner(netuid, concurrency=3)
    for number in range(8):
        make.job(netuid, owner, key=f"job:{number}")
    both_have_chosen, choose = threading.Barrier(2), scheduling.match

    def chosen_together(*given, **named):
        found = choose(*given, **named)
        both_have_chosen.wait(timeout=60)
        return found

    monkeypatch.setattr(scheduling, "match", chosen_together)
    offered = []

    def sweep():
        try:
            offered.append(operations.dispatch_queued(now=NOW, limit=4))
        finally:
            connection.close()

    sweeps = [threading.Thread(target=sweep) for _ in range(2)]
    for each in sweeps:
        each.start()
    for each in sweeps:
        each.join()

    assert sorted(offered) == [0, 3]
    assert Lease.objects.count() == Job.objects.filter(state=Job.State.LEASED).count() == 3

"""A miner that takes many small jobs together hands them in together, and loses none by one that is refused."""

import pytest

from neurons.client import Refused
from neurons.workloads import matmul
from tests.neurons.fake_network import FakeNetwork
from tests.neurons.test_neurons import RNG, Said, miner_of


@pytest.fixture
def network():
    made = FakeNetwork()
    made.jobs = [("matmul", matmul.make(RNG, 8)) for _ in range(3)]
    return made


@pytest.fixture
def said(tmp_path):
    said = Said()
    said.folder = tmp_path
    return said


def test_a_miner_that_takes_many_jobs_together_hands_them_in_together(network, said):
    miner = miner_of(network, said, jobs_at_once=8)

    miner.step()

    assert network.machines[0]["concurrency"] == 8
    assert len(said.of("job_done")) == len(network.samples) == 3
    assert network.seen[-1] == "POST /api/v1/results/"
    assert list(miner.outbox.waiting()) == []


def test_of_results_handed_in_together_one_that_is_refused_keeps_none_from_the_server(
    network, said
):
    miner = miner_of(network, said, jobs_at_once=8)
    submit, bodies = miner.client.submit_results, []

    def refusing(results):
        bodies.append(results)
        network.bad_leases = {next(iter(results))}
        return submit(results)

    miner.client.submit_results = refusing
    miner.step()

    assert [len(each) for each in bodies] == [3]
    assert (len(said.of("job_done")), len(said.of("result_refused"))) == (2, 1)
    assert list(miner.outbox.waiting()) == []


def test_a_batch_that_the_server_cannot_read_is_handed_in_one_by_one(network, said):
    miner = miner_of(network, said, jobs_at_once=8)

    def unreadable(results):
        raise Refused(status=400, code="invalid_input", detail="")

    miner.client.submit_results = unreadable
    miner.step()

    assert len(said.of("job_done")) == len(network.samples) == 3

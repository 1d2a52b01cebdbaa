"""Each model of a language subnet is measured: planted jobs are asked of any, orders of the first, and results name it."""

import pytest

from compute import operations, queries
from compute.gateway import leases
from compute.models import Job, Lease, Result
from compute.serving import MODELS_MEASURED_MAX, Kind, ModelTerms, measured_models
from tests import make
from tests.compute.test_asked_leases import tells_as_asked
from tests.compute.tunnel_world import Village


@pytest.fixture
def village(tmp_path, monkeypatch, db):
    built = Village(tmp_path, monkeypatch)
    built.serve("other")
    return built


def plant(village):
    operations.plant_known_answers(netuid=village.netuid, now=village.now)
    return village.offered()


@pytest.mark.parametrize("drawn", ["gemma", "other"])
def test_a_planted_job_is_asked_of_a_model_that_is_drawn_and_its_result_says_of_which(
    village, drawn, monkeypatch
):
    _, end = village.miner(tells_as_asked, models=("gemma", "other"))
    judge = make.validator(village.netuid, now=village.now)
    monkeypatch.setattr(
        leases.secrets, "choice", lambda of: next((one for one in of if getattr(one, "name", "") == drawn), of[0])
    )  # fmt: skip
    plant(village)

    village.run()

    assert {frame["body"]["model"] for frame in end.asked} == {drawn}
    assert set(Result.objects.values_list("model", flat=True)) == {drawn}
    given = {"validator": judge.hotkey, "owner": judge.owner, "netuid": village.netuid, "limit": 5}
    assert {sample.payload["model"] for sample in queries.samples(**given)} == {drawn}


def test_a_machine_that_serves_another_model_alone_is_measured_and_gets_no_order(village):
    neuron, end = village.miner(tells_as_asked, models=("other",))
    village.order()

    [lease] = plant(village)

    assert (lease.hotkey, lease.job.origin) == (neuron.hotkey, Job.Origin.CANARY)
    village.run()
    assert {frame["body"]["model"] for frame in end.asked} == {"other"}
    assert Lease.objects.count() == 1


def test_an_order_is_asked_of_the_first_model(village):
    _, end = village.miner(tells_as_asked, models=("gemma", "other"))
    village.order()
    village.offered()

    village.run()

    assert [frame["body"]["model"] for frame in end.asked] == ["gemma"]


def test_a_subnet_has_a_bounded_number_of_models_measured_and_none_that_is_no_chat():
    chats = [
        ModelTerms(f"m{number:02}", 3, Kind.CHAT, 4_096, 64, 1, 1, 0) for number in range(12, 0, -1)
    ]
    vectors = ModelTerms("a", 3, Kind.EMBEDDINGS, 4_096, 0, 1, 0, 0)

    found = measured_models([vectors, *chats])

    assert [terms.name for terms in found[3]] == [f"m{n:02}" for n in range(1, MODELS_MEASURED_MAX + 1)]  # fmt: skip

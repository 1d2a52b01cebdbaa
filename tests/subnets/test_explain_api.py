"""Why a neuron was paid: public over REST once the epoch has closed."""

import pytest
from django.test import Client

from subnets import explain, limits, queries
from subnets.metrics import METRICS
from subnets.models import Epoch
from tests.compute.wire import refusal
from tests.subnets import town

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(transactional_db):
    found = town.founded()
    for _ in range(2):
        town.closed(found)
    return found


def asked(netuid, number, uid):
    return Client().get(f"/api/v1/subnets/{netuid}/epochs/{number}/neurons/{uid}/")


def test_anybody_reads_why_a_miner_was_paid(place):
    best = place.miners[0]

    answer = asked(place.netuid, 2, best.uid)

    assert answer.status_code == 200
    body = answer.json()
    assert (body["hotkey"], body["number"]) == (best.hotkey, 2)
    assert int(body["miner_rao"]) > 0
    assert [view["hotkey"] for view in body["views"]] == [v.hotkey for v in place.validators]
    metrics = body["views"][0]["metrics"]
    assert metrics["quality"] == 1.0
    assert {name for name in metrics if isinstance(metrics[name], int)} == {
        name for name, metric in METRICS.items() if metric.type == "int"
    }
    assert body["sentences"][0].startswith(f"Epoch 2 of subnet {place.netuid} paid uid {best.uid}")


def test_an_explanation_is_kept_for_an_hour_for_the_words_may_be_mended(place):
    kept = asked(place.netuid, 2, 0).headers["Cache-Control"]

    assert {part.strip() for part in kept.split(",")} == {"public", "max-age=3600"}


def test_an_explanation_is_computed_once_for_many_who_ask(place, monkeypatch):
    first = asked(place.netuid, 2, 0)
    monkeypatch.setattr(queries, "explanation", lambda *_: pytest.fail("computed again"))

    assert asked(place.netuid, 2, 0).content == first.content


def test_explanations_of_other_uids_and_epochs_are_kept_apart(place):
    answers = [asked(place.netuid, number, uid).json() for number in (1, 2) for uid in (0, 1)]

    assert [(body["number"], body["uid"]) for body in answers] == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_one_address_is_slowed_down_whatever_it_says_of_itself(place, monkeypatch):
    monkeypatch.setattr(limits.ExplanationThrottle, "usual_rate", "2/min")
    url = f"/api/v1/subnets/{place.netuid}/epochs/2/neurons/0/"

    answers = [Client().get(url, headers={"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert refusal(answers[2]) == (429, "throttled")
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert Client(REMOTE_ADDR="127.0.0.9").get(url).status_code == 200


def test_what_was_kept_for_replays_explains_the_same_as_the_bundle(place):
    for neuron in (*place.validators, *place.miners):
        public = Epoch.objects.get(number=2).bundle
        assert queries.explanation(place.netuid, 2, neuron.uid) == explain.of_bundle(
            public, uid=neuron.uid
        )


def test_an_epoch_that_has_not_closed_is_not_explained(place):
    assert refusal(asked(place.netuid, 3, 0)) == (404, "epoch_unknown")
    assert refusal(asked(99, 1, 0)) == (404, "subnet_unknown")


def test_a_uid_that_nobody_held_is_not_explained(place):
    assert refusal(asked(place.netuid, 2, 200)) == (404, "uid_unknown")


def test_the_page_of_a_neuron_says_why_for_the_epoch_that_is_asked_for(place):
    best = place.miners[0]
    page = f"/neurons/{best.hotkey}/"

    newest = Client().get(page).content.decode()
    first = Client().get(page, {"why": f"{place.netuid}-1"}).content.decode()
    nonsense = Client().get(page, {"why": "1-99"}).content.decode()

    assert "Why this pay" in newest
    assert f"Epoch 2 paid uid {best.uid}" in newest
    assert "nothing clipped." in newest
    assert f"Epoch 1 paid uid {best.uid}" in first
    assert "its permit begins with the next epoch" in first
    assert f"Epoch 2 paid uid {best.uid}" in nonsense


def test_the_page_of_a_validator_says_what_it_gave_and_who_was_paid(place):
    page = Client().get(f"/neurons/{place.validators[0].hotkey}/").content.decode()

    assert "As a validator" in page
    assert "its bond before and now" in page
    assert f"uid {place.miners[0].uid}" in page


@pytest.mark.parametrize("netuid", [0, 99])
def test_the_epochs_of_a_subnet_that_does_not_exist_are_not_an_empty_list(place, netuid):
    answer = Client().get(f"/api/v1/subnets/{netuid}/epochs/")

    assert refusal(answer) == (404, "subnet_unknown")
    assert len(Client().get(f"/api/v1/subnets/{place.netuid}/epochs/").json()["results"]) == 2

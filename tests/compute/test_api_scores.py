"""Samples and scores over REST, and how a hotkey stands."""

from uuid import uuid4

import pytest

from compute.api import serializers
from compute.models import Score
from ledger.money import RAO_PER_TAO as TAO
from tests import make
from tests.compute import wire
from tests.compute.wire import as_json, judged, refusal, signed

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def netuid(db):
    return make.subnet(now=wire.now())


@pytest.fixture
def key(db):
    return make.linked(make.user().pk, now=wire.now())


def test_a_validator_fetches_what_it_has_to_judge(netuid):
    result, validator = judged(netuid)

    answer = signed(validator.key, "GET", f"samples/?netuid={netuid}&limit=20")

    assert answer.status_code == 200
    [sample] = answer.json()["samples"]
    assert sample["result_id"] == str(result.pk)
    assert sample["output"] == result.output
    assert sample["known_answer"] is None


def test_somebody_without_stake_sees_no_samples(netuid):
    judged(netuid)
    nosy = wire.miner(netuid)

    answer = signed(nosy.key, "GET", f"samples/?netuid={netuid}")

    assert refusal(answer) == (403, "not_a_validator")


@pytest.mark.parametrize(
    "query", ["", "netuid=0", "netuid=129", "netuid=x", "netuid=1&limit=21", "netuid=1&limit=0"]
)
def test_a_question_for_samples_beyond_the_bounds_is_refused(key, query):
    path = f"samples/?{query}" if query else "samples/"

    assert refusal(signed(key, "GET", path)) == (400, "invalid_input")


def test_a_score_is_taken_and_a_bad_one_beside_it_refused(netuid):
    result, validator = judged(netuid)
    good = as_json(make.score(result, validator))
    lost = good | {"result_id": str(uuid4())}

    answer = signed(validator.key, "POST", "scores/", {"scores": [good, lost]})

    assert answer.status_code == 201
    assert answer.json() == {
        "accepted_count": 1,
        "refused": [{"result_id": lost["result_id"], "code": "result_unknown"}],
    }


@pytest.mark.parametrize("sign", ["\n", "\x1b", "\u202e", "\u200b"])
def test_words_of_a_score_that_cannot_be_shown_are_refused(netuid, sign):
    result, validator = judged(netuid)
    score = make.score(result, validator, reason=f"right{sign}thgir")

    answer = signed(validator.key, "POST", "scores/", {"scores": [as_json(score)]})

    assert refusal(answer) == (422, "text_refused")
    assert answer.json()["name"] == "reason"
    assert not Score.objects.exists()


def test_a_score_sent_twice_at_once_counts_once(netuid):
    result, validator = judged(netuid)
    score = as_json(make.score(result, validator))

    answer = signed(validator.key, "POST", "scores/", {"scores": [score, score]})

    assert answer.json() == {"accepted_count": 1, "refused": []}
    assert Score.objects.count() == 1


def test_the_words_of_a_score_are_kept_to_the_blank(netuid):
    result, validator = judged(netuid)
    score = make.score(result, validator, reason="  right ")

    answer = signed(validator.key, "POST", "scores/", {"scores": [as_json(score)]})

    assert answer.json()["accepted_count"] == 1
    assert Score.objects.get().reason == "  right "


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("score_ppm", 1_000_001),
        ("score_ppm", -1),
        ("reason", "x" * 201),
        ("reason", "a\0b"),
        ("result_id", "1"),
        ("signature", ""),
    ],
)
def test_a_score_beyond_the_bounds_is_refused(netuid, field, value):
    result, validator = judged(netuid)
    score = as_json(make.score(result, validator)) | {field: value}

    answer = signed(validator.key, "POST", "scores/", {"scores": [score]})

    assert refusal(answer) == (400, "invalid_input")
    assert not Score.objects.exists()


def test_more_scores_than_a_request_carries_are_refused(netuid):
    result, validator = judged(netuid)
    score = as_json(make.score(result, validator))

    answer = signed(
        validator.key, "POST", "scores/", {"scores": [score] * (serializers.SCORES_MAX + 1)}
    )

    assert refusal(answer) == (400, "invalid_input")
    assert not Score.objects.exists()


def test_a_hotkey_reads_how_it_stands(netuid):
    result, validator = judged(netuid)
    miner_key = result.hotkey

    body = signed(validator.key, "GET", "hotkeys/me/").json()

    assert body["hotkey"] == validator.hotkey != miner_key
    assert body["owner"] == str(validator.owner)
    [neuron] = body["neurons"]
    assert (neuron["netuid"], neuron["uid"], neuron["stake_rao"]) == (
        netuid,
        validator.uid,
        str(1_000 * TAO),
    )
    assert (body["payouts"], body["scores"]) == ([], [])

"""The market's side of a workload: forms, prices, and canaries that pass their own check."""

import numpy as np
import pytest

from compute.blueprints import BLUEPRINTS, blueprint
from compute.blueprints.embeddings.sentences import sentence
from compute.errors import BlueprintUnknown, OutputInvalid, PayloadInvalid
from neurons import protocol
from neurons.workloads import KINDS
from subnets.default_rules import DEFAULT_RULES
from subnets.models import Blueprint as Kinds
from tests.neurons.kit import CASES


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_every_workload_has_a_blueprint_and_the_other_way_round():
    assert set(BLUEPRINTS) == set(KINDS) == set(DEFAULT_RULES) == set(Kinds.values)


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(BlueprintUnknown) as refusal:
        blueprint("folding")

    assert refusal.value.fields == {"kind": "folding"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_canary_is_well_formed_and_its_answer_scores_full(kind, rng):
    payload, known = blueprint(kind).make_canary(rng)
    answer = known or CASES[kind].workload.run(payload)

    assert blueprint(kind).check_payload(payload) == payload
    assert blueprint(kind).check_output(payload, answer) == answer
    for known_answer in (answer, None):
        points, _ = CASES[kind].workload.check(
            payload=payload, output=answer, known_answer=known_answer, rng=rng
        )
        assert points == 1_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_no_canary_comes_twice(kind, rng):
    digests = [
        protocol.output_digest(blueprint(kind).make_canary(rng)[0]["sentences"])
        if kind == "embeddings"
        else protocol.output_digest(blueprint(kind).make_canary(rng)[0])
        for _ in range(20)
    ]

    assert len(set(digests)) == 20


def test_composed_sentences_are_new_each_time_and_fit_a_payload(rng):
    composed = [sentence(rng) for _ in range(20_000)]

    # Two of 20 000 draws from fewer than 10**9 sentences would be equal in about one run of five.
    assert len(composed) - len(set(composed)) <= 1
    assert 30 < min(map(len, composed)) <= max(map(len, composed)) < 140
    assert not any("{" in each for each in composed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_malformed_payload_is_refused_with_its_problem(kind):
    with pytest.raises(PayloadInvalid) as refusal:
        blueprint(kind).check_payload({"wrong": 1})

    assert refusal.value.code == "payload_invalid"
    assert refusal.value.http_status == 422
    assert "exactly the field" in str(refusal.value.fields["problem"])


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_of_the_wrong_form_is_refused_with_its_problem(kind, rng):
    payload, _ = blueprint(kind).make_canary(rng)

    with pytest.raises(OutputInvalid) as refusal:
        blueprint(kind).check_output(payload, {"wrong": 1})

    assert refusal.value.code == "output_invalid"
    assert "exactly the field" in str(refusal.value)


def test_matmul_is_priced_by_the_cube_of_its_size():
    price = blueprint("matmul").price_rao

    assert price({"n": 1}) == 500
    assert price({"n": 128}) == 2_097 * 500
    assert price({"n": 256}) == 16_777 * 500


def test_embeddings_are_priced_by_the_length_of_their_texts():
    price = blueprint("embeddings").price_rao

    assert price({"sentences": ["a"]}) == 3 * 2_000
    assert price({"sentences": ["a" * 60]}) == 17 * 2_000
    assert price({"sentences": ["a" * 60, "a" * 61]}) == (17 + 18) * 2_000

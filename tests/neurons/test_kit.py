"""What holds for every kind of work."""

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurons import protocol
from neurons.workloads import KINDS
from tests.neurons.kit import CASES

every_kind = pytest.mark.parametrize("kind", KINDS)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def score(kind, payload, output, known_answer=None):
    return CASES[kind].workload.check(
        payload=payload, output=output, known_answer=known_answer, rng=np.random.default_rng(9)
    )


def test_every_kind_of_work_has_a_case():
    assert set(CASES) == set(KINDS)
    assert all(kind == case.workload.KIND for kind, case in CASES.items())


@every_kind
def test_right_work_scores_full_with_a_known_answer_and_without(kind, rng):
    payload = CASES[kind].payload(rng)
    output = CASES[kind].workload.run(payload)

    for known_answer in (None, output):
        points, reason = score(kind, payload, output, known_answer)
        assert points == 1_000_000
        assert 0 < len(reason) <= 200


@every_kind
def test_a_lie_that_looks_right_scores_nothing(kind, rng):
    payload = CASES[kind].payload(rng)
    output = CASES[kind].workload.run(payload)

    for known_answer in (None, output):
        points, reason = score(kind, payload, CASES[kind].lie(output), known_answer)
        assert points == 0
        assert 0 < len(reason) <= 200


@every_kind
def test_an_output_travels_as_json_and_keeps_its_digest(kind, rng):
    output = CASES[kind].workload.run(CASES[kind].payload(rng))

    there = json.loads(json.dumps(output))

    assert protocol.output_digest(there) == protocol.output_digest(output)


@every_kind
def test_work_done_twice_is_the_same(kind, rng):
    payload = CASES[kind].payload(rng)

    assert CASES[kind].workload.run(payload) == CASES[kind].workload.run(payload)


@every_kind
@pytest.mark.parametrize("payload", [None, [], {}, {"wrong": 1}, "text", 7])
def test_a_malformed_payload_is_refused_by_work_and_by_check(kind, payload):
    with pytest.raises(ValueError, match="payload"):
        CASES[kind].workload.run(payload)
    with pytest.raises(ValueError, match="payload"):
        score(kind, payload, {})


@cache
def right_work(kind):
    payload = CASES[kind].payload(np.random.default_rng(8))
    return payload, CASES[kind].workload.run(payload)


@every_kind
@settings(max_examples=40, deadline=None)  # the first of a process loads a model
@given(output=junk, place=st.integers(0, 3))
def test_whatever_a_miner_sends_is_scored_and_never_raises(kind, output, place):
    payload, right = right_work(kind)
    field = sorted(right)[place % len(right)]

    for sent in (output, right | {field: output}):
        points, reason = score(kind, payload, sent, right)
        assert 0 <= points <= 1_000_000
        assert 0 < len(reason) <= 200

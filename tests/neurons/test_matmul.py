"""The product is exact, a wrong one is found, garbage scores 0."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.replication import missed_by_freivalds
from neurons.workloads import WORKLOADS, matmul


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def score(payload, output, known_answer=None, seed=11):
    """Check with a challenge drawn from `seed`."""
    return matmul.check(
        payload=payload,
        output=output,
        known_answer=known_answer,
        rng=np.random.default_rng(seed),
    )


def int8(text, n):
    return np.frombuffer(base64.b64decode(text), dtype=np.int8).reshape(n, n)


def altered(output, position, delta=1):
    """Change one element of a product."""
    product = np.frombuffer(base64.b64decode(output["c"]), dtype="<i4").copy()
    product[position] += delta
    return {"c": base64.b64encode(product.tobytes()).decode()}


def test_the_registry_finds_the_workload():
    assert WORKLOADS["matmul"] is matmul


@pytest.mark.parametrize("n", [1, 2, 17, 128, 256])
def test_the_product_is_exact_to_the_bit(rng, n):
    payload = matmul.make(rng, n)

    product = np.frombuffer(base64.b64decode(matmul.run(payload)["c"]), dtype="<i4")

    expected = int8(payload["a"], n).astype(np.int64) @ int8(payload["b"], n).astype(np.int64)
    assert np.array_equal(product.reshape(n, n), expected)


def test_the_largest_sums_are_exact():
    n = matmul.N_MAX
    lowest = base64.b64encode(np.full((n, n), -128, dtype=np.int8).tobytes()).decode()

    product = matmul.run({"n": n, "a": lowest, "b": lowest})

    values = np.frombuffer(base64.b64decode(product["c"]), dtype="<i4")
    assert set(values.tolist()) == {n * 128 * 128}


def test_the_right_product_scores_full_by_freivalds_and_by_the_known_answer(rng):
    payload = matmul.make(rng, 32)
    output = matmul.run(payload)

    assert score(payload, output)[0] == 1_000_000
    assert score(payload, output, known_answer=output)[0] == 1_000_000


@pytest.mark.parametrize("position", [0, 500, 1023])
@pytest.mark.parametrize("delta", [1, -1, 2**30])
def test_one_altered_element_scores_zero_with_a_reason(rng, position, delta):
    payload = matmul.make(rng, 32)
    output = matmul.run(payload)
    wrong = altered(output, position, delta)

    assert score(payload, wrong) == (0, "the product is wrong (Freivalds)")
    assert score(payload, wrong, known_answer=output) == (0, "differs from the known answer")


def test_a_tampered_product_is_found_with_every_challenge(rng):
    payload = matmul.make(rng, 8)
    wrong = altered(matmul.run(payload), 5)

    assert [score(payload, wrong, seed=seed)[0] for seed in range(300)] == [0] * 300


def tampered(rng, n, delta):
    """Return two factors and their product with one element off by delta, somewhere."""
    a, b = (rng.integers(-128, 128, size=(n, n), dtype=np.int8) for _ in range(2))
    product = (a.astype(np.int64) @ b.astype(np.int64)).astype(np.int32)
    product[tuple(rng.integers(n, size=2))] += delta
    return a, b, product


@pytest.mark.parametrize(
    ("challenge_range", "rounds"), [(2, 1), (2, 3), (16, 1), (16, 2), (251, 1)]
)
def test_one_altered_element_is_missed_as_often_as_the_bound_says(rng, challenge_range, rounds):
    factors = [tampered(rng, 8, 1) for _ in range(20)]

    missed = [
        matmul.freivalds(*factors[n % 20], rng, challenge_range=challenge_range, rounds=rounds)
        for n in range(12_000)
    ]

    # A single altered element is the hardest case: it passes just where its row of the challenge is nought.
    expected = missed_by_freivalds(challenge_range=challenge_range, rounds=rounds)
    spread = (expected * (1 - expected) / len(missed)) ** 0.5
    assert abs(np.mean(missed) - expected) < 4 * spread


def test_no_altered_element_is_missed_in_the_rounds_that_are_made(rng):
    assert missed_by_freivalds(
        challenge_range=matmul.CHALLENGE_RANGE, rounds=matmul.ROUNDS
    ) == pytest.approx(2.0**-69)

    assert not any(matmul.freivalds(*tampered(rng, 8, 1), rng) for _ in range(4_000))


@pytest.mark.parametrize("prime", [2, 251, 1_048_573, 2**31 - 1])
def test_an_element_that_is_off_by_a_prime_is_found_as_any_other(rng, prime):
    a, b, product = tampered(rng, 8, 0)
    # Modulo this prime the product would be right, whatever is drawn.
    product[3, 4] = product[3, 4] - prime if product[3, 4] > 0 else product[3, 4] + prime

    assert not any(matmul.freivalds(a, b, product, rng) for _ in range(200))


def test_products_at_the_limits_of_int32_do_not_confuse_the_check(rng):
    n = matmul.N_MAX
    payload = matmul.make(rng, n)
    for extreme in (2**31 - 1, -(2**31)):
        full = np.full((n, n), extreme, dtype="<i4")

        assert score(payload, {"c": base64.b64encode(full.tobytes()).decode()})[0] == 0


@pytest.mark.parametrize(
    "output",
    [
        None,
        5,
        [],
        "c",
        {},
        {"c": None},
        {"c": 5},
        {"c": ""},
        {"c": "é" * 24},
        {"c": "A" * 10_000_000},
        {"c": "!" * 24},
        {"c": "AAAA" * 6, "d": 1},
        {"c": "AAAA" * 5 + "AA=="},
        {"c": "AAAA" * 5},
    ],
)
def test_garbage_scores_zero_with_a_reason_and_never_raises(rng, output):
    payload = matmul.make(rng, 2)

    points, reason = score(payload, output)

    assert points == 0
    assert 0 < len(reason) <= 200


json_garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(json_garbage | json_garbage.map(lambda value: {"c": value}))
def test_any_json_is_scored_without_an_exception(output):
    payload = matmul.make(np.random.default_rng(7), 2)

    assert score(payload, output)[0] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"n": 0},
        {"n": 257},
        {"n": True},
        {"n": 2.0},
        {"n": "2"},
        {"n": None},
        {"a": None},
        {"a": "AAAA"},
        {"b": "é" * 8},
        {"extra": 1},
    ],
)
def test_a_malformed_payload_is_named_and_refused_by_run(rng, change):
    payload = matmul.make(rng, 2)
    assert matmul.payload_problem(payload) is None

    broken = payload | change

    assert matmul.payload_problem(broken)
    with pytest.raises(ValueError, match=r"\w"):
        matmul.run(broken)


def test_the_same_payload_gives_the_same_text(rng):
    payload = matmul.make(rng, 64)

    assert matmul.run(payload) == matmul.run(payload)

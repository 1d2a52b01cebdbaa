"""Vectors repeat, near sentences are near, a wrong vector is found, garbage scores 0."""

import numpy as np
import pytest

from neurons import protocol
from neurons.workloads import WORKLOADS, embeddings

PAYLOAD = {"sentences": ["A cat sleeps.", "A kitten naps.", "Interest rates fell in May."]}
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def output():
    return embeddings.run(PAYLOAD)


def score(output, known_answer=None, payload=PAYLOAD):
    return embeddings.check(payload=payload, output=output, known_answer=known_answer, rng=RNG)


def with_vector(output, position, vector):
    vectors = list(output["vectors"])
    vectors[position] = vector
    return {"vectors": vectors}


def test_the_registry_finds_the_workload():
    assert WORKLOADS["embeddings"] is embeddings


def test_each_vector_has_384_numbers_and_length_one(output):
    vectors = np.array(output["vectors"])

    assert vectors.shape == (3, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_sentences_of_one_meaning_lie_closer_than_others(output):
    cat, kitten, rates = np.array(output["vectors"])

    assert cat @ kitten > 0.6
    assert cat @ rates < 0.2


def test_known_similarities_of_the_model_are_met():
    cat, kitten, tax = np.array(
        embeddings.run({"sentences": ["cat", "kitten", "quarterly tax report"]})["vectors"]
    )

    # The float32 model gives 0.788 for cat and kitten; quantised weights move the third digit.
    assert cat @ kitten == pytest.approx(0.788, abs=0.02)
    assert cat @ tax < 0.25


def test_a_vector_depends_on_its_sentence_alone(output):
    alone = embeddings.run({"sentences": [PAYLOAD["sentences"][1]]})
    reversed_order = embeddings.run({"sentences": PAYLOAD["sentences"][::-1]})

    assert alone["vectors"][0] == output["vectors"][1]
    assert reversed_order["vectors"][::-1] == output["vectors"]


def test_a_sentence_longer_than_the_model_reads_is_cut():
    long = {"sentences": ["東京" * 256]}

    assert score(embeddings.run(long), payload=long)[0] == 1_000_000


def test_the_digest_of_an_output_repeats(output):
    assert protocol.output_digest(embeddings.run(PAYLOAD)) == protocol.output_digest(output)


def test_right_vectors_score_full_by_re_execution_and_by_the_known_answer(output):
    assert score(output)[0] == 1_000_000
    assert score(output, known_answer=output)[0] == 1_000_000


def test_vectors_that_differ_in_rounding_only_score_full(output):
    noisy = {"vectors": [[number + 1e-4 for number in vector] for vector in output["vectors"]]}

    assert score(noisy)[0] == 1_000_000


@pytest.mark.parametrize("known", [True, False])
def test_one_wrong_vector_scores_zero_and_is_named(output, known):
    wrong = with_vector(output, 1, output["vectors"][2])

    points, reason = score(wrong, known_answer=output if known else None)

    assert points == 0
    assert "vector 1" in reason
    assert "below 0.99" in reason


def test_swapped_vectors_score_zero(output):
    cat, kitten, rates = output["vectors"]

    assert score({"vectors": [kitten, cat, rates]})[0] == 0


def test_one_coordinate_altered_much_scores_zero(output):
    first = list(output["vectors"][0])
    first[0] = 0.9

    assert score(with_vector(output, 0, first))[0] == 0


def test_a_vector_of_another_length_scores_zero(output):
    shrunk = [number / 2 for number in output["vectors"][0]]

    assert score(with_vector(output, 0, shrunk)) == (0, "vector 0 has length 0.500, not 1")


def test_a_vector_of_zeros_scores_zero(output):
    assert score(with_vector(output, 0, [0.0] * 384))[0] == 0


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        5,
        [],
        {},
        {"vectors": None},
        {"vectors": []},
        {"vectors": [[], [], []]},
        {"vectors": [None] * 3},
        {"vectors": [["x"] * 384] * 3},
        {"vectors": [[None] * 384] * 3},
        {"vectors": [[True] * 384] * 3},
        {"vectors": [[float("nan")] * 384] * 3},
        {"vectors": [[float("inf")] * 384] * 3},
        {"vectors": [[10**400] * 384] * 3},
        {"vectors": [[0.1] * 383] * 3},
        {"vectors": [[0.1] * 384] * 4},
        {"vectors": [[0.05] * 384] * 3, "more": 1},
    ],
)
def test_garbage_scores_zero_with_a_reason_and_never_raises(garbage):
    points, reason = score(garbage)

    assert points == 0
    assert 0 < len(reason) <= 200


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"sentences": []},
        {"sentences": "text"},
        {"sentences": ["a"] * 33},
        {"sentences": [""]},
        {"sentences": ["  \n"]},
        {"sentences": ["a" * 513]},
        {"sentences": ["a\0b"]},
        {"sentences": ["\ud800"]},
        {"sentences": [5]},
        {"sentences": ["a"], "model": "other"},
    ],
)
def test_a_malformed_payload_is_named_and_refused_by_run(payload):
    assert embeddings.payload_problem(payload)
    with pytest.raises(ValueError, match=r"\w"):
        embeddings.run(payload)


def test_the_vocabulary_is_the_published_one():
    import gzip
    import hashlib

    assert (
        hashlib.sha256(gzip.decompress(embeddings.VOCABULARY.read_bytes())).hexdigest()
        == "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
    )


def test_special_tokens_in_a_text_are_read_as_text():
    ids = embeddings._tokenizer().encode("[SEP] word").ids

    assert ids.count(102) == 1  # only the closing one
    assert ids[0] == 101

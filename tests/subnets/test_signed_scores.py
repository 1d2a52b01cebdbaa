"""Scores in columns are read, spelled and measured as the list of them that stands in a bundle."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurons.protocol import canonical_json
from subnets import bundle, measuring, payroll
from subnets.signed_scores import ScoredResult, SignedScores, places, signed, together, told
from tests.subnets import worlds

texts = st.text('a",\\\n\x00\x7fß€😀', max_size=5)


def columns_of(results, *, result_ids, validators, scores_ppm, reasons, signatures):
    """Put scores into columns that were given field by field."""
    judges, said = sorted(set(validators)), sorted(set(reasons))
    return SignedScores(
        results=results,
        validators=judges,
        reasons=said,
        result_at=places(result_ids, [result.result_id for result in results]),
        validator_at=places(validators, judges),
        reason_at=places(reasons, said),
        scores_ppm=np.array(scores_ppm, dtype=np.int64),
        signatures=np.array(signatures, dtype=np.bytes_),
    )


@st.composite
def windows(draw):
    """Draw scores of a few results by a few validators, no result scored twice by one."""
    results = [
        ScoredResult(
            result_id=f"r{place}",
            miner=draw(st.sampled_from(["m1", "m2", 'm"3'])),
            output_digest="0f",
            latency_ms=draw(st.integers(0, 2**31 - 1)),
            work_units=draw(st.integers(0, 2**70)),
            is_canary=draw(st.booleans()),
        )
        for place in range(draw(st.integers(1, 3)))
    ]
    score = st.tuples(
        st.integers(0, len(results) - 1),
        st.sampled_from(["alice", "bob", 'c"l']),
        st.integers(0, 1_000_000),
        texts,
        st.text("0123456789abcdef", min_size=1, max_size=5).map("0x".__add__),
    )
    rows = draw(st.lists(score, max_size=6, unique_by=lambda row: row[:2]))
    return columns_of(
        results,
        result_ids=[results[place].result_id for place, *_ in rows],
        validators=[validator for _, validator, *_ in rows],
        scores_ppm=[score_ppm for _, _, score_ppm, *_ in rows],
        reasons=[reason for *_, reason, _ in rows],
        signatures=[signature for *_, signature in rows],
    )


@given(windows())
def test_columns_are_spelled_as_the_list_they_read_like(scores):
    assert b"".join(scores.spelled()) == canonical_json([*map(signed, scores)])
    assert told(scores) == told(list(scores))
    assert together(map(signed, scores), told(scores)) == list(scores)
    assert scores[1:] == list(scores)[1:]


@pytest.mark.parametrize("odd", ['",', '","', '"', "\\", '\\",', "", "\n"])
def test_a_text_that_looks_like_json_is_spelled_as_a_text(odd):
    result = ScoredResult("r0", "m1", "0f", 100, 10, is_canary=False)
    texts = ["", odd, "plain"]
    scores = columns_of(
        [result],
        result_ids=["r0"] * 3,
        validators=["alice", "bob", odd],
        scores_ppm=[1, 2, 3],
        reasons=texts,
        signatures=["0x", "0x1", "0x23"],
    )

    assert json.loads(b"".join(scores.spelled())) == [*map(signed, scores)]
    assert b"".join(scores.spelled()) == canonical_json([*map(signed, scores)])


@given(windows(), st.sets(st.sampled_from(["alice", "bob", 'c"l', "m1", "m2", 'm"3'])))
def test_columns_are_measured_as_the_list_they_read_like(scores, seated):
    by_columns, by_rows = (
        measuring.measured(given, [], seated=seated) for given in (scores, list(scores))
    )

    assert {who: dict(table) for who, table in by_columns.items()} == {
        who: dict(table) for who, table in by_rows.items()
    }


def test_a_bundle_of_columns_is_that_of_their_list():
    record = worlds.record(scores=worlds.scores(worlds.AGREED, worlds.AGREED))
    rows = record.scores
    results = [
        ScoredResult(**{field.name: row[field.name] for field in dataclasses.fields(ScoredResult)})
        for row in rows
    ]
    columns = columns_of(
        results,
        result_ids=[row["result_id"] for row in rows],
        validators=[row["validator"] for row in rows],
        scores_ppm=[row["score_ppm"] for row in rows],
        reasons=[row["reason"] for row in rows],
        signatures=[row["signature"] for row in rows],
    )
    with worlds.quick_cel():
        paid = payroll.settle(record)
        assert payroll.settle(dataclasses.replace(record, scores=columns)) == paid

    by_rows, by_columns = (
        bundle.written(dataclasses.replace(record, scores=one), paid, previous_digest="")
        for one in (rows, columns)
    )

    assert by_rows.text == by_columns.text
    public = json.loads(by_rows.text)
    assert canonical_json(public) == by_rows.text
    assert public["record"] == bundle.record_json(record)
    assert public["payroll"] == bundle.payroll_json(paid)
    assert public["digest"] == by_rows.digest == bundle.digest(public)
    assert json.loads(by_rows.handed_on) == {
        name: public["payroll"][name] for name in bundle.HANDED_ON
    }

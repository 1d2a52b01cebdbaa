"""A rule is tried on sample miners: what can pay nobody is refused, what fails for some is a warning."""

from dataclasses import replace

import numpy as np
import pytest

from subnets import rule_document, rule_scores, rule_trial, rules
from subnets.errors import RuleInvalid, RuleTooCostly
from subnets.metrics import METRICS
from tests.subnets.rule_builders import METRIC, document, rule


def warnings(real=None, **changes):
    trial = rule_trial.tried(rule(**changes), real)
    assert trial.problems == ()
    return {item.pointer: item.detail for item in trial.warnings}


@pytest.mark.parametrize("kind", rules.DEFAULT_RULES)
def test_a_default_rule_gets_no_warning(kind):
    trial = rule_trial.tried(rules.parse(rules.DEFAULT_RULES[kind]))

    assert trial == rule_trial.Trial((), ())


@pytest.mark.parametrize(
    ("score", "why"),
    [
        ("1 / 0", "division by zero"),
        ("1.0 / 0.0", "infinite"),
        ("0.0 / 0.0", "not a number"),
        ("math.sqrt(-1)", "not a number"),
        ("9223372036854775807 + 1", "past 64 bits"),
        ("sample_count / (sample_count - sample_count)", "division by zero"),
        ("2147483648.0", "above the greatest allowed, 2147483647"),
        ("sample_count > 5 ? 1e300 : 1.0 / 0.0", "; it is above the greatest allowed"),
    ],
)
def test_a_score_that_can_be_computed_for_nobody_is_refused_at_its_place(score, why):
    with pytest.raises(RuleInvalid) as caught:
        rule_trial.checked(document(score=score))

    (problem,) = caught.value.fields["problems"]
    assert problem["pointer"] == "/score"
    assert why in problem["detail"]
    assert "any of 12 sample miners" in problem["detail"]


def test_a_score_that_fails_for_some_is_a_warning_that_names_them():
    said = warnings(score="1.0 / double(failed_count)")

    assert "a miner without a failure" in said["/score"]
    assert "infinite" in said["/score"]
    assert "paid nothing (the formula reads failed_count)" in said["/score"]
    assert rule_trial.checked(document(score="1.0 / double(failed_count)"))


def test_a_gate_that_fails_for_some_is_named_by_its_place():
    gates = [
        {"if": "true", "reason": "Never."},
        {"if": "100 / canary_count > 1", "reason": "Too few canaries."},
    ]

    said = warnings(gates=gates)

    assert list(said) == ["/gates/1/if"]
    assert "a newcomer with one result" in said["/gates/1/if"]
    assert "division by zero" in said["/gates/1/if"]


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"score": "quality - 0.5"}, "/score", "below zero and counts as zero"),
        ({"score": "double(work_units)"}, "/score", "above the greatest allowed"),
        ({"score": "0.0"}, "/score", "None of 12 sample miners would be paid"),
        (
            {"gates": [{"if": "quality > 2.0", "reason": "Never."}]},
            "/gates/0/if",
            "None of 12 sample miners passes this gate",
        ),
    ],
)
def test_what_pays_less_than_its_author_may_think_is_a_warning(changes, pointer, detail):
    assert detail in warnings(**changes)[pointer]


def test_a_rule_is_tried_on_the_last_epochs_miners_too():
    real = {"5Fgood": METRIC, "5Fidle": replace(METRIC, work_units=0)}
    # The sample miners do not fail it: none of them has exactly this much work.
    score = "work_units == 10 ? quality : 1.0 / double(work_units * 0 + (work_units == 0 ? 0 : 1))"

    said = rule_trial.tried(rule(score=score), real).warnings

    assert any("1 of the last epoch’s miners (5Fidle…)" in item.detail for item in said)


@pytest.mark.parametrize("value", ["1.0 / 0.0", "1e300"])
def test_a_rule_that_fails_for_all_of_the_last_epochs_miners_warns_who_would_pay(value):
    score = f"work_units == {METRIC.work_units} ? {value} : quality"

    first = rule_trial.tried(rule(score=score), {"5Fgood": METRIC}).warnings[0]

    assert "for any of the last epoch’s 1 miners" in first.detail
    assert "passed over and the version before it pays" in first.detail


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"title": "Pay \u3164\u3164"}, "/title"),
        ({"title": "Pay\u034f all"}, "/title"),
        ({"title": "Z" + "\u0301" * 60}, "/title"),
        ({"gates": [{"if": "true", "reason": "\u2800"}]}, "/gates/0/reason"),
    ],
)
def test_words_that_cannot_be_seen_are_refused_in_a_new_rule(changes, pointer):
    with pytest.raises(RuleInvalid) as caught:
        rule_trial.checked(document(**changes))

    (problem,) = caught.value.fields["problems"]
    assert problem["pointer"] == pointer
    assert "cannot be shown" in problem["detail"]


@pytest.mark.parametrize(
    "source", ["", "{", [], 7, None, "[" * 5_000, '{"format": 1, "format": 1}']
)
def test_an_opinion_is_given_of_anything(source):
    said = rule_trial.opinion(source)

    assert said.trial.problems
    assert (said.trial.warnings, said.digest) == ((), "")


def test_a_rule_that_takes_too_much_is_a_problem_in_an_opinion(monkeypatch):
    def costly(document):
        raise RuleTooCostly(limit="it took more than 6 s of processor time")

    monkeypatch.setattr(rule_document, "parse", costly)

    assert "6 s of processor time" in rule_trial.opinion("{}").trial.problems[0].detail


def test_values_that_cel_does_not_confirm_are_refused(monkeypatch):
    truth = rule_scores.by_cel

    def differing(expressions, rows):
        return [
            replace(column, values=np.nextafter(column.values, 9.0))
            for column in truth(expressions, rows)
        ]

    monkeypatch.setattr(rule_scores, "by_cel", differing)
    unusual = rule(score="quality * 0.987654321")

    (problem,) = rule_trial.tried(unusual).problems
    assert (problem.pointer, "different answers" in problem.detail) == ("/score", True)


def test_another_word_for_why_there_is_no_value_is_refused_too(monkeypatch):
    truth = rule_scores.by_cel

    def differing(expressions, rows):
        return [
            replace(column, faults=dict.fromkeys(column.faults, "it cannot be"))
            for column in truth(expressions, rows)
        ]

    monkeypatch.setattr(rule_scores, "by_cel", differing)
    unusual = rule(score="0.192837465 / double(failed_count)")

    (problem,) = rule_trial.tried(unusual).problems
    assert (problem.pointer, "different answers" in problem.detail) == ("/score", True)


def test_every_metric_is_tried_at_its_edges():
    for name in METRICS:
        tried = {getattr(sample, name) for sample in rule_trial.SAMPLES.values()}
        assert len(tried) >= 2, name
    assert min(sample.sample_count for sample in rule_trial.SAMPLES.values()) == 1


def test_a_sample_miner_is_one_that_can_be_measured():
    for name, sample in rule_trial.SAMPLES.items():
        finished = sample.completed_count + sample.failed_count
        rate = sample.completed_count / finished if finished else 1.0
        assert sample.success_rate == rate, name
        assert sample.credited_work_units <= sample.work_units, name
        assert sample.canary_count <= sample.sample_count, name

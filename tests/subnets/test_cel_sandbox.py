"""Hostile expressions end quickly: refused before CEL sees them, and bounded if it did."""

import resource
import sys

import pytest

from subnets import (
    audit,
    bundle,
    cel_sandbox,
    cel_worker,
    payroll,
    rule_document,
    rule_trial,
    rules,
)
from subnets.errors import RuleEvaluatorUnavailable, RuleInvalid, RuleTooCostly
from tests.subnets import worlds
from tests.subnets.rule_builders import METRIC, document, rule

QUICK_S = (
    5.0  # of a processor: a bomb must be refused well within the limits, on however busy a machine
)

DOUBLING = "[[0, 0, 0, 0, 0, 0, 0]]" + ".map(v, v + v + v + v + v + v + v)" * 9
NESTED = "[1, 2].all(a, " * 10 + "true" + ")" * 10
REGEX = "'" + "a" * 500 + "'.matches('((a{1,100}){1,100}){1,100}$')"


def processor_s():
    """Return how long processors have worked for this process and those of its children that ended."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@pytest.mark.parametrize(
    ("score", "detail"),
    [
        (DOUBLING, "Lists ([ ]) cannot be used"),
        (NESTED, "Lists ([ ]) cannot be used"),
        ("sample_count.map(x, x)", "loops and tests over lists cannot be used"),
        ("has(quality)", "loops and tests over lists cannot be used"),
        (REGEX, "Text in quotes cannot be used"),
        ("quality.matches(quality)", "regular expressions cannot be used"),
        ("{1: 2}", "Maps ({ }) cannot be used"),
        ('b"' + "a" * 1_500 + '"', "Text in quotes cannot be used"),
        ("(" * 990 + "quality" + ")" * 990, "nested too deep"),
        ("math.least(" * 150 + "quality" + ")" * 150, "nested too deep"),
        ("quality+" * 240 + "quality", "nested too deep"),
        ("sample_count.all(a, sample_count.all(b, true))", "loops and tests over lists"),
        ("quality.exists_one(x, x > 0.0)", "loops and tests over lists"),
        ("'a' + 'a'", "Text in quotes cannot be used"),
        ('r"\\d+"', "Text in quotes cannot be used"),
        ("`quality`", "Text in quotes cannot be used"),
        ("[" + "1," * 990 + "1]", "Lists ([ ]) cannot be used"),
        ("[" * 990 + "]" * 990, "Lists ([ ]) cannot be used"),
        ("9" * 1_999, "too large"),
        ("0." + "9" * 1_990 + "e400", "too large"),
        ("1e9999", "too large"),
        ("quality ? " * 150 + "1", "cannot be used|does not read|too deep|ends too early"),
        ("!" * 1_990 + "true", "nested too deep|must be a number"),
        ("-" * 1_990 + "1", ""),
        ("true" + " || true" * 240 + " ? 1.0 : 0.0", ""),
        ("quаlity", "neither a metric nor a function|means nothing"),  # a Cyrillic letter
        ("ｑｕａｌｉｔｙ", "means nothing"),
        ("quality\u200b * 2.0", "means nothing"),
        ("quality\u202e * 2.0", "means nothing"),
        ("quality\u00a0* 2.0", "means nothing"),
        ("quality \x00 * 2.0", "means nothing"),
        ("１ + quality", "means nothing"),
        ("quality × quality", "means nothing"),
        ("math.least(" + "quality," * 230 + "quality)", ""),
        ("(" * 1_999, "nested too deep"),
        ("?" * 1_999, "does not read as an expression"),
        ("quality?" * 240, "does not read as an expression"),
    ],
)
def test_a_bomb_is_refused_quickly(score, detail):
    started_s = processor_s()

    if not detail:  # long, and harmless
        rules.parse(document(score=score))
        return
    with pytest.raises(RuleInvalid) as caught:
        rules.parse(document(score=score))

    assert processor_s() - started_s < QUICK_S
    told = [item["detail"] for item in caught.value.fields["problems"]]
    assert any(word in line for word in detail.split("|") for line in told), told


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ('{"gates": ' + "[" * 8_000 + "]" * 8_000 + "}", "nested too deep"),
        ('{"a":' * 2_700 + "1" + "}" * 2_700, "nested too deep"),
        ('{"gates": [' + "{}," * 5_000 + "{}]}", "list of at most 8"),
        ('{"gates": [{"if": "true", "if": "false", "reason": "r"}]}', "'if' stands twice"),
        ('{"shaping": {"kind": "linear", "kind": "power"}}', "'kind' stands twice"),
        ('{"burn_bps": 1' + "0" * 4_000 + "}", "from 0 to 5000"),
        ('{"burn_bps": 1e400}', "whole number"),
        ('{"burn_bps": -0.0}', "whole number"),
        ('{"title": "' + "t" * 16_000 + '"}', "at most 120"),
        ('{"title": "\\ud800"}', "printable"),
        ('{"title": "\\u202egnip"}', "printable"),
        ('{"title": "a\\u0000b"}', "printable"),
        ("{" + ",".join(f'"k{n}":{n}' for n in range(1_200)) + "}", "Unknown field"),
        ("\ufeff{}", "not valid JSON"),
        ("{} {}", "not valid JSON"),
        ('{"a": Infinity}', "not a JSON number"),
    ],
)
def test_a_document_bomb_is_refused_quickly(source, detail):
    started_s = processor_s()

    with pytest.raises(RuleInvalid) as caught:
        rules.parse(source)

    assert processor_s() - started_s < QUICK_S
    told = [item["detail"] for item in caught.value.fields["problems"]]
    assert len(told) <= 50
    assert any(detail in line for line in told), told


def test_eight_gates_at_full_length_are_refused_by_the_size_of_the_document():
    gates = [{"if": "quality > 0.0 && " * 110 + "true", "reason": "r" * 200}] * 8

    with pytest.raises(RuleInvalid, match="bytes; at most 16384"):
        rules.parse(document(gates=gates, score="quality + 1.0"))


def test_the_child_alone_survives_a_memory_bomb():
    started_s = processor_s()

    with pytest.raises(RuleTooCostly, match="256 MiB of memory"):
        cel_sandbox.evaluate_rows([DOUBLING + ".size() > 0"], [METRIC])

    assert processor_s() - started_s < QUICK_S


def test_the_child_alone_survives_a_loop_bomb():
    loops = "".join(f"[{'1, ' * 99}1].all(x{depth}, " for depth in range(4)) + "true" + ")" * 4

    _, rows = cel_sandbox.evaluate_rows([loops], [METRIC])

    assert "Iteration budget exceeded" in rows[0][0].error


@pytest.mark.parametrize("expression", ["!" * 200_000 + "true", "1+" * 60_000 + "1", "(" * 90_000])
def test_the_child_alone_survives_a_huge_expression(expression):
    checked = cel_sandbox.compile_expressions([expression])

    assert checked[0].error


def test_the_longest_rule_allowed_fits_its_limits_for_a_full_batch():
    longest = "math.least(" + ",".join(["quality*quality"] * 118) + ")"
    gates = [{"if": f"{longest} < 2.0", "reason": "Never."}] * 7
    heavy = rule(score=longest, gates=gates)
    assert len(rules.canonical(heavy)) > 14_000

    evaluation = rules.evaluate(heavy, {str(number): METRIC for number in range(1_024)})

    assert len(evaluation.weights_u16) == 1_024


# --- the child's limits ---


def replace_child(monkeypatch, tmp_path, program):
    worker = tmp_path / "worker.py"
    worker.write_text(program)
    monkeypatch.setattr(cel_sandbox, "_WORKER", worker)


def test_a_child_that_burns_its_processor_time_is_stopped(monkeypatch, tmp_path):
    limits = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 2))"
    replace_child(monkeypatch, tmp_path, f"{limits}\nwhile True: pass")

    with pytest.raises(RuleTooCostly, match="of processor time"):
        cel_sandbox.compile_expressions(["quality"])


def test_the_child_is_asked_to_stop_before_the_kernel_kills_it(monkeypatch, tmp_path):
    worker = str(cel_worker.__file__)
    replace_child(
        monkeypatch,
        tmp_path,
        "import runpy, sys\n"
        f"sys.modules['worker'] = worker = type(sys)('worker')\n"
        f"exec(open({worker!r}).read().replace('CPU_S = 6', 'CPU_S = 1'), worker.__dict__)\n"
        "worker.bound_self()\n"
        "while True: pass",
    )

    with pytest.raises(RuleTooCostly, match="of processor time"):
        cel_sandbox.compile_expressions(["quality"])


def stalled(monkeypatch, tmp_path):
    replace_child(monkeypatch, tmp_path, "import time\ntime.sleep(60)")
    monkeypatch.setattr(cel_worker, "WALL_S", 0.3)


def test_a_child_that_only_waits_is_stopped_and_not_the_rules_fault(monkeypatch, tmp_path):
    stalled(monkeypatch, tmp_path)

    with pytest.raises(RuleEvaluatorUnavailable, match="the machine is busy"):
        cel_sandbox.compile_expressions(["quality"])


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGALRM"])
def test_a_child_that_the_machine_ends_is_not_the_rules_fault(monkeypatch, tmp_path, name):
    replace_child(monkeypatch, tmp_path, f"import signal\nsignal.raise_signal(signal.{name})")

    with pytest.raises(RuleEvaluatorUnavailable):
        cel_sandbox.compile_expressions(["quality"])


def test_a_child_without_memory_for_the_c_library_is_the_rules_fault(monkeypatch, tmp_path):
    replace_child(monkeypatch, tmp_path, "import os\nos.abort()")

    with pytest.raises(RuleTooCostly, match="of memory"):
        cel_sandbox.compile_expressions(["quality"])


def test_an_epoch_on_a_stalled_machine_pays_nobody_rather_than_by_an_older_version(
    monkeypatch, tmp_path
):
    older = worlds.version(1)
    with worlds.quick_cel():
        newer = worlds.version(2, score="quality * 0.123456789")
    record = worlds.record(versions=(newer, older))
    rule_document._compiled.cache_clear()
    stalled(monkeypatch, tmp_path)

    with pytest.raises(RuleEvaluatorUnavailable):
        payroll.settle(record)


def test_an_audit_on_a_stalled_machine_says_that_it_could_not_and_no_mismatch(
    monkeypatch, tmp_path
):
    with worlds.quick_cel():
        record = worlds.proven(worlds.record(versions=(worlds.version(1, score="quality * 0.3"),)))
        public = bundle.made(record, payroll.settle(record), previous_digest="")
    rule_document._compiled.cache_clear()
    stalled(monkeypatch, tmp_path)

    with pytest.raises(audit.Unreadable, match="cannot be recomputed here"):
        audit.audit(public)


def test_an_author_on_a_stalled_machine_is_not_told_that_the_rule_is_at_fault(
    monkeypatch, tmp_path
):
    stalled(monkeypatch, tmp_path)

    with pytest.raises(RuleEvaluatorUnavailable) as caught:
        rule_trial.opinion(document(score="quality * 0.918273645"))

    assert (caught.value.http_status, caught.value.code) == (503, "rule_evaluator_unavailable")


def test_a_child_that_fails_is_not_the_rules_fault(monkeypatch, tmp_path):
    replace_child(monkeypatch, tmp_path, "raise SystemExit('no library')")

    with pytest.raises(RuleEvaluatorUnavailable, match="no library"):
        cel_sandbox.compile_expressions(["quality"])


def test_a_child_that_cannot_start_is_not_the_rules_fault(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with pytest.raises(RuleEvaluatorUnavailable, match="did not start"):
        cel_sandbox.compile_expressions(["quality"])


def test_the_child_sees_no_environment_and_bounds_itself(monkeypatch, tmp_path):
    worker = str(cel_worker.__file__)
    replace_child(
        monkeypatch,
        tmp_path,
        "import os, resource, runpy, sys\n"
        f"runpy.run_path({worker!r})['bound_self']()\n"
        "limits = [resource.getrlimit(getattr(resource, name))\n"
        "          for name in ('RLIMIT_AS', 'RLIMIT_CPU', 'RLIMIT_CORE', 'RLIMIT_FSIZE')]\n"
        "sys.exit(f'{limits} {sorted(os.environ)} {os.getcwd()}')",
    )
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_seen")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)

    with pytest.raises(RuleEvaluatorUnavailable) as caught:
        cel_sandbox.compile_expressions(["quality"])

    memory = (256 * 2**20,) * 2
    assert f"[{memory}, (6, 8), (0, 0), (0, 0)]" in caught.value.fields["cause"]
    assert "STRIPE" not in caught.value.fields["cause"]

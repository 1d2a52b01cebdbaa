"""Every operation of docs/openapi.yaml answers whatever it is sent as it says it does: no 5xx, no status it does not name.

FUZZ_EXAMPLES=400 FUZZ_SEED=7 asks longer, and otherwise (`make fuzz`).
"""

import os

import pytest
import schemathesis
import yaml
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi import checks

from config.wsgi import application
from ledger import invariants
from tests.fuzz import asking, drawing
from tests.project import tree

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
SIGNED = {"miner": 4, "validator": 3, "stranger": 1, "ada": 1, "nobody": 1}
BY_KEY = {"ada": 6, "bob": 3, "nobody": 1, "miner": 1}


def described():
    """Read the description without the answer that stands for all others: each status has to be named."""
    text = (tree.ROOT / "docs" / "openapi.yaml").read_text()
    said = yaml.load(text, Loader=yaml.CSafeLoader)
    for path in said["paths"].values():
        for operation in path.values():
            del operation["responses"]["default"]
    return schemathesis.openapi.from_dict(said)


def operations():
    return [found.ok() for found in described().get_all_operations()]


def who_asks(operation):
    """Draw who asks: mostly somebody who may."""
    is_signed = any("btauth" in one for one in operation.definition.raw.get("security", []))
    weights = SIGNED if is_signed else BY_KEY
    return st.sampled_from([name for name, weight in weights.items() for _ in range(weight)])


def faults_of(operation, town, *, examples=EXAMPLES):
    """Ask an operation; return what is wrong with its answers, one example each."""
    everybody, found = asking.askers(town), {}

    @seed(SEED)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=drawing.cases(operation),
        who=who_asks(operation),
        pick=st.one_of(st.none(), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)),
        spoiled=drawing.spoils(),
    )
    def ask(case, who, pick, spoiled):
        drawing.settle_in(case, town.places, pick=pick)
        if spoiled[0] == "value":
            drawing.with_odd_value(case, *spoiled[1:])
        written = asking.prepared(case)
        if written is None:
            return
        drawing.spoil(written, spoiled)
        over = [spoiled[1:]] if spoiled[0] in ("header", "signature") else []
        with transaction.atomic():
            answer = asking.answered(application, written, everybody[who], over=over)
            transaction.set_rollback(True)
        for fault in wrong_with(case, written, answer):
            body = (written.body or b"")[:300]
            shown = f"{who} {written.method} {written.url[:300]} {over} {body!r}\n    → {answer.content[:300]!r}"
            found.setdefault(f"{operation.label}: {fault}", shown)

    ask()
    return [f"{fault}\n    {example}" for fault, example in found.items()]


def wrong_with(case, written, answer):
    """Yield what an answer is against its description."""
    if answer.status_code >= 500:
        yield f"{answer.status_code}"
        return
    if written.method == "HEAD":
        return
    for check in CHECKS:
        try:
            case.validate_response(answer, checks=[check])
        except FailureGroup as group:
            yield from (told(fault, answer) for fault in group.exceptions)
        except Failure as fault:
            yield told(fault, answer)


def told(fault, answer):
    first, *_ = str(fault.message or fault.title).splitlines() or [""]
    return f"{answer.status_code} {answer.headers.get('content-type')} {fault.title}: {first[:160]}"


@pytest.mark.django_db(transaction=True)
def test_every_operation_answers_as_it_says(town, subtests):
    asked = os.environ.get("FUZZ_ONLY", "")
    for operation in operations():
        if asked in operation.label:
            with subtests.test(operation.label):
                faults = faults_of(operation, town)
                assert not faults, "\n".join(faults)
    assert invariants.check_all_books() == []

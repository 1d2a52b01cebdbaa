"""A machine that cannot evaluate rules answers so: no rule is blamed, nobody is paid, and one tries again."""

import pytest

from subnets import cel_sandbox, cel_worker
from tests import make
from tests.compute.wire import refusal
from tests.subnets import town
from tests.subnets.consoles import signed_in
from tests.subnets.rule_builders import document

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(db):
    return town.founded(miner_count=1)


@pytest.fixture
def _stalled(place, monkeypatch, tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text("import time\ntime.sleep(60)")
    monkeypatch.setattr(cel_sandbox, "_WORKER", worker)
    monkeypatch.setattr(cel_worker, "WALL_S", 0.3)


@pytest.mark.usefixtures("_stalled")
def test_an_author_who_has_a_rule_checked_is_asked_to_try_again(place):
    answer = signed_in(make.user(email="ada@example.com")).post(
        f"/api/v1/subnets/{place.netuid}/rules/check/",
        {"document": document(score="quality * 0.135792468")},
        content_type="application/json",
    )

    assert refusal(answer) == (503, "rule_evaluator_unavailable")
    assert "Try again in a minute" in answer.json()["detail"]

"""Bundles of every format are audited, and a chain may go on in a newer one."""

import json
from pathlib import Path

import pytest

from subnets import audit, bundle, payroll
from tests.subnets import worlds
from tests.subnets.test_audit_proof import audited, findings

VECTORS = Path(__file__).parents[1] / "vectors"
OLD, FOURTH = VECTORS / "bundles_format_1", VECTORS / "bundles_format_4"


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


@pytest.mark.parametrize("folder", [OLD, FOURTH])
def test_bundles_of_earlier_formats_still_match(capsys, folder):
    assert audit.main([str(folder)]) == 0
    assert capsys.readouterr().out.count("MATCH") == 2


TOLD_APART = [
    ("output_digest", "00" * 32),
    ("miner", worlds.HOTKEYS[2]),
    ("latency_ms", 99),
    ("is_canary", True),
]


@pytest.mark.parametrize(("name", "value"), TOLD_APART)
def test_what_two_scores_tell_of_one_result_in_the_fourth_format_is_alike(name, value):
    public = json.loads((FOURTH / "3-1.json").read_text())
    public["record"]["scores"][4][name] = value

    found = audit.audit(public | {"digest": bundle.digest(public)})

    assert found.pointer == f"/record/scores/4/{name}"


def test_a_chain_goes_on_in_the_fifth_format(tmp_path, capsys):
    older = [json.loads((FOURTH / f"3-{number}.json").read_text()) for number in (1, 2)]
    before = bundle.record_read(older[1]["record"])
    record = worlds.following(
        before, payroll.settle(before), scores=worlds.scores(worlds.AGREED, worlds.AGREED, serial=2)
    )
    record = worlds.proven(record, before)
    newest = bundle.made(record, payroll.settle(record), previous_digest=older[1]["digest"])

    assert newest["format"] == 5
    assert audited(tmp_path, [*older, newest]) == 0
    assert len(findings(capsys)) == 3

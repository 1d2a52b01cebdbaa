"""A bundle's members have their types and ranges, and nothing else stands beside them."""

import copy
import json

import pytest

from subnets import audit, bundle, bundle_shape, payroll
from tests.subnets import worlds


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


@pytest.fixture(scope="module")
def genuine():
    with worlds.quick_cel():
        record = worlds.proven(worlds.record())
        made = bundle.made(record, payroll.settle(record), previous_digest="")
    return json.loads(json.dumps(made))


def with_leaf(genuine, path, value):
    """Return the bundle with another value somewhere, and the right digest under it."""
    copied = copy.deepcopy(genuine)
    inner = copied
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return copied | {"digest": bundle.digest(copied)}


def test_a_genuine_bundle_has_the_right_shape(genuine):
    assert bundle_shape.first_misshapen(genuine) is None


ODD = [
    *((("record", "netuid"), value) for value in ("x", None, 0, 129, 3.0, True, [])),
    *((("record", "number"), value) for value in ("y", None, [], 1.5, 1.0, -1, 0, True, 2**53)),
    *((("record", "last_step_block"), value) for value in (None, "0", -1, False)),
    *((("record", "start_block"), value) for value in (None, 2.0)),
    *((("record", "emission_rao"), value) for value in (7, "-1", "07", "1_0", " 1", "٣", "1" * 31)),
    (("record", "owner"), None),
    (("record", "hyperparameters", "kappa"), 32_767),
    (("record", "rules", 0, "version"), True),
    (("record", "rules", 0, "document"), []),
    (("record", "neurons", 0, "has_permit"), 0),
    (("record", "neurons", 0, "registered_block"), None),
    (("record", "neurons", 0, "bonds"), {"2": 65_536}),
    (("record", "neurons", 0, "stakes", 0, "amount_rao"), 5),
    (("record", "scores", 0, "score_ppm"), 1_000_001),
    (("record", "scores", 0, "miner"), "told once, beside the scores"),
    (("record", "scored", 0, "is_canary"), 0),
    (("record", "scored", 0, "note"), "untold"),
    (("record", "scores", 0, "note"), "unsigned"),
    (("record", "deliveries", 0, "offered_count"), 4.0),
    (("record", "smoothed"), []),
    (("record", "incumbents"), {"v": 1}),
    (("record", "results", 0, "note"), 1),
    (("record", "commitments", worlds.VALIDATORS[0], "count"), True),
    (("record", "note"), 1),
    (("note",), 1),
    (("previous_digest",), None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), ODD)
def test_what_is_of_a_wrong_type_or_range_or_unknown_is_named_at_its_place(genuine, path, value):
    found = audit.audit(with_leaf(genuine, path, value))

    place = "/" + "/".join(map(str, path))
    assert not found.is_match
    assert found.pointer == place or found.pointer.startswith(f"{place}/")


@pytest.mark.parametrize("name", ["scores", "scored", "results", "last_step_block"])
def test_a_member_that_is_missing_is_named(genuine, name):
    public = copy.deepcopy(genuine)
    del public["record"][name]

    assert audit.audit(public).pointer == f"/record/{name}"


@pytest.mark.parametrize("form", [2.0, True, "2", None, 6, [2]])
def test_a_format_is_one_of_the_integers_that_can_be_read(genuine, form):
    with pytest.raises(audit.Unreadable, match="format"):
        audit.audit(with_leaf(genuine, ("format",), form))


def test_the_first_format_has_no_proof(genuine):
    found = audit.audit(with_leaf(genuine, ("format",), 1))

    assert found.pointer == "/record/commitments"


@pytest.mark.parametrize("value", ["y", None, [], 1.5, -1, True])
@pytest.mark.parametrize("name", ["netuid", "number"])
def test_the_command_tells_odd_numbers_without_a_traceback(tmp_path, capsys, genuine, name, value):
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(with_leaf(genuine, ("record", name), value)))

    assert audit.main([str(file)]) == 1
    assert capsys.readouterr().out.startswith(f"MISMATCH {file} at /record/{name}: ")

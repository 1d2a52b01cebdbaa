"""The public bundle: what goes in comes out again, and the digest tells every change."""

import copy
import dataclasses
import json

import pytest

from neurons.protocol import canonical_json
from subnets import bundle, bundle_shape, payroll
from subnets.record import LedgerHead
from tests.subnets import worlds


@pytest.fixture(scope="module")
def epoch():
    """Return the record and the payroll of a second epoch, with smoothing, bonds and incumbents."""
    versions = (
        worlds.version(
            smoothing={"ema_alpha_ppm": 500_000},
            shaping={"kind": "winner_takes_all", "margin_ppm": 10_000},
        ),
    )
    with worlds.quick_cel():
        first = worlds.proven(worlds.record(versions=versions))
        record = worlds.proven(worlds.following(first, payroll.settle(first)), first)
        return record, payroll.settle(record)


@pytest.fixture
def public(epoch):
    record, paid = epoch
    return bundle.made(record, paid, previous_digest="ab" * 32)


def test_a_record_survives_its_way_through_json(epoch):
    record, _ = epoch
    assert record.smoothed
    assert record.incumbents
    assert any(term.bonds for term in epoch[1].terms)

    written = json.loads(json.dumps(bundle.record_json(record)))

    assert bundle.record_read(written) == record
    assert bundle.record_json(bundle.record_read(written)) == written


def test_what_is_read_back_settles_to_the_same_payroll(epoch, public):
    _, paid = epoch

    with worlds.quick_cel():
        again = payroll.settle(bundle.record_read(json.loads(canonical_json(public))["record"]))

    assert again == paid
    assert bundle.payroll_json(again) == public["payroll"]


def test_integers_beyond_2_to_the_53_are_text(public):
    def numbers(value):
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list | tuple):
            return [number for item in value for number in numbers(item)]
        return [value] if isinstance(value, int | float) else []

    assert all(isinstance(number, int) for number in numbers(public))
    assert max(numbers(public)) < 2**53
    assert public["record"]["emission_rao"] == str(worlds.EMISSION_RAO)


def test_the_digest_is_of_everything_but_itself(public):
    assert public["digest"] == bundle.digest(public)
    assert bundle.digest(public | {"digest": "another"}) == public["digest"]
    assert bundle.digest(dict(reversed(public.items()))) == public["digest"]
    assert bundle.digest(public | {"previous_digest": ""}) != public["digest"]


def test_the_digest_tells_a_change_in_every_part(public):
    for section in ("record", "payroll"):
        for name, value in public[section].items():
            changed = copy.deepcopy(public)
            changed[section][name] = [value]
            assert bundle.digest(changed) != public["digest"], name


@pytest.mark.parametrize("name", ["netuid", "emission_rao", "rules", "neurons", "scores"])
def test_a_record_with_a_part_missing_is_none(epoch, name):
    written = bundle.record_json(epoch[0])
    del written[name]

    with pytest.raises(KeyError):
        bundle.record_read(written)


def test_a_record_whose_uids_do_not_count_up_is_none(epoch):
    written = bundle.record_json(epoch[0])
    written["neurons"].pop(1)

    with pytest.raises(ValueError, match="not 0 to"):
        bundle.record_read(written)


def test_the_head_of_the_ledger_is_in_the_bundle_and_none_of_it_hangs_on_that(epoch):
    head = LedgerHead(seal=7, hash="ab" * 32)
    anchored = dataclasses.replace(epoch[0], ledger_head=head)

    public = bundle.made(anchored, payroll.settle(anchored), previous_digest="")

    assert public["record"]["ledger_head"] == {"seal": 7, "hash": "ab" * 32}
    assert bundle.record_read(public["record"]).ledger_head == head
    assert public["payroll"] == bundle.payroll_json(payroll.settle(epoch[0]))
    assert bundle_shape.first_misshapen(public) is None


def test_a_bundle_of_before_the_seals_is_read_as_it_was(epoch):
    before = bundle.record_json(epoch[0], form=3)

    assert "ledger_head" not in before
    assert bundle.record_read(before).ledger_head is None

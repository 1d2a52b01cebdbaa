"""Epochs of full subnets, of crowds behind them, and of a thousand tempos at once."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench import _crowd
from compute import operations as compute
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import BURNED, wallet
from ledger.models import Entry
from subnets import operations, queries
from subnets.models import Epoch, EpochTerm, Neuron, Subnet
from tests.subnets import town, worlds
from tests.subnets.test_epochs import statements_of_an_epoch
from tests.subnets.town import TAO, TEMPO, at_block

pytestmark = pytest.mark.django_db

FEW_STEPS = 50  # fewer than the payees here; four thousand more of them would take half a minute


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def scores(keys, *, judged=3):
    """Return scores by every validator of some miners; nobody checks signatures while an epoch is closed."""
    return [
        {
            "result_id": f"{miner.ss58[-8:]}", "validator": judge.ss58, "miner": miner.ss58,
            "score_ppm": 900_000, "latency_ms": 100, "work_units": 10, "is_canary": False,
            "reason": "looked at", "output_digest": "0" * 64, "signature": "0x",
        }
        for judge in keys[: _crowd.VALIDATORS]
        for miner in keys[_crowd.VALIDATORS :][:judged]
    ]  # fmt: skip


def shapes(statements):
    """Return how the statements from the claim on begin, without their numbers: before it the test asks."""
    begun = [re.sub(r"\d+", "", statement)[:50] for statement in statements]
    return begun[begun.index("SELECT pg_try_advisory_lock(, )") :]


def closed(number, keys):
    return operations.run_epoch(
        netuid=1, number=number, scores=scores(keys), deliveries=(), now=at_block(number * TEMPO)
    )


def test_a_full_subnets_epoch_takes_as_many_statements_as_a_small_ones():
    small = statements_of_an_epoch(town.founded(), town.AGREED)
    keys = _crowd.hotkeys()
    _crowd.founded(range(2, 3), keys)
    Subnet.objects.filter(pk=2).update(last_epoch_block=1_080, next_epoch_block=1_440)
    given = scores(keys)

    def close(number):
        return operations.run_epoch(
            netuid=2, number=number, scores=given, deliveries=(),
            now=at_block(1_080 + number * TEMPO),
        )  # fmt: skip

    close(1)
    with CaptureQueriesContext(connection) as captured:
        epoch = close(2)

    # The few moves of the small one are posted by one statement, those of a full one by two.
    assert len(shapes(query["sql"] for query in captured)) <= len(shapes(small)) + 1
    assert EpochTerm.objects.filter(epoch=epoch).count() == 256
    assert Neuron.objects.filter(subnet=2, has_permit=True, emission_rao__gt=0).count() > 1


def test_more_payees_than_an_entry_has_steps_are_paid_in_parts_and_at_once_or_not_at_all(
    monkeypatch,
):
    keys = _crowd.hotkeys()
    _crowd.founded(range(1, 2), keys)
    monkeypatch.setattr("subnets.operations.epochs.MAX_STEPS", FEW_STEPS)
    post, issued_rao = ledger.post_at_last, books.issued_rao()

    def refuse_the_second(entry):
        if entry.key.endswith(":2"):
            raise ConnectionError("the machine is gone")
        return post(entry)

    with monkeypatch.context() as patch:
        patch.setattr("subnets.operations.epochs.ledger.post_at_last", refuse_the_second)
        with pytest.raises(ConnectionError):
            closed(1, keys)
    assert books.issued_rao() == issued_rao
    assert not Epoch.objects.exists()
    assert Subnet.objects.get().last_epoch_block == 0

    epoch = closed(1, keys)

    assert epoch.emission_rao == TEMPO * TAO == books.issued_rao() - issued_rao
    payouts = epoch.bundle["payroll"]["payouts"]
    assert len(payouts) > FEW_STEPS
    entries = list(Entry.objects.filter(code="epoch:paid").order_by("id"))
    assert [entry.key for entry in entries] == ["epoch:1:1", "epoch:1:1:2"]
    assert entries[0].transfers.count() == FEW_STEPS
    paid = {
        str(transfer.credit.owner): str(transfer.amount_rao)
        for entry in entries
        for transfer in entry.transfers.select_related("credit").exclude(credit__code=BURNED.code)
    }
    assert paid == payouts
    assert closed(1, keys).pk == epoch.pk


@pytest.mark.django_db(transaction=True)
def test_a_thousand_overdue_epochs_are_closed_one_by_one_in_steps_of_one_size():
    place = town.founded()
    end = place.row.next_epoch_block
    now = at_block(end + 1_000 * TEMPO)
    before_rao = books.balance(wallet(place.owner)).posted_rao
    counts = []

    for _ in range(12):
        (due,) = queries.due_epochs(now)
        with CaptureQueriesContext(connection) as captured:
            epoch = compute.close_epoch(due=due, now=now)
        counts.append(len(captured))
        assert (epoch.number, epoch.end_block) == (due.number, due.end_block)

    assert epoch.number == 12
    assert epoch.end_block == end + 11 * TEMPO
    assert queries.running_epoch_number(place.row, now=now) == 1_002
    # The first one finds fewer accounts open and nothing handed on.
    assert len(set(counts[1:])) == 1
    assert counts[1] <= 48
    assert place.row.pending_rao == 0
    assert books.balance(wallet(place.owner)).posted_rao > before_rao
    assert Epoch.objects.filter(emission_rao=TEMPO * TAO).count() == 11

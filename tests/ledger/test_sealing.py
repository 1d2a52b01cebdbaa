"""What is committed is sealed, once, in an order that nothing can slip below."""

import time
from datetime import timedelta
from threading import Event, Thread

import pytest
from django.db import connection, transaction

from ledger import canonical, closing, models, sealing, tasks, verifying
from ledger import operations as ledger
from ledger.chart import FEES
from ledger.entries import Move
from ledger.models import Entry, Seal, SealedEntry
from ledger.triggers import append_only
from tests.ledger.make import NOW, entry, funded_wallet, together
from tests.ledger.seals import emptied_wallet, history, own_transaction, sealed


@pytest.mark.django_db
def test_every_entry_is_sealed_once_in_seals_that_follow_each_other():
    history()

    seals = sealed(limit=4)

    assert [seal.number for seal in seals] == [1, 2, 3]
    assert [seal.entry_count for seal in seals] == [4, 4, 1]
    assert bytes(seals[0].previous) == canonical.BEFORE_THE_FIRST
    assert [seal.previous for seal in seals[1:]] == [seal.hash for seal in seals[:-1]]
    placed = SealedEntry.objects.order_by("seal", "position").values_list("entry", flat=True)
    assert list(placed) == list(Entry.objects.order_by("id").values_list("id", flat=True))


@pytest.mark.django_db
def test_what_is_sealed_is_not_sealed_again_and_nothing_makes_no_seal():
    history()
    sealed()

    assert sealed() == []
    assert Seal.objects.count() == 1


@pytest.mark.django_db
def test_an_entry_of_a_transaction_under_way_waits():
    history()

    assert sealing.seal_entries(now=NOW, below=own_transaction() - 1) is None
    assert not Seal.objects.exists()


@pytest.mark.django_db
def test_after_a_dump_is_restored_where_numbers_began_anew_everything_is_sealed():
    history()
    sealed(limit=5)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        # As if another server had written all of it, sealed and not: its numbers are far above this one's.
        cursor.execute("UPDATE ledger_entry SET xid = xid + 1000000000")
        cursor.execute("SET LOCAL session_replication_role = origin")
    ledger.post(entry(Move(funded_wallet(10), FEES, 1), key="after"))

    sealed()

    assert verifying.waiting_count() == 0
    ledger.post(entry(Move(funded_wallet(10), FEES, 1)))
    assert [seal.entry_count for seal in sealed()] == [2]


@pytest.mark.django_db
def test_seals_are_facts():
    assert {trigger.name for trigger in append_only()} == {
        trigger.name for trigger in Seal._meta.triggers
    }
    assert {trigger.name for trigger in SealedEntry._meta.triggers} == {
        "refuse_update",
        "refuse_delete",
        "refuse_truncate",
    }


@pytest.mark.django_db
def test_every_column_of_the_facts_is_sealed():
    written = {name for part in _parts_of_a_history() for name in part.value}
    # By what name a column stands in a part; an account's counters follow from its transfers (check_books).
    names = {"id": {"entry", "transfer", "hold"}, "code": {"account", "code"}}
    known = {"debit": "account", "credit": "account", "debit_balance_rao": "balance_rao"}
    known |= {"credit_balance_rao": "balance_rao", "placed_by": "entry", "resolved_by": "entry"}
    left_out = {"may_overdraw", "credits_posted", "debits_posted", "debits_held"}

    for model in (
        models.Entry, models.Transfer, models.Hold, models.Account, models.Closing
    ):  # fmt: skip
        for field in model._meta.concrete_fields:
            if field.name not in left_out:
                assert names.get(field.name, {known.get(field.name, field.name)}) & written, field


def _parts_of_a_history():
    from ledger import evidence

    history()
    closing.close_account(emptied_wallet().code, reason="moved away", now=NOW)
    parts = evidence.parts_of(list(Entry.objects.values_list("id", flat=True)))
    return [part for listed in parts.values() for part in listed]


def seal_all_that_waits():
    """Seal until nothing waits: a transaction under way in another test's database holds seals up, too."""
    ends_at = (
        time.monotonic() + 300
    )  # the longest test of one transaction takes a minute on a busy machine
    while verifying.waiting_count():
        assert time.monotonic() < ends_at
        if sealing.seal_entries(now=NOW + timedelta(seconds=1)) is None:
            time.sleep(0.02)


@pytest.mark.django_db(transaction=True)
def test_an_entry_begun_before_a_sealed_one_and_committed_after_it_is_in_the_next_seal():
    slow, quick = funded_wallet(10), funded_wallet(10)
    ledger.post(entry(Move(slow, FEES, 1)))
    tasks.seal_committed_entries()
    has_posted, may_commit = Event(), Event()

    def dawdle():
        with transaction.atomic():
            ledger.post(entry(Move(slow, FEES, 1), key="slow"))
            has_posted.set()
            may_commit.wait(20)
        connection.close()

    dawdling = Thread(target=dawdle)
    dawdling.start()
    assert has_posted.wait(20)
    ledger.post(entry(Move(quick, FEES, 1), key="quick"))
    tasks.seal_committed_entries()
    under_way = sorted(SealedEntry.objects.values_list("entry__key", flat=True))
    may_commit.set()
    dawdling.join()
    seal_all_that_waits()

    assert not {"slow", "quick"} & set(under_way)
    keys = list(
        SealedEntry.objects.order_by("seal", "position").values_list("entry__key", flat=True)
    )
    assert keys[-2:] == ["slow", "quick"]
    assert verifying.stray_rows() == []


@pytest.mark.django_db(transaction=True)
def test_many_who_post_and_many_who_seal_leave_nothing_out_and_nothing_twice():
    wallets = [funded_wallet(1_000) for _ in range(8)]
    ledger.post(entry(Move(wallets[0], FEES, 1)))

    def post(source, turn):
        with transaction.atomic():
            ledger.post(entry(Move(source, FEES, 1 + turn)))
            if turn % 3 == 1:
                transaction.set_rollback(True)

    def spend(source):
        for turn in range(12):
            post(source, turn)

    def seal():
        return [sealing.seal_entries(now=NOW, limit=5) for _ in range(12)]

    answers = together([lambda source=source: spend(source) for source in wallets] + [seal] * 4)
    seal_all_that_waits()

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert verifying.waiting_count() == 0
    assert Entry.objects.count() == SealedEntry.objects.count() == 9 + 8 * 8
    assert [fault for seal in verifying.checked_seals() for fault in seal.faults] == []
    assert verifying.stray_rows() == []


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sealed_in_the_transaction_that_posted_it():
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        sealing.seal_entries(now=NOW)

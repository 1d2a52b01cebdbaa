from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from ledger import models, queries
from ledger import operations as ledger
from ledger.chart import FEES, ISSUANCE, TREASURY, AccountKind, Address, Code, stake, wallet
from ledger.entries import Move, MoveUpTo, PlaceHold, PostHold, VoidHold, hold_id
from ledger.errors import (
    BooksProtected,
    EntryUnknown,
    HoldNotOpen,
    HoldTaken,
    HoldUnknown,
    IdempotencyConflict,
    InsufficientFunds,
    NotReversible,
    SupplyExceeded,
)
from ledger.money import MAX_SUPPLY_RAO
from ledger.states import HoldState
from tests.ledger.make import NOW, entry, funded_wallet, hold, treasury

pytestmark = pytest.mark.django_db


def book_size():
    return [model.objects.count() for model in (models.Entry, models.Transfer, models.Hold)]


def test_an_entry_moves_money_and_says_why():
    source, target = funded_wallet(100), wallet(uuid4())

    posted = ledger.post(
        entry(Move(source, target, 30), key="job:1", code=Code.JOB_SETTLED, note="words")
    )

    assert not posted.replayed
    assert queries.balance(source).available_rao == 70
    assert queries.balance(target).available_rao == 30
    row = models.Entry.objects.get(pk=posted.entry_id)
    assert (row.key, row.code, row.at, row.note) == ("job:1", "job:settled", NOW, "words")
    assert row.recorded_at > NOW


def test_posting_the_same_entry_twice_moves_money_once():
    source, target = funded_wallet(100), wallet(uuid4())
    first = ledger.post(entry(Move(source, target, 100), key="job:1"))

    again = ledger.post(
        entry(Move(source, target, 100), key="job:1", at=NOW + timedelta(hours=1), note="retry")
    )

    assert again == ledger.Posted(entry_id=first.entry_id, replayed=True)
    assert queries.balance(target).posted_rao == 100


@pytest.mark.parametrize(
    ("amount_rao", "code", "field"),
    [(31, Code.JOB_SETTLED, "steps"), (30, Code.EPOCH_PAID, "code")],
)
def test_a_key_used_for_another_request_is_refused(amount_rao, code, field):
    source, target = funded_wallet(100), wallet(uuid4())
    ledger.post(entry(Move(source, target, 30), key="job:1"))
    size = book_size()

    with pytest.raises(IdempotencyConflict) as refusal:
        ledger.post(entry(Move(source, target, amount_rao), key="job:1", code=code))

    assert refusal.value.fields == {"key": "job:1", "field": field}
    assert book_size() == size


def test_a_refused_entry_leaves_no_trace_and_the_callers_transaction_usable():
    source, target = funded_wallet(100), wallet(uuid4())
    size = book_size()

    with transaction.atomic():
        with pytest.raises(InsufficientFunds) as refusal:
            ledger.post(entry(Move(source, target, 60), Move(source, target, 60)))
        ledger.post(entry(Move(source, target, 10)))

    assert refusal.value.fields == {"needed_rao": 120, "available_rao": 100}
    assert queries.balance(target).posted_rao == 10
    assert book_size() == [size[0] + 1, size[1] + 1, size[2]]


def test_a_refused_key_is_free_again():
    poor = wallet(uuid4())
    with pytest.raises(InsufficientFunds):
        ledger.post(entry(Move(poor, FEES, 10), key="job:1"))
    ledger.post(entry(Move(ISSUANCE, poor, 10)))

    assert not ledger.post(entry(Move(poor, FEES, 10), key="job:1")).replayed


def test_money_is_rolled_back_with_the_callers_transaction():
    source, target = funded_wallet(100), wallet(uuid4())

    with transaction.atomic():
        ledger.post(entry(Move(source, target, 100)))
        transaction.set_rollback(True)

    assert queries.balance(source).posted_rao == 100
    assert queries.balance(target).posted_rao == 0


def test_a_hold_sets_money_aside_until_it_is_posted():
    source, target = funded_wallet(100), wallet(uuid4())
    held = hold(source, 80)
    with pytest.raises(InsufficientFunds) as refusal:
        ledger.post(entry(Move(source, target, 21)))
    assert refusal.value.fields == {"needed_rao": 21, "available_rao": 20}

    ledger.post(entry(PostHold(held, ((target, 50), (FEES, 5)))))

    assert queries.balance(source) == queries.Balance(posted_rao=45, held_rao=0)
    assert queries.balance(target).posted_rao == 50
    row = models.Hold.objects.get(pk=held)
    assert (row.state, row.posted_rao) == (HoldState.POSTED, 55)


def test_a_hold_ends_once_whoever_asks():
    source = funded_wallet(100)
    held = hold(source, 80)
    ledger.post(entry(VoidHold(held)))

    for step in (VoidHold(held), PostHold(held, ((FEES, 1),))):
        with pytest.raises(HoldNotOpen) as refusal:
            ledger.post(entry(step))
        assert refusal.value.fields == {"hold": held, "state": HoldState.VOIDED}
    assert queries.balance(source) == queries.Balance(posted_rao=100)


def test_a_higher_bid_takes_the_place_of_the_first_in_one_entry():
    first, second = funded_wallet(100), funded_wallet(100)
    old, new = hold(first, 100), hold_id("bid:2")

    ledger.post(entry(VoidHold(old), PlaceHold(new, second, 100)))

    assert queries.balance(first).held_rao == 0
    assert queries.balance(second).held_rao == 100
    assert queries.held_by([old, new]) == {new: 100}


def test_a_hold_id_stands_for_one_hold():
    source = funded_wallet(100)
    held = hold(source, 10)

    with pytest.raises(HoldTaken):
        ledger.post(entry(PlaceHold(held, source, 10)))
    with pytest.raises(HoldUnknown):
        ledger.post(entry(VoidHold(hold_id("never placed"))))


def test_issuance_ends_at_the_cap():
    ledger.post(entry(Move(ISSUANCE, TREASURY, MAX_SUPPLY_RAO - queries.issued_rao())))

    with pytest.raises(SupplyExceeded):
        ledger.post(entry(Move(ISSUANCE, TREASURY, 1)))
    assert queries.issued_rao() == MAX_SUPPLY_RAO


def test_a_transfer_stays_within_one_asset():
    alpha = Address("wallet:alpha:3", AccountKind.WALLET, uuid4(), asset=3)
    source = funded_wallet(100)
    held = hold(source, 10)

    with pytest.raises(ValueError, match="another asset"):
        ledger.post(entry(PostHold(held, ((alpha, 1),))))


def test_due_holds_expire_and_others_stay():
    source = funded_wallet(100)
    due = hold(source, 10, expires_at=NOW)
    hold(source, 20, expires_at=NOW + timedelta(seconds=1))
    hold(source, 30)

    assert ledger.expire_due_holds(now=NOW, limit=10) == 1
    assert ledger.expire_due_holds(now=NOW, limit=10) == 0
    assert queries.balance(source).held_rao == 50
    assert models.Hold.objects.get(pk=due).state == HoldState.EXPIRED


def test_a_sweep_takes_no_more_than_its_limit_oldest_first():
    source = funded_wallet(100)
    later = hold(source, 1, expires_at=NOW)
    sooner = hold(source, 2, expires_at=NOW - timedelta(hours=1))

    assert ledger.expire_due_holds(now=NOW, limit=1) == 1
    assert queries.held_by([sooner, later]) == {later: 1}


def test_a_wrong_entry_is_reversed_once():
    source, target = funded_wallet(100), wallet(uuid4())
    ledger.post(entry(Move(source, target, 60), Move(target, FEES, 10), key="job:1"))
    fees = queries.balance_of_system(FEES)
    ledger.post(entry(Move(ISSUANCE, target, 10)))

    first = ledger.reverse("job:1", reason="paid twice", now=NOW)
    again = ledger.reverse("job:1", reason="still", now=NOW)

    assert (first.replayed, again.replayed) == (False, True)
    assert queries.balance(source).posted_rao == 100
    assert queries.balance_of_system(FEES) == fees - 10
    assert models.Entry.objects.get(pk=first.entry_id).note == "paid twice"
    ledger.post(entry(Move(source, FEES, 10)))


def test_what_moved_nothing_cannot_be_reversed():
    source = funded_wallet(100)
    ledger.post(entry(PlaceHold(hold_id("h"), source, 10), key="job:1"))
    with pytest.raises(NotReversible, match="void that first"):
        ledger.reverse("job:1", reason="", now=NOW)
    ledger.post(entry(VoidHold(hold_id("h")), key="job:2"))

    with pytest.raises(NotReversible, match="moved nothing"):
        ledger.reverse("job:1", reason="", now=NOW)
    with pytest.raises(EntryUnknown):
        ledger.reverse("job:3", reason="", now=NOW)


def test_what_the_database_refuses_is_said_in_words():
    account = models.Account.objects.get(code=funded_wallet(100).code)

    with (
        pytest.raises(BooksProtected, match="an account would go below zero") as refusal,
        ledger.refusals_in_words(),
        transaction.atomic(),
    ):
        models.Account.objects.filter(pk=account.pk).update(debits_held=101)

    assert refusal.value.fields["constraint"] == "ledger_account_does_not_overdraw"


def test_every_constraint_of_the_books_has_words():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid::regclass::text LIKE 'ledger\\_%%'"
            # No posting writes a seal, nor what is found of them.
            " AND conrelid::regclass::text NOT LIKE 'ledger\\_seal%%'"
            " AND conrelid::regclass::text <> 'ledger_verification'"
            " AND contype = 'c' OR conname IN ('ledger_hold_pkey', 'ledger_transfer_position_is_unique')"
        )
        names = {name for (name,) in cursor.fetchall()}

    generated = {name for name in names if name.endswith("_check")}
    by_trigger = {
        "ledger_account_kind_is_known",
        "ledger_account_overdraws_only_by_its_kind",
        "ledger_account_owner_fits_its_kind",
        "ledger_account_issuance_is_one",
        "ledger_account_closed_stands_still",
        "ledger_transfer_names_what_exists",
        "ledger_transfer_stays_within_one_asset",
        "ledger_transfer_of_issuance_is_counted",
    }
    assert names - generated == set(ledger.CONSTRAINTS) - by_trigger


def statements_of(made):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        ledger.post(made)
    return [query["sql"].split()[0] for query in captured.captured_queries]


def test_moves_are_one_statement():
    target = wallet(uuid4())
    ledger.post(entry(Move(ISSUANCE, target, 11), Move(target, FEES, 1)))

    again = statements_of(entry(Move(ISSUANCE, target, 10), Move(target, FEES, 20)))

    assert again == ["SAVEPOINT", "SELECT", "RELEASE"]
    assert queries.balance(target).posted_rao == 0


@pytest.mark.parametrize("count", [2, 20, 400])
def test_the_number_of_statements_does_not_grow_with_the_steps(count):
    targets = [stake(uuid4(), "hotkey", 1) for _ in range(count)]
    ledger.post(entry(*(Move(ISSUANCE, target, 10) for target in targets)))

    again = statements_of(entry(*(Move(ISSUANCE, target, 10) for target in targets)))

    assert again == ["SAVEPOINT", "SELECT", "RELEASE"]


@pytest.mark.parametrize("count", [1, 20])
def test_fresh_accounts_and_holds_cost_a_fixed_number_of_statements(count):
    sources = [funded_wallet(100) for _ in range(count)]
    holds = [hold(source, 50) for source in sources]

    fresh = [wallet(uuid4()) for _ in range(count)]
    steps = [PostHold(held, ((target, 50),)) for held, target in zip(holds, fresh, strict=True)]
    statements = statements_of(entry(*steps))

    assert statements == [
        "SAVEPOINT", "WITH", "ROLLBACK", "RELEASE",
        "SAVEPOINT", "INSERT", "WITH", "WITH", "RELEASE",
    ]  # fmt: skip


def test_an_accounts_code_may_hold_what_an_array_is_written_with():
    odd = Address('system:"odd\\,{}NULL', AccountKind.SYSTEM)
    treasury(10)

    ledger.post(entry(Move(TREASURY, odd, 7)))
    ledger.post(entry(Move(TREASURY, odd, 2)))

    assert queries.balance(odd).posted_rao == 9


def test_a_balancing_move_is_repeated_as_what_it_was_though_nothing_is_left():
    source, target = funded_wallet(70), wallet(uuid4())
    emptied = entry(MoveUpTo(source, target, 100), key="collect:1")

    first, again = ledger.post(emptied), ledger.post(emptied)

    assert (again.replayed, queries.moved_rao(again.entry_id)) == (True, 70)
    assert first.entry_id == again.entry_id
    assert (queries.balance(source).posted_rao, queries.balance(target).posted_rao) == (0, 70)

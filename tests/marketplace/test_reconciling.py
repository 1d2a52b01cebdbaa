"""The books beside Stripe: what agrees, what was missed and is made up for, and what an operator has to see."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command

from ledger import operations as ledger
from ledger.chart import FX_USD, STRIPE_CLEARING, Code
from ledger.entries import Entry, Move
from marketplace import operations, reconciling
from marketplace.clearing import key_of
from marketplace.models import CardDifference, WebhookEvent
from marketplace.reconciling import Kind, Line, Transit, compare
from tests.marketplace import world
from tests.marketplace.cards import CENTS, dollars, hear_all, paid, purse, quote
from tests.marketplace.conftest import NOW

FEE = CENTS * 290 // 10_000 + 30
LATER = NOW + timedelta(hours=2)


def line(type_, *, source="x_1", cents=100, fee=0, at=NOW, payment=""):
    return Line("txn_1", type_, source, cents, fee, at, payment)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (line("charge", source="ch_1", fee=5, payment="pi_1"), {"card:pi_1:credited": 100, "card:ch_1:fee": -5}),
        (line("refund", source="re_1", cents=-40), {"card:re_1:refunded": -40}),
        (line("refund_failure", source="re_1", cents=40), {"card:re_1:failed": 40}),
        (line("adjustment", source="du_1", cents=-100, fee=15), {"card:txn_1:moved": -115}),
        (line("payout", source="po_1", cents=-80), {"card:po_1:paid": -80}),
        (line("payout_failure", source="po_1", cents=80), {"card:po_1:returned": 80}),
        (line("topup", source="tu_1"), {"card:tu_1:arrived": 100}),
        (line("topup_reversal", source="tu_1", cents=-100), {"card:tu_1:reversed": -100}),
        (line("stripe_fee", source="", cents=-7), {"card:txn_1:cost": -7}),
        (line("of a new kind", cents=-7), {"card:txn_1:cost": -7}),
    ],
    ids=lambda each: each.type if isinstance(each, Line) else "",
)  # fmt: skip
def test_each_balance_transaction_expects_its_entries(one, expected):
    assert one.expected() == expected


def test_what_agrees_what_lacks_what_is_unlike_and_what_is_too_much():
    lines = [line("refund", source=f"re_{n}", cents=-n) for n in (1, 2, 3)]
    booked = {key_of("re_1", "refunded"): -1, key_of("re_2", "refunded"): -9, "card:x:credited": 5}

    found = compare(lines, booked=booked, recent=["card:x:credited"], now=LATER)

    assert [(d.subject, d.kind, d.stripe_cents, d.booked_cents) for d in found.differences] == [
        ("card:re_2:refunded", Kind.UNLIKE, -2, -9),
        ("card:re_3:refunded", Kind.MISSING, -3, 0),
        ("card:x:credited", Kind.EXTRA, 0, 5),
    ]
    assert found.agreed == {"card:re_1:refunded"}


def test_what_has_just_happened_may_still_be_on_its_way():
    lines = [line("refund"), line("payout", at=NOW - timedelta(days=9))]

    assert compare(lines, booked={}, recent=(), now=NOW).differences == ()
    assert len(compare(lines, booked={}, recent=(), now=NOW + timedelta(days=1)).differences) == 2


@pytest.mark.parametrize(
    ("status", "came_back", "purposes"),
    [("in_transit", False, []), ("paid", False, ["paid"]), ("failed", True, ["paid", "returned"])],
)
def test_a_payout_is_posted_when_it_arrives_and_undone_when_it_comes_back(
    status, came_back, purposes
):
    postings = Transit("po_1", 100, status, is_payout=True, came_back=came_back).postings()

    assert [posting.key for posting in postings] == [key_of("po_1", p) for p in purposes]


# With the database and over HTTP -------------------------------------------------------------------


def reconcile(*, now=LATER, since=None):
    return operations.reconcile_cards(since=since, now=now)


@pytest.mark.django_db
def test_events_that_were_missed_are_made_up_for(far_end):
    ada = world.person()
    deposit = quote(ada)
    payment_id = far_end.pay(deposit.session_id)["payment_intent"]
    far_end.book(payment_id)
    far_end.refund(payment_id, 500)
    assert WebhookEvent.objects.count() == 0

    assert reconcile() == []

    assert purse(ada) == (deposit.credit_rao * 4 // 5, 0, 0)
    assert WebhookEvent.objects.count() == len(far_end.events)
    assert reconcile() == []


@pytest.mark.django_db
def test_lines_without_any_event_are_made_up_for(far_end):
    ada = world.person()
    deposit = quote(ada)
    payment_id = far_end.pay(deposit.session_id)["payment_intent"]
    far_end.book(payment_id)
    far_end.top_up(9_000)
    far_end.charge_account(200)
    far_end.events.clear()

    assert reconcile() == []

    assert purse(ada) == (deposit.credit_rao, 0, 0)
    assert dollars() == {
        "fx": CENTS, "bank": 9_000, "stripe-fees": -FEE - 200, "stripe-clearing": FEE + 200 - CENTS - 9_000
    }  # fmt: skip


@pytest.fixture
def paid_out(far_end):
    """A payment, a lost dispute of another, a refund that failed: all of it paid out to the bank."""
    _, _, first = paid(far_end)
    _, _, second = paid(far_end, card="another")
    for payment_id in (first, second):
        far_end.book(payment_id)
    far_end.fail_refund(far_end.refund(first, 500)["id"])
    dispute = far_end.dispute(second, 100)
    far_end.withdraw(dispute["id"])
    far_end.close(dispute["id"], "lost")
    return far_end.pay_out()


@pytest.mark.django_db
def test_the_clearing_account_goes_to_zero_with_a_payout(far_end, paid_out):
    hear_all(far_end)
    assert reconcile() == []  # in transit
    assert dollars()["stripe-clearing"] != 0

    far_end.arrive(paid_out["id"])
    hear_all(far_end)

    assert "stripe-clearing" not in dollars()
    assert dollars()["bank"] == -(2 * CENTS - 2 * FEE - 100 - 1_500)
    assert reconcile() == []


@pytest.mark.django_db
@pytest.mark.parametrize("is_heard_twice", [False, True])
def test_a_payout_that_comes_back_is_undone_in_any_order(far_end, paid_out, is_heard_twice):
    far_end.arrive(paid_out["id"])
    if is_heard_twice:
        hear_all(far_end)
    far_end.fail_payout(paid_out["id"])
    hear_all(far_end)

    assert "bank" not in dollars()
    assert reconcile() == []


@pytest.mark.django_db
def test_an_entry_without_an_object_is_listed_and_resolved_once_it_is_reversed(far_end, paid_out):
    far_end.arrive(paid_out["id"])
    hear_all(far_end)
    wrong = Entry(
        key="card:ch_other:fee", code=Code.CARD_FEE_TAKEN, at=NOW, steps=(Move(FX_USD, STRIPE_CLEARING, 7),)
    )  # fmt: skip
    ledger.post(wrong)

    (difference,) = reconcile()
    assert (difference.subject, difference.kind, difference.booked_cents) == (
        "card:ch_other:fee",
        Kind.EXTRA,
        -7,
    )
    row = CardDifference.objects.get()
    assert (row.kind, row.found_at, row.resolved_at) == ("extra", LATER, None)

    ledger.reverse("card:ch_other:fee", reason="Of another house.", now=NOW)

    assert reconcile() == []
    row.refresh_from_db()
    assert row.resolved_at == LATER


@pytest.mark.django_db
def test_an_amount_unlike_stripes_is_listed_with_its_payout_until_they_agree(far_end, paid_out):
    refund = next(iter(far_end.refunds.values()))
    movement = far_end.movements[refund["balance_transaction"]]
    far_end.arrive(paid_out["id"])
    hear_all(far_end)
    movement["amount"] -= 3

    (difference,) = reconcile()

    assert (difference.kind, difference.stripe_cents, difference.booked_cents) == (
        Kind.UNLIKE,
        -503,
        -500,
    )
    movement["amount"] += 3
    assert reconcile(now=LATER + timedelta(hours=1)) == []
    assert CardDifference.objects.get().resolved_at == LATER + timedelta(hours=1)


@pytest.mark.django_db
def test_a_payout_of_more_than_was_booked_is_listed(far_end, paid_out):
    far_end.payouts[paid_out["id"]]["amount"] += 5
    far_end.movements[paid_out["balance_transaction"]]["amount"] -= 5
    far_end.arrive(paid_out["id"])
    hear_all(far_end)

    (difference,) = reconcile()

    assert (difference.subject, difference.kind, difference.booked_cents) == (
        paid_out["id"],
        Kind.UNCLEARED,
        -5,
    )


@pytest.mark.django_db
def test_a_payment_that_was_not_credited_is_listed(far_end):
    deposit = quote(world.person())
    payment_id = far_end.pay(deposit.session_id)["payment_intent"]
    far_end.intents[payment_id]["amount_received"] = 100
    far_end.book(payment_id)

    found = reconcile()

    assert {(d.subject, d.kind) for d in found} == {
        (key_of(payment_id, "credited"), Kind.MISSING),
        (key_of(far_end.intents[payment_id]["latest_charge"], "fee"), Kind.MISSING),
    }


@pytest.mark.django_db
def test_the_command_says_whether_the_two_agree(far_end, capsys, monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: LATER)
    call_command("reconcile_cards")
    assert capsys.readouterr().out == "The books and Stripe agree.\n"
    ledger.post(
        Entry(key="card:pi_1:credited", code=Code.CARD_FEE_TAKEN, at=NOW, steps=(Move(STRIPE_CLEARING, FX_USD, 7),))
    )  # fmt: skip

    with pytest.raises(SystemExit) as ended:
        call_command("reconcile_cards", "--json", "--since", "2026-11-20")

    assert ended.value.code == 1
    said = json.loads(capsys.readouterr().out)
    assert said["agreed"] is False
    assert said["differences"][0]["subject"] == "card:pi_1:credited"


def test_costs_of_the_account_are_booked_and_the_rest_is_for_a_person():
    assert reconciling.cost(line("stripe_fee", source="", cents=-7)).key == "card:txn_1:cost"
    assert reconciling.cost(line("reserve_hold", cents=-7)) is None

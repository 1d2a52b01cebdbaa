"""What becomes of a payment after its credit, through the database and over HTTP: any order ends in the same books."""

from copy import deepcopy
from datetime import timedelta

import numpy as np
import pytest

from ledger import queries as books
from marketplace import operations
from marketplace.errors import CardLookOvertaken
from marketplace.models import CardFailure, Chargeback, Deposit
from marketplace.operations import card_books
from tests.marketplace import world
from tests.marketplace.cards import (
    CENTS,
    dollars,
    hear,
    hear_all,
    paid,
    purse,
    quote,
    refund_warned_deposits,
    spend,
    told,
)
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db

FEE = CENTS * 290 // 10_000 + 30
SEVEN = (
    "checkout.session.completed", "payment_intent.succeeded", "charge.updated",
    "radar.early_fraud_warning.created", "charge.dispute.created",
    "charge.dispute.funds_withdrawn", "charge.dispute.closed",
)  # fmt: skip


def seven_events(far_end, session_id, outcome):
    """Let all of it happen at Stripe; return its seven events."""
    payment_id = far_end.pay(session_id)["payment_intent"]
    far_end.book(payment_id)
    far_end.warn(payment_id)
    dispute = far_end.dispute(payment_id)
    far_end.withdraw(dispute["id"])
    far_end.close(dispute["id"], outcome)
    return [told(far_end, kind) for kind in SEVEN]


class Curtain:
    """Shows of what happened at Stripe no more than the events that were heard of: as if the rest were yet to come."""

    def __init__(self, far_end):
        self.far_end = far_end
        self.charge, self.intent, self.dispute = (
            deepcopy(next(iter(table.values())))
            for table in (far_end.charges, far_end.intents, far_end.disputes)
        )
        self.warnings = dict(far_end.warnings)

    def lift(self, heard):
        completed, succeeded, booked, warned, created, withdrawn, closed = (
            kind in heard for kind in SEVEN
        )
        arrived = {"status": "succeeded"} if completed or succeeded else {"status": "processing"}
        self.show("intents", self.intent | arrived)
        refunded = {"amount_refunded": self.far_end.charges[self.charge["id"]]["amount_refunded"]}
        booked_as = {} if booked else {"balance_transaction": None}
        self.show("charges", self.charge | booked_as | refunded)
        self.far_end.warnings = self.warnings if warned else {}
        is_disputed = bool(created or withdrawn or closed)
        self.far_end.charges[self.charge["id"]]["disputed"] = is_disputed
        moved = self.dispute["balance_transactions"]
        dispute = self.dispute | {
            "status": self.dispute["status"] if closed else "needs_response",
            "balance_transactions": moved[: withdrawn + (withdrawn and closed)],
        }
        self.far_end.disputes = {}
        if is_disputed:
            self.show("disputes", dispute)

    def show(self, table, row):
        getattr(self.far_end, table)[row["id"]] = row


@pytest.mark.parametrize("outcome", ["won", "lost"])
@pytest.mark.parametrize("seed", range(5))
def test_a_sample_of_orders_with_duplicates_ends_in_the_same_books(far_end, outcome, seed):
    ada = world.person()
    deposit = quote(ada)
    treasury = world.treasury()
    events = seven_events(far_end, deposit.session_id, outcome)
    chance = np.random.default_rng(seed)
    twice = chance.choice(len(events), size=3, replace=False)
    order = [*events, *(events[index] for index in twice)]
    chance.shuffle(order)

    curtain, heard = Curtain(far_end), set()
    for number, event in enumerate(order):
        heard.add(event["type"])
        curtain.lift(heard)
        hear(far_end, event | {"id": f"{event['id']}_{number}"})

    rao = deposit.credit_rao
    assert purse(ada) == {"won": (rao, 0, 0), "lost": (0, 0, 0)}[outcome]
    assert world.treasury() == treasury - {"won": rao, "lost": 0}[outcome]
    gross = {"won": {"fx": CENTS}, "lost": {}}[outcome]
    fees = FEE + 1_500
    in_stripe = sum(gross.values()) - fees
    assert dollars() == gross | {"stripe-fees": -fees, "stripe-clearing": -in_stripe}
    assert Deposit.objects.get().trouble == {"won": "", "lost": "lost"}[outcome]


@pytest.mark.parametrize("outcome", ["won", "lost"])
@pytest.mark.parametrize("seed", range(4))
def test_with_the_refunds_that_the_house_asks_for_the_books_end_by_what_stripe_did(
    far_end, outcome, seed
):
    ada = world.person()
    deposit = quote(ada)
    treasury = world.treasury()
    order = seven_events(far_end, deposit.session_id, outcome)
    np.random.default_rng(seed).shuffle(order)
    if not seed:  # that of the world outside
        order.sort(key=lambda event: SEVEN.index(event["type"]))

    curtain, heard, count = Curtain(far_end), set(), len(far_end.events)
    for number, event in enumerate(order):
        heard.add(event["type"])
        curtain.lift(heard)
        hear(far_end, event)
        refund_warned_deposits(NOW + timedelta(hours=number))
    for event in far_end.events[count:]:
        hear(far_end, event)

    is_refunded = bool(far_end.refunds)
    assert is_refunded or seed
    paid_back = CENTS * is_refunded
    fx = {"won": CENTS, "lost": 0}[outcome] - paid_back
    rao = deposit.credit_rao // CENTS * fx
    assert purse(ada) == (max(rao, 0), 0, max(-rao, 0))
    assert world.treasury() == treasury - rao
    fees = FEE + 1_500
    wanted = {"fx": fx, "stripe-fees": -fees, "stripe-clearing": fees - fx}
    assert dollars() == {name: cents for name, cents in wanted.items() if cents}


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_the_news_heard_as_they_happen_end_in_the_same_books(far_end, outcome):
    ada, deposit, payment_id = paid(far_end)
    far_end.book(payment_id)
    assert hear(far_end, far_end.events[-1]) == "fee"
    far_end.warn(payment_id)
    assert hear(far_end, far_end.events[-1]) == "lien"
    assert purse(ada) == (0, deposit.credit_rao, 0)
    dispute = far_end.dispute(payment_id)
    assert hear(far_end, far_end.events[-1]) == "released, lien"
    far_end.withdraw(dispute["id"])
    assert hear(far_end, far_end.events[-1]) == "moved"
    assert dollars()["disputes-receivable"] == -CENTS
    far_end.close(dispute["id"], outcome)
    said = hear_all(far_end)

    assert "credited before" in said
    assert purse(ada) == {"won": (deposit.credit_rao, 0, 0), "lost": (0, 0, 0)}[outcome]
    assert "disputes-receivable" not in dollars()
    (chargeback,) = Chargeback.objects.all()
    assert (chargeback.status, chargeback.amount_cents) == (outcome, CENTS)


@pytest.fixture
def spent(far_end):
    """Somebody who paid by card and has spent all but 10 rao of it."""
    ada, deposit, payment_id = paid(far_end)
    spend(ada, deposit.credit_rao - 10)
    return ada, deposit, payment_id


def test_what_was_spent_is_owed_and_the_wallet_is_never_below_zero(far_end, spent):
    ada, deposit, payment_id = spent

    dispute = far_end.dispute(payment_id)
    hear_all(far_end)
    assert purse(ada) == (0, deposit.credit_rao, deposit.credit_rao - 10)
    far_end.close(dispute["id"], "lost")
    hear_all(far_end)

    assert purse(ada) == (0, 0, deposit.credit_rao - 10)


def test_a_won_dispute_restores_what_was_had_and_what_was_owed(far_end, spent):
    ada, _, payment_id = spent
    dispute = far_end.dispute(payment_id)
    hear_all(far_end)

    far_end.close(dispute["id"], "won")
    hear_all(far_end)

    assert purse(ada) == (10, 0, 0)


def test_the_next_deposit_pays_the_debt_first(far_end, spent):
    ada, deposit, payment_id = spent
    far_end.refund(payment_id)
    hear_all(far_end)
    owed = deposit.credit_rao - 10
    assert purse(ada) == (0, 0, owed)

    _, second, _ = paid(far_end, owner=ada, key="two")

    assert purse(ada) == (second.credit_rao - owed, 0, 0)


def test_a_refund_takes_the_tao_back_and_a_failed_one_gives_it_again(far_end):
    ada, deposit, payment_id = paid(far_end)
    refund = far_end.refund(payment_id, 500)
    hear_all(far_end)
    assert purse(ada) == (deposit.credit_rao * 4 // 5, 0, 0)
    assert Deposit.objects.get().refunded_cents == 500

    far_end.fail_refund(refund["id"])
    hear_all(far_end)

    assert purse(ada) == (deposit.credit_rao, 0, 0)
    assert dollars() == {"fx": CENTS, "stripe-clearing": -CENTS}
    assert Deposit.objects.get().refunded_cents == 0


@pytest.mark.parametrize("happens", ["review", "inquiry"])
def test_a_review_or_an_inquiry_is_noted_and_takes_nothing(far_end, happens):
    ada, deposit, payment_id = paid(far_end)
    if happens == "review":
        far_end.review(payment_id)
    else:
        inquiry = far_end.dispute(payment_id, status="warning_needs_response")
    hear_all(far_end)
    assert Deposit.objects.get().trouble == happens
    assert purse(ada) == (deposit.credit_rao, 0, 0)

    if happens == "review":
        far_end.review(payment_id, is_open=False)
    else:
        far_end.close(inquiry["id"], "warning_closed")
    hear_all(far_end)

    assert Deposit.objects.get().trouble == ""


def test_a_slow_payment_that_brings_no_money_fails(far_end):
    deposit = quote(world.person())
    far_end.pay(deposit.session_id, arrives=False)
    assert hear(far_end, told(far_end, "checkout.session.completed")) == "not paid yet"
    assert Deposit.objects.get().state == "processing"
    failed = far_end.emit(
        "checkout.session.async_payment_failed", far_end.sessions[deposit.session_id]
    )

    assert hear(far_end, failed) == "failed"
    assert Deposit.objects.get().state == "failed"


def test_a_declined_card_is_noted_once_and_the_next_one_may_pay(far_end):
    ada = world.person()
    deposit = quote(ada)
    far_end.decline(deposit.session_id)
    for _ in range(2):
        assert hear(far_end, told(far_end, "payment_intent.payment_failed")) == "not paid yet"
    (failure,) = CardFailure.objects.all()
    assert (failure.owner, failure.reason) == (ada.id, "card_declined")

    far_end.pay(deposit.session_id)
    hear_all(far_end)

    assert purse(ada) == (deposit.credit_rao, 0, 0)


def test_an_older_look_never_follows_a_newer_one(far_end):
    _, _, payment_id = paid(far_end)
    older = card_books.look_at(payment_id)
    dispute = far_end.dispute(payment_id)
    far_end.close(dispute["id"], "lost")
    hear_all(far_end)

    with pytest.raises(CardLookOvertaken):
        card_books.take_up(older, now=NOW)

    assert Deposit.objects.get().trouble == "lost"


def test_a_second_payment_for_the_same_deposit_is_not_credited(far_end):
    ada, deposit, payment_id = paid(far_end)
    second = far_end.intents[payment_id] | {"id": "pi_second"}
    far_end.intents["pi_second"] = second
    event = far_end.emit("payment_intent.succeeded", second)

    assert hear(far_end, event) == f"not credited: the deposit was paid by {payment_id}"
    assert purse(ada) == (deposit.credit_rao, 0, 0)


def test_what_an_earlier_release_credited_is_not_credited_again(far_end):
    ada, deposit, payment_id = paid(far_end)
    Deposit.objects.update(payment_id=None)

    said = hear(far_end, far_end.emit("payment_intent.succeeded", far_end.intents[payment_id]))

    assert said == "credited before payments were kept"
    assert purse(ada) == (deposit.credit_rao, 0, 0)


def test_dollars_and_tao_are_two_books_that_balance_each(far_end):
    _, deposit, payment_id = paid(far_end)
    far_end.book(payment_id)
    hear_all(far_end)

    entry = books.recorded_entry(f"card:{payment_id}:credited")
    assert [(move.debit.code, move.amount_rao) for move in entry.moves] == [
        ("usd:stripe-clearing", CENTS),
        ("treasury", deposit.credit_rao),
    ]
    assert dollars() == {"fx": CENTS, "stripe-fees": -FEE, "stripe-clearing": FEE - CENTS}
    assert operations.grant_test_tao(owner=deposit.owner, amount_rao=1, key="more", now=NOW)

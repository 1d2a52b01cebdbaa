"""A bank warns of fraud: what was not spent goes back to the card by itself, once, within limits."""

from datetime import timedelta

import pytest
from django.urls import reverse

from marketplace import fraud, operations, queries, tasks
from marketplace.errors import CardsUnavailable
from marketplace.fraud import Ask, Leave, Limits, Wait, Warned
from marketplace.models import Deposit, FraudRefund, User
from marketplace.operations.fraud_refunds import REFUSALS_MAX
from marketplace.payments import door
from tests import make
from tests.marketplace import world
from tests.marketplace.cards import (
    CENTS,
    hear,
    hear_all,
    paid,
    purse,
    refund_warned_deposits,
    spend,
    told,
)
from tests.marketplace.conftest import NOW

HOUR = timedelta(hours=1)
RATE = 1_000
LIMITS = Limits(payment_cents=5_000, day_cents=5_000)


def warned_of(*, cents=5_000, refunded=0, owed=0, today=0):
    return Warned(cents, cents * RATE, refunded, owed * RATE, day_cents=today)


@pytest.mark.parametrize(
    ("warned", "decided"),
    [
        (warned_of(), Ask(5_000)),
        (warned_of(owed=1_200), Ask(3_800)),
        (warned_of(refunded=3_800, owed=1_200), Wait("What it bought was spent.")),
        (warned_of(refunded=3_800, owed=200), Ask(1_000)),
        (warned_of(owed=4_951), Wait("What it bought was spent.")),
        (warned_of(owed=9_000), Wait("What it bought was spent.")),
        (warned_of(cents=5_001), Leave("The payment is larger than is refunded without a person.")),
        (warned_of(today=1), Wait("As much as may be was refunded without a person today.")),
        (warned_of(owed=1_000, today=1_000), Ask(4_000)),
    ],
)
def test_what_is_had_and_not_owed_is_refunded_within_the_limits(warned, decided):
    assert fraud.decide(warned, LIMITS) == decided


def test_a_refund_is_never_of_more_than_is_had():
    for owed_rao in range(0, 3 * RATE, 7):
        had = Warned(100, 100 * RATE, 0, owed_rao, day_cents=0).had_cents
        assert had * RATE <= 100 * RATE - owed_rao < (had + 1) * RATE


@pytest.fixture
def warned(db, far_end):
    """Somebody whose paid deposit's bank warned of it, and nothing of it was spent."""
    ada, deposit, payment_id = paid(far_end)
    far_end.warn(payment_id)
    assert hear(far_end, told(far_end, "radar.early_fraud_warning.created")) == "lien"
    return ada, deposit, payment_id


def test_the_webhooks_answer_asks_for_nothing_and_the_sweep_refunds_once(far_end, warned):
    ada, deposit, _ = warned
    assert (purse(ada), far_end.refunds) == ((0, deposit.credit_rao, 0), {})

    for _ in range(2):
        tasks.refund_warned_deposits()

    (refund,) = far_end.refunds.values()
    assert (refund["amount"], refund["metadata"]) == (CENTS, {"asked_as": f"fraud:{deposit.id}:0"})
    assert purse(ada) == (0, 0, 0)
    row = FraudRefund.objects.get()
    assert (row.state, row.refunded_cents, row.number) == ("ended", CENTS, 1)
    assert Deposit.objects.get().trouble == ""
    hear_all(far_end)
    assert purse(ada) == (0, 0, 0)


def test_who_paid_is_told_and_staff_sees_what_was_done(far_end, warned, client):
    ada, deposit, _ = warned
    for now in (NOW - HOUR, NOW):
        operations.tell_news(source="cards", now=now)
        refund_warned_deposits(NOW)
    User.objects.update(joined_at=NOW - HOUR)

    operations.tell_news(source="cards", now=NOW + timedelta(minutes=1))

    (line,) = queries.notices_of(ada.id, limit=9)
    assert (line.type, line.path) == ("payment.refunded", "/wallet/")
    assert "Your card payment of 25.00 USD was given back" in line.sentence
    client.force_login(make.user(staff=True))
    page = client.get(reverse("admin:marketplace_fraudrefund_changelist")).content.decode()
    assert str(deposit.id) in page


def test_switched_off_nothing_is_refunded_and_the_lien_stays(far_end, warned, settings):
    ada, deposit, _ = warned
    settings.FRAUD_REFUNDS_ON = False

    tasks.refund_warned_deposits()

    assert far_end.refunds == {}
    assert purse(ada) == (0, deposit.credit_rao, 0)
    settings.FRAUD_REFUNDS_ON = True
    tasks.refund_warned_deposits()
    assert len(far_end.refunds) == 1


def test_a_large_payment_is_left_to_a_person(far_end, warned, settings):
    settings.FRAUD_REFUND_CENTS_MAX = CENTS - 1

    refund_warned_deposits(NOW)

    row = FraudRefund.objects.get()
    assert (row.state, far_end.refunds) == ("left", {})
    assert "larger than" in row.reason
    operations.dismiss_warning(deposit_id=row.pk, operator=world.person().id, now=NOW)
    row.refresh_from_db()
    assert row.state == "ended"


def test_a_days_limit_is_for_all_and_the_next_day_goes_on(far_end, warned, settings):
    settings.FRAUD_REFUND_CENTS_A_DAY = CENTS
    refund_warned_deposits(NOW)
    bob, _, payment_id = paid(far_end, key="two")
    far_end.warn(payment_id)
    hear_all(far_end)

    refund_warned_deposits(NOW)
    refund_warned_deposits(NOW + 2 * HOUR)
    assert len(far_end.refunds) == 1
    refund_warned_deposits(NOW + 25 * HOUR)

    assert len(far_end.refunds) == 2
    assert purse(bob) == (0, 0, 0)


@pytest.mark.django_db
def test_what_was_spent_stays_a_lien_and_is_refunded_once_it_comes_back(far_end):
    ada, deposit, payment_id = paid(far_end)
    rate = deposit.credit_rao // CENTS
    spend(ada, 1_000 * rate)
    far_end.warn(payment_id)
    hear_all(far_end)

    refund_warned_deposits(NOW)
    hear_all(far_end)
    assert purse(ada) == (0, 1_000 * rate, 1_000 * rate)
    assert Deposit.objects.get().trouble == "warned"
    refund_warned_deposits(NOW + 2 * HOUR)
    assert [refund["amount"] for refund in far_end.refunds.values()] == [1_500]
    operations.grant_test_tao(owner=ada.id, amount_rao=deposit.credit_rao, key="more", now=NOW)
    operations.collect_debt(owner=ada.id, now=NOW)
    refund_warned_deposits(NOW + 4 * HOUR)

    assert [refund["amount"] for refund in far_end.refunds.values()] == [1_500, 1_000]
    assert FraudRefund.objects.get().state == "ended"
    assert purse(ada) == (deposit.credit_rao - 1_000 * rate, 0, 0)


def test_an_answer_that_was_lost_is_looked_for_and_refunds_once(far_end, warned, monkeypatch):
    ada, deposit, _ = warned
    monkeypatch.setattr(door, "NETWORK_RETRIES", 0)
    door._client_of.cache_clear()
    answer, far_end.answer = far_end.answer, lost_after_it_was_made(far_end)
    with pytest.raises(CardsUnavailable):
        operations.refund_warned_deposit(deposit_id=deposit.id, now=NOW)
    far_end.answer, far_end.faults_left = answer, 0
    assert (FraudRefund.objects.get().state, len(far_end.refunds)) == ("asked", 1)
    far_end._answers.clear()  # Stripe keeps keys for a day

    refund_warned_deposits(NOW + HOUR)

    assert len(far_end.refunds) == 1
    assert FraudRefund.objects.get().state == "ended"
    assert purse(ada) == (0, 0, 0)


def lost_after_it_was_made(far_end):
    """Make every refund, and lose the answer."""
    answer = far_end.answer

    def lose(method, path, form, headers):
        made = answer(method, path, form, headers)
        if (method, path) == ("POST", "/v1/refunds"):
            far_end.faults_left = 1
            return answer(method, path, form, headers)
        return made

    return lose


def test_a_refund_that_stripe_refuses_is_tried_again_and_then_left_to_a_person(far_end, warned):
    for charge in far_end.charges.values():
        charge["disputed"] = True  # and nobody told of the dispute yet

    for number in range(REFUSALS_MAX):
        refund_warned_deposits(NOW + number * 2 * HOUR)

    row = FraudRefund.objects.get()
    assert (row.state, row.refusal_count) == ("left", REFUSALS_MAX)
    assert row.reason == "Stripe refused the refund: charge_disputed."
    asked = [path for method, path, _ in far_end.requests if method == "POST" and "refunds" in path]
    assert len(asked) == REFUSALS_MAX


def test_a_dispute_that_comes_first_ends_it(far_end, warned):
    ada, deposit, payment_id = warned
    far_end.dispute(payment_id)
    hear_all(far_end)

    refund_warned_deposits(NOW)

    assert (FraudRefund.objects.get().state, far_end.refunds) == ("ended", {})
    assert purse(ada) == (0, deposit.credit_rao, 0)


def test_a_refund_that_comes_back_from_the_bank_is_left_to_a_person_and_is_a_lien_again(
    far_end, warned
):
    ada, deposit, _ = warned
    refund_warned_deposits(NOW)

    far_end.fail_refund(next(iter(far_end.refunds)))
    hear_all(far_end)

    row = FraudRefund.objects.get()
    assert (row.state, row.reason) == ("left", "A refund came back from the card's bank.")
    assert purse(ada) == (0, deposit.credit_rao, 0)
    assert Deposit.objects.get().trouble == "warned"

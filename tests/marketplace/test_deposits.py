"""Card deposits: a quote and a page, once per key, whatever fails in between."""

from uuid import uuid4

import pytest

from ledger.errors import IdempotencyConflict
from marketplace import operations, queries
from marketplace.errors import (
    CardsSwitchedOff,
    CardsUnavailable,
    DepositOutOfBounds,
    DepositUnknown,
)
from marketplace.models import Deposit
from marketplace.operations.deposits import DEPOSIT_CENTS_MAX, DEPOSIT_CENTS_MIN
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db


def start(owner, *, cents=2_500, key="one"):
    return operations.start_deposit(
        owner=owner.id, email=owner.email, amount_cents=cents, key=key, now=NOW
    )


def test_a_deposit_quotes_tao_and_opens_a_page(far_end, settings):
    settings.TOPUP_RAO_PER_CENT = 1_000
    ada = world.person()

    deposit = start(ada)

    assert (deposit.state, deposit.amount_cents, deposit.credit_rao) == (
        "created",
        2_500,
        2_500_000,
    )
    session = far_end.sessions[deposit.session_id]
    assert (session["amount_total"], session["customer_email"]) == (2_500, ada.email)
    assert session["success_url"] == f"{settings.SITE_URL}/wallet/?deposit={deposit.id}"
    assert deposit.checkout_url == session["url"]
    assert world.purse(ada) == (0, 0)


def test_the_same_key_finds_the_same_page(far_end):
    ada = world.person()
    first = start(ada)

    again = start(ada)

    assert (again.id, again.checkout_url) == (first.id, first.checkout_url)
    assert len(far_end.sessions) == 1


def test_the_same_key_for_another_amount_is_refused(far_end):
    ada = world.person()
    start(ada)

    with pytest.raises(IdempotencyConflict):
        start(ada, cents=5_000)

    assert Deposit.objects.count() == 1


def test_a_page_that_could_not_be_opened_is_opened_by_the_same_key(far_end):
    ada = world.person()
    far_end.faults_left = 9

    with pytest.raises(CardsUnavailable):
        start(ada)
    assert Deposit.objects.get().session_id is None
    far_end.faults_left = 0
    deposit = start(ada)

    assert deposit.checkout_url
    assert Deposit.objects.count() == len(far_end.sessions) == 1


@pytest.mark.parametrize("cents", [DEPOSIT_CENTS_MIN - 1, DEPOSIT_CENTS_MAX + 1])
def test_an_amount_out_of_bounds_is_refused(far_end, cents):
    ada = world.person()

    with pytest.raises(DepositOutOfBounds):
        start(ada, cents=cents)

    assert Deposit.objects.count() == 0
    assert start(ada, cents=DEPOSIT_CENTS_MIN).checkout_url


def test_without_a_processor_no_quote_is_written(settings):
    settings.STRIPE_SECRET_KEY = ""

    with pytest.raises(CardsSwitchedOff):
        start(world.person())

    assert Deposit.objects.count() == 0


def test_a_deposit_is_shown_to_its_owner_alone(far_end):
    ada = world.person()
    deposit = start(ada)

    assert queries.deposit(deposit.id, owner=ada.id).id == deposit.id
    assert [row.id for row in queries.deposits_of(ada.id)] == [deposit.id]
    with pytest.raises(DepositUnknown):
        queries.deposit(deposit.id, owner=uuid4())

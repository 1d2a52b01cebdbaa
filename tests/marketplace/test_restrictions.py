"""What a card paid for is bid and spent at once, and leaves once its window has passed, whoever has it by then."""

from datetime import timedelta

import pytest
from django.urls import reverse

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.errors import CardsPaused, CardsSwitchedOff, DepositLimitReached
from marketplace.invariants import check_books
from marketplace.models import CardDifference, Deposit, Restriction
from marketplace.offering import Backing
from marketplace.operations import card_books
from marketplace.tasks import collect_debts
from tests import make
from tests.marketplace import withdrawals, world
from tests.marketplace.cards import CENTS, dollars, hear, hear_all, paid, purse, quote, spend, told
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)
RATE = 10**9 // 25  # 25 US cents buy a TAO


@pytest.fixture(autouse=True)
def _rate(settings):
    settings.TOPUP_RAO_PER_CENT = RATE


def leaves(owner, *, now=NOW):
    return queries.purse(owner.id, now).withdrawable_rao


def test_a_deposit_can_be_spent_at_once_and_leaves_after_its_window(far_end):
    ada, deposit, _ = paid(far_end)

    assert world.purse(ada) == (100 * TAO, 0)
    assert leaves(ada) == 0
    assert leaves(ada, now=NOW + WEEK - timedelta(seconds=1)) == 0
    assert leaves(ada, now=NOW + WEEK) == deposit.credit_rao


def test_other_money_leaves_at_once(far_end):
    ada = world.person(tao=30)
    paid(far_end, owner=ada)

    assert leaves(ada) == 30 * TAO


def test_a_large_deposit_and_one_of_an_overused_card_clear_late(far_end, settings):
    _, large, _ = paid(far_end, cents=settings.CARD_SMALL_CENTS + 1, card="another")
    settings.CARD_CENTS_A_DAY = 2 * CENTS
    days = [
        (Restriction.objects.get(deposit=paid(far_end, card="one card")[1]).clears_at - NOW).days
        for _ in range(3)
    ]

    assert (Restriction.objects.get(deposit=large).clears_at - NOW).days == 120
    assert days == [7, 7, 120]


@pytest.fixture
def sold(far_end):
    """A subnet sold for 60 TAO to somebody whose 100 TAO came of a card."""
    ada, deposit, payment_id = paid(far_end)
    on = world.auction(start=60)
    world.bid(on, ada, 60)
    world.settle(on)
    seller = on.seller
    return ada, seller, deposit, payment_id


def test_what_a_seller_got_of_a_card_is_restricted_with_them(sold):
    ada, seller, _, _ = sold
    got = 60 * TAO * 9_750 // 10_000

    row = Restriction.objects.get(owner=seller)
    # 40 TAO are left to the buyer, and cover as much of the 100.
    assert (row.uncleared_rao, row.clears_at) == (got, NOW + WEEK)
    assert queries.restricted(ada.id, NOW).amount_rao == 100 * TAO - got
    before = queries.purse(seller, NOW).withdrawable_rao
    assert queries.purse(seller, NOW + WEEK).withdrawable_rao == before + got


def test_a_dispute_keeps_the_sellers_part_until_it_is_decided(far_end, sold):
    ada, seller, _, payment_id = sold
    got = Restriction.objects.get(owner=seller).uncleared_rao
    later = NOW + timedelta(days=30)
    dispute = far_end.dispute(payment_id)
    hear_all(far_end)
    assert purse(ada) == (0, 100 * TAO, 60 * TAO)
    restricted = queries.restricted(seller, later)
    assert (restricted.amount_rao, restricted.until, restricted.is_frozen) == (got, None, False)

    far_end.close(dispute["id"], "won")
    hear_all(far_end)

    assert queries.restricted(seller, later).amount_rao == 0
    assert purse(ada) == (40 * TAO, 0, 0)


def test_after_a_lost_dispute_staff_lets_the_seller_go(far_end, sold):
    _, seller, _, payment_id = sold
    far_end.close(far_end.dispute(payment_id)["id"], "lost")
    hear_all(far_end)
    later = NOW + timedelta(days=300)
    row = Restriction.objects.get(owner=seller)
    assert queries.restricted(seller, later).amount_rao == row.uncleared_rao

    for _ in range(2):
        operations.release_restriction(restriction_id=row.pk, operator=seller, now=later)

    assert queries.restricted(seller, later).amount_rao == 0


def test_an_offers_price_carries_restrictions_too(far_end):
    ada, _, _ = paid(far_end)
    bob = world.person(tao=1_000)
    offer = world.offer(ada, world.subnet(bob), 80)

    world.accept(offer, bob, 80)

    assert Restriction.objects.get(owner=bob.id).uncleared_rao == 78 * TAO


def test_a_forfeited_deposit_carries_restrictions_too(far_end):
    ada, _, _ = paid(far_end)
    on = world.auction(start=80, backing=Backing.DEPOSIT, deposit_bps=5_000, pay_within_s=86_400)
    world.bid(on, ada, 150)
    world.settle(on)
    on.refresh_from_db()

    operations.end_overdue_auction(auction_id=on.id, now=on.due_at)

    # 75 of 100 TAO were forfeited: 25 are left, which cover as much of what is restricted.
    got = 75 * TAO - 75 * TAO * 250 // 10_000
    assert queries.restricted(on.seller, NOW).amount_rao == got
    assert queries.restricted(ada.id, NOW).amount_rao == 100 * TAO - got


def test_a_restriction_out_of_nothing_is_found(sold):
    _, seller, _, _ = sold
    Restriction.objects.filter(owner=seller).update(granted_rao=1)

    (fault,) = check_books()

    assert "a sale carries restrictions on and makes none" in fault
    Restriction.objects.filter(owner=seller).update(
        granted_rao=Restriction.objects.get(granted_rao=100 * TAO).carried_rao
    )


def test_the_operators_lists_open_and_act(client, far_end, sold):
    ada, seller, deposit, payment_id = sold
    far_end.warn(payment_id)
    hear_all(far_end)
    CardDifference.objects.create(
        subject="po_1", kind="uncleared", stripe_cents=0, booked_cents=5, found_at=NOW, seen_at=NOW
    )
    client.force_login(make.user(staff=True))
    for name in (
        "deposit",
        "chargeback",
        "cardfailure",
        "carddifference",
        "restriction",
        "webhookevent",
    ):
        assert client.get(reverse(f"admin:marketplace_{name}_changelist")).status_code == 200

    page = reverse("admin:marketplace_deposit_changelist")
    client.post(page, {"action": "dismiss", "_selected_action": [str(deposit.pk)]})
    row = Restriction.objects.get(owner=seller)
    page = reverse("admin:marketplace_restriction_changelist")
    client.post(page, {"action": "release", "_selected_action": [str(row.pk)]})

    assert Deposit.objects.get().trouble == ""
    assert purse(ada) == (40 * TAO, 0, 0)
    row.refresh_from_db()
    assert row.released_at is not None


def test_a_refund_lifts_the_restriction_of_what_it_took(far_end):
    ada = world.person(tao=30)
    _, _, payment_id = paid(far_end, owner=ada)
    far_end.refund(payment_id, CENTS // 2)
    hear_all(far_end)

    assert world.purse(ada)[0] == 80 * TAO
    assert leaves(ada) == 30 * TAO


@pytest.mark.parametrize("happens", ["dispute", "warn", "review"])
def test_nothing_leaves_while_a_payment_is_in_doubt(far_end, happens):
    ada = world.person(tao=300)
    _, _, payment_id = paid(far_end, owner=ada)
    assert leaves(ada) == 300 * TAO
    getattr(far_end, happens)(payment_id)

    hear_all(far_end)

    assert leaves(ada) == 0
    assert world.purse(ada)[0] >= 300 * TAO


def test_staff_dismisses_a_warning(far_end):
    ada, deposit, payment_id = paid(far_end)
    far_end.warn(payment_id)
    hear_all(far_end)
    assert purse(ada) == (0, 100 * TAO, 0)

    said = operations.dismiss_warning(deposit_id=deposit.id, operator=ada.id, now=NOW)

    assert said == "released"
    assert purse(ada) == (100 * TAO, 0, 0)
    assert Deposit.objects.get().trouble == ""


def test_staff_refunds_a_payment_once(far_end):
    ada, deposit, payment_id = paid(far_end)
    far_end.warn(payment_id)
    hear_all(far_end)

    for _ in range(2):
        operations.refund_deposit(deposit_id=deposit.id, operator=ada.id, now=NOW)
    hear_all(far_end)

    assert len(far_end.refunds) == 1
    assert purse(ada) == (0, 0, 0)
    assert dollars() == {}


@pytest.fixture
def debtor(far_end):
    """Somebody who spent 70 of the 100 TAO of a payment that was refunded since."""
    ada, deposit, payment_id = paid(far_end)
    spend(ada, 70 * TAO)
    far_end.refund(payment_id)
    hear_all(far_end)
    assert purse(ada) == (0, 0, 70 * TAO)
    return ada, deposit


def test_a_debt_is_collected_of_what_comes_in(debtor):
    ada, _ = debtor
    collect_debts()
    assert purse(ada) == (0, 0, 70 * TAO)
    operations.grant_test_tao(owner=ada.id, amount_rao=50 * TAO, key="prize", now=NOW)
    assert leaves(ada) == 0

    collect_debts()
    assert purse(ada) == (0, 0, 20 * TAO)
    operations.grant_test_tao(owner=ada.id, amount_rao=50 * TAO, key="more", now=NOW)
    collect_debts()

    assert purse(ada) == (30 * TAO, 0, 0)
    assert leaves(ada) == 30 * TAO


def test_an_account_pays_so_much_a_day(far_end, settings):
    settings.CARD_ACCOUNT_CENTS_A_DAY = 2 * CENTS
    ada = world.person()
    quote(ada, key="one")
    quote(ada, key="two")

    with pytest.raises(DepositLimitReached) as refusal:
        quote(ada, key="three")

    assert refusal.value.fields == {"limit_cents": 2 * CENTS, "used_cents": 2 * CENTS}
    assert quote(ada, key="two").checkout_url
    assert quote(world.person(), key="three").checkout_url


def test_a_card_pays_so_much_a_day_over_all_accounts(far_end, settings):
    settings.CARD_CENTS_A_DAY = 2 * CENTS
    ada, _, _ = paid(far_end, card="shared")
    paid(far_end, card="shared")

    with pytest.raises(DepositLimitReached):
        quote(ada, key="two")

    far_end.clock = (NOW + timedelta(days=1)).timestamp
    assert quote(ada, key="two", now=NOW + timedelta(days=1)).checkout_url


def test_many_failed_cards_are_a_pause(far_end, settings):
    settings.CARD_FAILURES_A_DAY = 2
    ada = world.person()
    deposit = quote(ada)
    for _ in range(2):
        far_end.decline(deposit.session_id)
        hear(far_end, told(far_end, "payment_intent.payment_failed"))

    with pytest.raises(CardsPaused) as refusal:
        quote(ada, key="two")

    assert refusal.value.fields == {"failure_count": 2}
    assert quote(world.person(), key="two").checkout_url


def test_a_large_payment_asks_the_bank_to_ask(far_end, settings):
    quote(world.person(), cents=settings.CARD_3DS_CENTS - 1)
    quote(world.person(), cents=settings.CARD_3DS_CENTS)

    asked = [
        params["payment_method_options"]["card"]["request_three_d_secure"]
        for _, path, params in far_end.requests
        if path == "/v1/checkout/sessions"
    ]
    assert asked == ["automatic", "any"]


def test_switched_off_nobody_pays_and_what_was_paid_is_still_credited(far_end, settings):
    ada = world.person()
    deposit = quote(ada)
    far_end.pay(deposit.session_id)
    settings.CARDS_ON = False

    with pytest.raises(CardsSwitchedOff):
        quote(ada, key="two")
    hear_all(far_end)

    assert world.purse(ada)[0] == deposit.credit_rao


def test_the_wallet_says_what_may_leave_and_when(client, far_end, monkeypatch):
    ada, _, payment_id = paid(far_end)
    client.force_login(ada)
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    page = client.get(reverse("wallet")).content.decode()
    assert "100 TAO came of a card" in page
    assert "from 29 Nov 2026" in page
    wallet = client.get("/api/v1/wallet/").json()
    assert (wallet["withdrawable_rao"], wallet["restricted_rao"]) == ("0", str(100 * TAO))
    assert wallet["restricted_until"] == "2026-11-29T12:00:00Z"

    far_end.refund(payment_id, 500)
    far_end.dispute(payment_id, 2_000)
    hear_all(far_end)

    page = client.get(reverse("wallet")).content.decode()
    assert "Kept while a card payment is disputed" in page
    assert "5.00 USD refunded" in page
    assert ">Disputed</span>" in page
    assert "Nothing can be withdrawn for now" in page


def test_a_look_that_finds_nothing_new_changes_nothing(far_end):
    ada, deposit, _ = paid(far_end)

    assert operations.look_again(deposit_id=deposit.id, now=NOW) == "credited before"
    assert card_books.terms_of(deposit).rao_of(CENTS) == deposit.credit_rao
    assert purse(ada) == (100 * TAO, 0, 0)


def test_what_is_set_aside_to_leave_covers_no_restriction(far_end):
    ada, book = withdrawals.rich(tao=30)
    paid(far_end, owner=ada)
    withdrawals.request(ada, withdrawals.to_chain(book, 30))
    on = world.auction(start=100)

    world.bid(on, ada, 100)
    world.settle(on)

    # All that was sold for came of the card, so all of it goes along; none stays behind on an empty wallet.
    assert queries.restricted(on.seller, NOW).amount_rao == 97.5 * TAO
    assert queries.restricted(ada.id, NOW).amount_rao == 2.5 * TAO

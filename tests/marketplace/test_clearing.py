"""A card payment's state becomes postings: whatever order the news come in, the books end the same."""

from collections import Counter
from dataclasses import replace
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import chart
from ledger.chart import TAO, USD
from marketplace import clearing, fraud
from marketplace.cardpayment import Chargeback, FraudWarning, Movement, Payment, Refund
from marketplace.clearing import Purse, Terms, Trouble

OWNER = UUID(int=7)
CENTS, RATE = 5_000, 1_000
TERMS = Terms(owner=OWNER, amount_cents=CENTS, credit_rao=CENTS * RATE)
WALLET, LIEN, DEBT = (named(OWNER).code for named in (chart.wallet, chart.lien, chart.debt))
PAID = Payment("pi_1", UUID(int=1), "succeeded", CENTS, "usd", charge_id="ch_1")
WITHDRAWN = Movement("txn_withdrawn", -CENTS, 1_500)
REINSTATED = Movement("txn_reinstated", CENTS, 0)

EVENTS = (
    "completed", "succeeded", "charge updated", "early fraud warning",
    "dispute created", "funds withdrawn", "closed",
)  # fmt: skip


class Books:
    """Accounts without a database: what `operations` does with a plan, kept in a Counter."""

    def __init__(self, *, held_rao=0):
        self.balances, self.keys, self.held_rao = Counter(), set(), held_rao

    def look(self, seen, terms=TERMS):
        for posting in clearing.plan(seen, terms, posted=self.keys & set(clearing.keys_of(seen))):
            moves, _ = clearing.moves_of(posting.tao, owner=OWNER, purse=self.purse())
            assert posting.key not in self.keys
            self.keys.add(posting.key)
            for move in (*posting.moves, *moves):
                self.move(move.debit.code, move.credit.code, move.amount_rao)
                assert self.balances[WALLET] >= 0
                assert self.balances[LIEN] >= 0
                assert self.balances[DEBT] <= 0
        return self

    def move(self, debit, credit, amount):
        self.balances[debit] -= amount
        self.balances[credit] += amount

    def purse(self):
        return Purse(self.balances[WALLET] - self.held_rao, -self.balances[DEBT])

    def spend(self, amount):
        self.move(WALLET, "elsewhere", amount)

    def end(self):
        return {code: balance for code, balance in self.balances.items() if balance}


def payment_after(heard, *, outcome, refunds=()):
    """The payment as somebody sees it who knows of these events alone, and of the house's refunds."""
    status = "succeeded" if {"completed", "succeeded"} & heard else "processing"
    fee_cents = 175 if "charge updated" in heard else None
    warnings = (FraudWarning("issfr_1"),) if "early fraud warning" in heard else ()
    chargebacks = ()
    if heard & {"dispute created", "funds withdrawn", "closed"}:
        movements = (WITHDRAWN,) if "funds withdrawn" in heard else ()
        if outcome == "won" and {"closed", "funds withdrawn"} <= heard:
            movements += (REINSTATED,)
        told = outcome if "closed" in heard else "needs_response"
        chargebacks = (Chargeback("du_1", told, CENTS, movements=movements),)
    return replace(
        PAID, status=status, fee_cents=fee_cents, warnings=warnings, chargebacks=chargebacks,
        refunds=refunds,
    )  # fmt: skip


DISPUTED = {"dispute created", "funds withdrawn", "closed"}
LIMITS = fraud.Limits(payment_cents=CENTS, day_cents=CENTS)


def refund_asked(books, seen, heard):
    """The refund that the house asks for after a look, where the bank's word stands and nobody disputes yet."""
    if clearing.trouble(seen, TERMS) is not Trouble.WARNED or DISPUTED & heard:
        return ()
    owed = books.purse().owed_rao
    match fraud.decide(
        fraud.Warned(CENTS, CENTS * RATE, seen.refunded_cents, owed, day_cents=0), LIMITS
    ):
        case fraud.Ask(cents):
            return (Refund("re_1", "succeeded", cents, Movement("txn_refund", -cents, 0)),)
        case _:
            return ()


FEES = 175 + 1_500
ENDS = {
    "won": {
        WALLET: CENTS * RATE,
        "treasury": -CENTS * RATE,
        "usd:fx": CENTS,
        "usd:stripe-clearing": 175 + 1_500 - CENTS,
        "usd:stripe-fees": -175 - 1_500,
    },
    "lost": {"usd:stripe-clearing": FEES, "usd:stripe-fees": -FEES},
}
# The same where the house gave the payment back before anybody disputed it: the bank had it all the same.
ENDS_REFUNDED = {
    "won": {"usd:stripe-clearing": FEES, "usd:stripe-fees": -FEES},
    "lost": {
        DEBT: -CENTS * RATE,
        "treasury": CENTS * RATE,
        "usd:fx": -CENTS,
        "usd:stripe-clearing": CENTS + FEES,
        "usd:stripe-fees": -FEES,
    },
}


@pytest.mark.parametrize("outcome", ENDS)
def test_all_5040_orders_of_the_news_with_duplicates_end_in_the_same_books(outcome):
    orders = list(permutations(EVENTS))
    assert len(orders) == 5_040

    for number, order in enumerate(orders):
        books, heard = Books(), set()
        for place, event in enumerate(order):
            heard.add(event)
            books.look(payment_after(heard, outcome=outcome))
            if (number + place) % 3 == 0:  # some come twice
                books.look(payment_after(heard, outcome=outcome))
        assert books.end() == ENDS[outcome], order


@pytest.mark.parametrize("outcome", ENDS)
def test_with_the_refund_that_follows_a_warning_all_orders_end_by_what_stripe_did(outcome):
    refunded_count = 0

    for number, order in enumerate(permutations(EVENTS)):
        books, heard, made, shown_from = Books(), set(), (), 0
        lag = number // 3 % 3  # after how many other news the refund is heard of
        for place, event in enumerate(order):
            heard.add(event)
            for _ in range(1 + (number + place) % 3 // 2):  # some come twice
                shown = made if place >= shown_from else ()
                seen = payment_after(heard, outcome=outcome, refunds=shown)
                books.look(seen)
                if not made:
                    made, shown_from = refund_asked(books, seen, heard), place + lag
        books.look(payment_after(heard, outcome=outcome, refunds=made))
        assert books.end() == (ENDS_REFUNDED if made else ENDS)[outcome], order
        refunded_count += bool(made)

    assert 0 < refunded_count < 5_040


def test_of_a_payment_that_was_spent_in_part_the_rest_is_refunded_and_what_was_spent_stays_a_lien():
    books = Books().look(PAID)
    books.spend(2_000 * RATE)
    warned = replace(PAID, warnings=(FraudWarning("issfr_1"),))
    books.look(warned)

    (refund,) = refund_asked(books, warned, set())
    seen = replace(warned, refunds=(refund,))
    books.look(seen)

    assert refund.amount_cents == 3_000
    assert (books.balances[WALLET], books.balances[LIEN], books.balances[DEBT]) == (
        0, 2_000 * RATE, -2_000 * RATE,
    )  # fmt: skip
    assert refund_asked(books, seen, set()) == ()
    assert clearing.trouble(seen, TERMS) is Trouble.WARNED
    early = Books().look(PAID)
    early.spend(2_000 * RATE)
    assert early.look(seen).look(seen).end() == books.end()


@pytest.mark.parametrize("end", ["dismissed", "disputed"])
def test_what_is_left_under_a_warning_is_released_whatever_refunds_came_and_failed(end):
    warned = replace(PAID, warnings=(FraudWarning("issfr_1"),))
    first = Refund("re_1", "succeeded", 3_000, Movement("txn_1", -3_000, 0))
    back = replace(first, status="failed", returned=Movement("txn_2", 3_000, 0))
    second = Refund("re_2", "pending", 1_000)
    steps = [
        warned,
        *(replace(warned, refunds=refunds) for refunds in ((first,), (back,), (back, second))),
    ]
    books = Books()
    kept = [books.look(step).look(step).balances[LIEN] for step in steps]
    assert kept == [5_000 * RATE, 2_000 * RATE, 5_000 * RATE, 4_000 * RATE]

    last, terms = steps[-1], replace(TERMS, are_warnings_dismissed=end == "dismissed")
    if end == "disputed":
        last = replace(last, chargebacks=(Chargeback("du_1", "won", 1_000),))
    books.look(last, terms)

    assert (books.balances[LIEN], books.balances[WALLET]) == (0, 4_000 * RATE)
    assert Books().look(last, terms).end() == books.end()


@pytest.mark.parametrize("outcome", ENDS)
def test_what_the_owner_spent_before_is_owed_if_the_dispute_is_lost(outcome):
    books = Books().look(payment_after({"completed"}, outcome=outcome))
    books.spend(CENTS * RATE - 10)

    for count in range(1, len(EVENTS) + 1):
        books.look(payment_after(set(EVENTS[:count]), outcome=outcome))

    owed = CENTS * RATE - 10
    kept = {"won": {WALLET: 10, "treasury": -CENTS * RATE}, "lost": {DEBT: -owed}}[outcome]
    assert {code: rao for code, rao in books.end().items() if not code.startswith("usd:")} == {
        "elsewhere": owed, **kept
    }  # fmt: skip


def test_what_leads_an_auction_is_not_taken_but_owed():
    books = Books(held_rao=1_000).look(PAID)

    books.look(replace(PAID, chargebacks=(Chargeback("du_1", "needs_response", CENTS),)))

    assert (books.balances[WALLET], books.balances[DEBT]) == (1_000, -1_000)
    assert books.balances[LIEN] == CENTS * RATE


def test_part_of_a_payment_is_disputed_at_the_deposits_rate():
    books = Books().look(replace(PAID, chargebacks=(Chargeback("du_1", "lost", 2_000),)))

    assert books.balances[WALLET] == 3_000 * RATE
    assert books.balances["treasury"] == -3_000 * RATE
    assert books.balances["usd:fx"] == 3_000


def test_an_inquiry_takes_nothing():
    asked = replace(PAID, chargebacks=(Chargeback("du_1", "warning_needs_response", CENTS),))

    assert Books().look(asked).end() == Books().look(PAID).end()
    assert clearing.trouble(asked, TERMS) is Trouble.INQUIRY
    closed = replace(asked, chargebacks=(Chargeback("du_1", "warning_closed", CENTS),))
    assert clearing.trouble(closed, TERMS) is Trouble.NONE


def test_an_inquiry_that_becomes_a_dispute_is_one():
    books = Books()
    for status in ("warning_needs_response", "needs_response", "lost"):
        books.look(replace(PAID, chargebacks=(Chargeback("du_1", status, CENTS),)))

    assert books.balances["treasury"] == 0


def test_a_dispute_that_was_lost_in_error_is_restored():
    books = Books()
    for status, movements in (("lost", (WITHDRAWN,)), ("won", (WITHDRAWN, REINSTATED))):
        books.look(
            replace(PAID, chargebacks=(Chargeback("du_1", status, CENTS, movements=movements),))
        )

    assert books.balances[WALLET] == CENTS * RATE
    assert books.balances["usd:disputes-receivable"] == 0
    assert books.balances["usd:fx"] == CENTS


def test_a_dispute_takes_the_place_of_a_warning():
    books = Books().look(replace(PAID, warnings=(FraudWarning("issfr_1"),)))
    assert books.balances[LIEN] == CENTS * RATE

    books.look(
        replace(PAID, warnings=(FraudWarning("issfr_1"),), chargebacks=(Chargeback("du_1", "needs_response", 2_000),))
    )  # fmt: skip

    assert (books.balances[LIEN], books.balances[WALLET]) == (2_000 * RATE, 3_000 * RATE)


def test_many_warnings_are_about_the_same_tao_and_staff_can_dismiss_them():
    warned = replace(PAID, warnings=(FraudWarning("issfr_2"),))
    books = Books().look(warned)
    twice = replace(warned, warnings=(FraudWarning("issfr_1"), FraudWarning("issfr_2")))

    assert books.look(twice).balances[LIEN] == CENTS * RATE
    assert clearing.trouble(twice, TERMS) is Trouble.WARNED
    books.look(twice, replace(TERMS, are_warnings_dismissed=True))

    assert (books.balances[LIEN], books.balances[WALLET]) == (0, CENTS * RATE)


def test_a_full_refund_undoes_the_sale_and_answers_a_warning():
    books = Books().look(replace(PAID, warnings=(FraudWarning("issfr_1"),)))

    books.look(
        replace(
            PAID,
            warnings=(FraudWarning("issfr_1"),),
            refunds=(Refund("re_1", "succeeded", CENTS, Movement("txn_1", -CENTS, 0)),),
        )
    )

    assert books.end() == {}


def test_a_refund_that_failed_is_undone_whenever_that_is_heard():
    made, back = Movement("txn_1", -2_000, 0), Movement("txn_2", 2_000, 0)
    failed = replace(PAID, refunds=(Refund("re_1", "failed", 2_000, made, back),))
    early = Books().look(replace(PAID, refunds=(Refund("re_1", "pending", 2_000),)))
    assert early.balances[WALLET] == 3_000 * RATE

    assert early.look(failed).end() == Books().look(failed).end() == Books().look(PAID).end()


def test_a_refund_that_never_left_moves_nothing():
    never = replace(PAID, refunds=(Refund("re_1", "canceled", 2_000),))

    assert Books().look(never).end() == Books().look(PAID).end()


def test_nothing_is_posted_before_the_money_arrives():
    assert clearing.plan(replace(PAID, status="processing"), TERMS, posted=()) == ()


def test_a_payment_pays_the_debt_first():
    books = Books()
    books.move(DEBT, "elsewhere", 700)

    books.look(PAID)

    assert (books.balances[WALLET], books.balances[DEBT]) == (CENTS * RATE - 700, 0)


@given(
    available=st.integers(-5, 100), owed=st.integers(0, 100),
    acts=st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=8),
)  # fmt: skip
def test_taking_and_giving_changes_what_is_had_less_what_is_owed_by_the_amount(
    available, owed, acts
):
    purse = Purse(available, owed)

    for is_taken, amount in acts:
        tao = (clearing.Take if is_taken else clearing.Give)(amount, chart.TREASURY)
        moves, after = clearing.moves_of(tao, owner=OWNER, purse=purse)
        assert sum(move.amount_rao for move in moves) == amount
        change = (after.available_rao - after.owed_rao) - (purse.available_rao - purse.owed_rao)
        assert change == (-amount if is_taken else amount)
        assert after.owed_rao >= 0
        assert after.available_rao >= min(purse.available_rao, 0)
        purse = after


def test_every_key_of_a_plan_is_one_that_is_looked_up_and_every_move_keeps_to_one_asset():
    seen = replace(
        payment_after(set(EVENTS), outcome="lost"),
        refunds=(Refund("re_1", "failed", 100, Movement("txn_1", -100, 0)),),
    )

    plan = clearing.plan(seen, TERMS, posted=())

    assert {posting.key for posting in plan} <= set(clearing.keys_of(seen))
    assert {move.debit.asset for posting in plan for move in posting.moves} == {TAO, USD}

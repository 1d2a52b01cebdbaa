"""Who may deal with whom; problems with a purchase; what is known of people."""

from datetime import timedelta
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress

from marketplace import operations, queries
from marketplace.errors import (
    AccountsLinked,
    AddressNotVerified,
    DisputeDecided,
    DisputeTooLate,
    SaleUnknown,
)
from marketplace.linking import mailbox
from marketplace.models import AccountLink, Dispute
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.com", "ADA@example.com"),
        ("ada@example.com", "ada+bids@example.com"),
        ("a.d.a@gmail.com", "ada+x@googlemail.com"),
    ],
)
def test_addresses_of_one_mailbox_are_one(one, other):
    assert mailbox(one) == mailbox(other)


@pytest.mark.parametrize("other", ["a.da@example.com", "ada@example.org", "adab@example.com"])
def test_addresses_of_two_mailboxes_are_two(other):
    assert mailbox("ada@example.com") != mailbox(other)


def test_a_stranger_may_deal_and_the_seller_by_another_name_may_not(django_assert_num_queries):
    seller = world.person(email="ada@example.com")
    alias = world.person(email="ada+second@example.com")
    stranger, partner = world.person(), world.person()

    with django_assert_num_queries(1):
        operations.check_may_deal(buyer=stranger.id, seller=seller.id)
    with pytest.raises(AccountsLinked):
        operations.check_may_deal(buyer=alias.id, seller=seller.id)
    operations.check_may_deal(buyer=partner.id, seller=seller.id)
    for one, other in ((partner, seller), (seller, partner)):
        operations.link_accounts(
            one=one.id, other=other.id, note="one address", linked_by=uuid4(), now=NOW
        )

    assert AccountLink.objects.count() == 1
    with pytest.raises(AccountsLinked):
        operations.check_may_deal(buyer=partner.id, seller=seller.id)
    with pytest.raises(AccountsLinked):
        operations.check_may_deal(buyer=seller.id, seller=partner.id)


def test_an_address_is_confirmed_where_mail_is_sent(settings):
    seller, buyer = world.person(), world.person()
    operations.check_may_deal(buyer=buyer.id, seller=seller.id)

    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    with pytest.raises(AddressNotVerified):
        operations.check_may_deal(buyer=buyer.id, seller=seller.id)
    EmailAddress.objects.create(user=buyer, email=buyer.email, verified=True, primary=True)

    operations.check_may_deal(buyer=buyer.id, seller=seller.id)


@pytest.fixture
def sale():
    """Return what a buyer has won in an auction."""
    on, buyer = world.auction(), world.person(tao=100)
    world.bid(on, buyer, 20)
    return world.settle(on)


def test_a_buyer_reports_a_problem_once(sale):
    said = {"sale_id": sale.id, "buyer": sale.buyer, "now": sale.sold_at + timedelta(days=14)}
    opened = operations.open_dispute(**said, text="  The miners stated are not there.\r\n")

    assert operations.open_dispute(**said, text="Something else.") == opened
    assert (opened.text, opened.seller) == ("The miners stated are not there.", sale.seller)
    assert queries.reputation(sale.seller).open_dispute_count == 1
    with pytest.raises(SaleUnknown):
        operations.open_dispute(**said | {"buyer": sale.seller}, text="Not mine.")


def test_a_problem_is_reported_in_time(sale):
    with pytest.raises(DisputeTooLate) as refused:
        operations.open_dispute(
            sale_id=sale.id,
            buyer=sale.buyer,
            text="Late.",
            now=sale.sold_at + timedelta(days=14, seconds=1),
        )
    assert refused.value.fields == {"days": 14}


def test_a_decision_counts_against_the_seller_only_when_the_buyer_was_right(sale):
    opened = operations.open_dispute(
        sale_id=sale.id, buyer=sale.buyer, text="Not as stated.", now=sale.sold_at
    )
    decided = {"dispute_id": opened.id, "decided_by": uuid4(), "now": NOW}
    operations.decide_dispute(**decided, state=Dispute.State.UPHELD, answer="The books say so.")
    again = operations.decide_dispute(**decided, state=Dispute.State.UPHELD, answer="Twice.")

    assert again.answer == "The books say so."
    known = queries.reputation(sale.seller)
    assert (known.sold_count, known.disputed_count, known.open_dispute_count) == (1, 1, 0)
    assert queries.disputes_about(sale.netuid) == 1
    with pytest.raises(DisputeDecided):
        operations.decide_dispute(**decided, state=Dispute.State.DISMISSED, answer="No.")
    assert queries.reputation(sale.buyer).bought_count == 1

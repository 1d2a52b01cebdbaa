"""The desk of withdrawals: who may let one go, what the database refuses besides, and what staff gives back."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from ledger.money import RAO_PER_TAO as TAO
from ledger.reserves import reserves
from marketplace import operations
from marketplace.errors import (
    OwnWithdrawal,
    ReasonMissing,
    WithdrawalDecided,
    WithdrawalsFrozen,
)
from marketplace.models import User, Withdrawal, WithdrawalAddress, WithdrawalApproval
from marketplace.operations.rehearsed_chain import RehearsedChain
from tests.ignoring import every_trigger_ignored
from tests.marketplace import cards, world
from tests.marketplace.conftest import NOW
from tests.marketplace.withdrawals import (
    AGAIN,
    FEE_RAO,
    approve,
    request,
    requested,
    send,
    to_chain,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _chain(settings):
    settings.WITHDRAWAL_FEE_RAO = FEE_RAO


def test_above_the_limit_two_people_let_it_go(settings):
    settings.WITHDRAWAL_TWO_PEOPLE_RAO = 5 * TAO
    _, row = requested(tao=10)
    grace, linus = world.person(), world.person()

    approve(row, grace, grace)
    assert row.state == "requested"
    assert send(row).state == "requested"
    approve(row, linus)

    assert row.state == "approved"
    assert {one.operator for one in row.approvals.all()} == {grace.id, linus.id}


def test_nobody_lets_their_own_money_go_under_any_name():
    ada, row = requested()
    other = world.person()
    operations.link_accounts(one=ada.id, other=other.id, note="x", linked_by=other.id, now=NOW)

    for operator in (ada, other):
        with pytest.raises(OwnWithdrawal):
            approve(row, operator)

    assert not row.approvals.exists()


def test_the_database_refuses_what_was_not_approved_by_enough_others():
    ada, row = requested()

    with pytest.raises(IntegrityError, match="is_not_the_owners"), transaction.atomic():
        WithdrawalApproval.objects.create(
            withdrawal=row, owner=ada.id, operator=ada.id, approved_at=NOW
        )
    grace = uuid4()
    Withdrawal.objects.filter(pk=row.pk).update(approvals_needed=2)
    one = {"withdrawal": row, "owner": ada.id, "operator": grace, "approved_at": NOW}
    WithdrawalApproval.objects.create(**one)
    with pytest.raises(IntegrityError, match="is_once_a_person"), transaction.atomic():
        WithdrawalApproval.objects.create(**one)
    # Even under another name for the owner, which the CHECK of one row cannot see.
    forged = {**one, "owner": uuid4(), "operator": ada.id}
    WithdrawalApproval.objects.create(**forged)
    with (
        pytest.raises(IntegrityError, match="that_goes_was_approved"),
        transaction.atomic(),
        every_trigger_ignored(),
    ):
        Withdrawal.objects.filter(pk=row.pk).update(state="approved", approved_at=NOW)


def test_staff_refuses_with_a_reason_and_the_money_is_back():
    ada, row = requested()
    approve(row)
    with pytest.raises(ReasonMissing):
        operations.refuse_withdrawal(withdrawal_id=row.id, operator=uuid4(), reason=" ", now=NOW)

    for reason in ("The address is known for theft.", "Another reason."):
        operations.refuse_withdrawal(withdrawal_id=row.id, operator=uuid4(), reason=reason, now=NOW)

    row.refresh_from_db()
    assert (row.state, row.reason) == ("refused", "The address is known for theft.")
    assert world.purse(ada) == (1_000 * TAO, 0)
    assert send(row, now=NOW + AGAIN).state == "refused"


def test_staff_gives_up_what_the_rail_never_took_and_not_while_it_is_tried(settings):
    ada, row = requested()
    approve(row)
    settings.CHAIN_HOT_RAO = 0
    send(row)
    asked = {"withdrawal_id": row.id, "operator": uuid4(), "reason": "The hot wallet is empty."}

    with pytest.raises(WithdrawalDecided):
        operations.return_withdrawal(**asked, now=NOW)
    operations.return_withdrawal(**asked, now=NOW + AGAIN)

    row.refresh_from_db()
    assert row.state == "returned"
    assert world.purse(ada) == (1_000 * TAO, 0)


def test_giving_up_finds_what_was_sent_after_all(settings):
    _, row = requested()
    approve(row)
    settings.CHAIN_HOT_RAO = 0
    send(row)
    settings.CHAIN_HOT_RAO = 100 * TAO
    RehearsedChain(NOW).send(row.id, address=row.destination, amount_rao=row.arrives_rao)

    operations.return_withdrawal(withdrawal_id=row.id, operator=uuid4(), reason="x", now=NOW)

    row.refresh_from_db()
    assert row.state == "sent"


def test_while_a_card_payment_is_in_doubt_nothing_leaves(far_end):
    ada, row = requested()
    approve(row)
    book = WithdrawalAddress.objects.get(owner=ada.id)
    _, _, payment_id = cards.paid(far_end, owner=ada)
    dispute = far_end.dispute(payment_id)
    cards.hear(far_end, cards.told(far_end, "charge.dispute.created"))

    with pytest.raises(WithdrawalsFrozen):
        request(ada, to_chain(book, 10))
    send(row)
    assert (row.state, "in doubt" in row.waits_for) == ("approved", True)
    assert world.purse(ada)[1] == 10 * TAO
    far_end.close(dispute["id"], "won")
    cards.hear(far_end, cards.told(far_end, "charge.dispute.closed"))

    assert send(row, now=NOW + AGAIN).state == "sent"


def test_of_somebody_who_is_kept_out_nothing_leaves():
    ada, row = requested()
    approve(row)
    User.objects.filter(pk=ada.pk).update(is_active=False)

    assert send(row).waits_for == "Its owner is kept out."

    assert row.state == "approved"
    User.objects.filter(pk=ada.pk).update(is_active=True)
    assert send(row, now=NOW + AGAIN).state == "sent"


def test_what_is_on_its_way_out_is_still_owed():
    requested(tao=10)

    (tao,) = reserves()

    assert (tao.held, tao.leaving, tao.faults) == (10 * TAO, 10 * TAO, [])
    assert tao.owed["wallets"] == 1_000 * TAO

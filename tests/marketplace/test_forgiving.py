"""A debt that staff gives up: by one person up to a limit, above it by two, and never by who owes it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from django.urls import reverse

from ledger import operations as ledger
from ledger.chart import TREASURY, Code, debt
from ledger.entries import Entry, Move
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.errors import (
    DepositUnknown,
    ForgivenessDecided,
    NothingOwed,
    OwnDebt,
    ReasonMissing,
)
from marketplace.invariants import check_books
from marketplace.models import Forgiveness, ForgivenessApproval
from tests.ignoring import every_trigger_ignored
from tests.marketplace import world
from tests.marketplace.cards import CENTS, dollars, hear_all, paid, purse, spend
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db

MONTH = timedelta(days=30)


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.TOPUP_RAO_PER_CENT = 100 * TAO // CENTS
    settings.DEBT_TWO_PEOPLE_RAO = 70 * TAO


def owing(far_end, tao=70, *, owner=None, key="one", now=NOW):
    """Somebody who spent so much of the 100 TAO of a payment that was refunded since."""
    ada, deposit, payment_id = paid(far_end, owner=owner, key=key)
    spend(ada, tao * TAO)
    far_end.refund(payment_id)
    hear_all(far_end)
    return ada, deposit


def forgive(deposit, by, *, reason="Ill.", now=NOW):
    return operations.forgive_debt(deposit_id=deposit.id, reason=reason, operator=by.id, now=now)


def agree(row, by, *, now=NOW):
    return operations.approve_forgiveness(forgiveness_id=row.id, operator=by.id, now=now)


@pytest.fixture
def grace():
    return world.person()


@pytest.fixture
def linus():
    return world.person()


def test_up_to_the_limit_one_person_forgives_at_the_houses_loss(far_end, grace):
    ada, deposit = owing(far_end)
    treasury = world.treasury()

    rows = [forgive(deposit, grace) for _ in range(2)]

    assert [(row.state, row.forgiven_rao) for row in rows] == [("forgiven", 70 * TAO)] * 2
    assert purse(ada) == (0, 0, 0)
    assert world.treasury() == treasury - 70 * TAO
    assert dollars() == {"disputes-loss": -1_750, "fx": 1_750}


def test_above_the_limit_another_person_has_to_agree(far_end, grace, linus):
    ada, deposit = owing(far_end, 71)

    row = forgive(deposit, grace)
    assert (row.state, purse(ada)) == ("requested", (0, 0, 71 * TAO))
    assert agree(row, grace).state == "requested"
    row = agree(row, linus)

    assert (row.state, purse(ada)) == ("forgiven", (0, 0, 0))
    assert {one.operator for one in row.approvals.all()} == {grace.id, linus.id}
    assert agree(row, linus).state == "forgiven"
    with pytest.raises(ForgivenessDecided) as refusal:
        agree(row, world.person())
    assert refusal.value.fields == {"state": "forgiven"}


@pytest.mark.parametrize("whose", ["owner", "asker"])
def test_small_sums_of_a_month_are_added_up_by_owner_and_by_asker(far_end, grace, whose):
    ada, deposit = owing(far_end, 40)
    assert forgive(deposit, grace).state == "forgiven"
    same = {"owner": (ada, world.person()), "asker": (None, grace)}[whose]
    _, second = owing(far_end, 40, owner=same[0], key="two")

    assert forgive(second, same[1]).approvals_needed == 2
    operations.refuse_forgiveness(
        forgiveness_id=Forgiveness.objects.get(deposit=second).id, operator=grace.id, now=NOW
    )

    assert forgive(second, same[1], now=NOW + MONTH).state == "forgiven"


def test_no_more_is_forgiven_than_was_asked_for_and_is_still_owed(far_end, grace, linus):
    ada, deposit = owing(far_end, 80)
    row = forgive(deposit, grace)
    operations.grant_test_tao(owner=ada.id, amount_rao=30 * TAO, key="more", now=NOW)
    operations.collect_debt(owner=ada.id, now=NOW)

    assert agree(row, linus).forgiven_rao == 50 * TAO

    assert purse(ada) == (0, 0, 0)


def test_what_was_paid_meanwhile_is_not_forgiven(far_end, grace, linus):
    ada, deposit = owing(far_end, 80)
    row = forgive(deposit, grace)
    operations.grant_test_tao(owner=ada.id, amount_rao=80 * TAO, key="more", now=NOW)
    operations.collect_debt(owner=ada.id, now=NOW)

    with pytest.raises(NothingOwed):
        agree(row, linus)

    row.refresh_from_db()
    assert (row.state, row.approvals.count()) == ("requested", 1)


def test_nobody_forgives_themselves_under_any_account(far_end, grace):
    ada, deposit = owing(far_end, 80)
    other = world.person()
    operations.link_accounts(one=ada.id, other=other.id, note="x", linked_by=grace.id, now=NOW)

    for operator in (ada, other):
        with pytest.raises(OwnDebt):
            forgive(deposit, operator)
    row = forgive(deposit, grace)
    with pytest.raises(OwnDebt):
        agree(row, other)

    assert purse(ada) == (0, 0, 80 * TAO)


def test_what_is_refused_may_be_asked_for_again(far_end, grace, linus):
    _, deposit = owing(far_end, 80)
    row = forgive(deposit, grace)
    for _ in range(2):
        said = operations.refuse_forgiveness(forgiveness_id=row.id, operator=linus.id, now=NOW)
        assert said.state == "refused"

    with pytest.raises(ForgivenessDecided):
        agree(row, linus)

    assert forgive(deposit, grace).id != row.id


def test_no_reason_no_debt_and_no_deposit_are_refused(far_end, grace):
    _, deposit = owing(far_end)
    with pytest.raises(ReasonMissing):
        forgive(deposit, grace, reason=" ")
    _, fine, _ = paid(far_end, key="two")
    with pytest.raises(NothingOwed):
        forgive(fine, grace)
    fine.id = uuid4()
    with pytest.raises(DepositUnknown):
        forgive(fine, grace)


def test_the_database_refuses_what_too_few_agreed_to(far_end, grace):
    ada, deposit = owing(far_end, 80)
    row = forgive(deposit, grace)
    forgiven = {"state": "forgiven", "forgiven_rao": 1, "ended_at": NOW}

    with pytest.raises(IntegrityError, match="is_not_the_owners"), transaction.atomic():
        ForgivenessApproval.objects.create(
            forgiveness=row, owner=ada.id, operator=ada.id, approved_at=NOW
        )
    with pytest.raises(IntegrityError, match="is_once_a_person"), transaction.atomic():
        ForgivenessApproval.objects.create(
            forgiveness=row, owner=ada.id, operator=grace.id, approved_at=NOW
        )
    # Even under another name for the owner, which the CHECK of one row cannot see.
    ForgivenessApproval.objects.create(
        forgiveness=row, owner=uuid4(), operator=ada.id, approved_at=NOW
    )
    with (
        pytest.raises(IntegrityError, match="was_approved"),
        transaction.atomic(),
        every_trigger_ignored(),
    ):
        Forgiveness.objects.filter(pk=row.pk).update(**forgiven)


@pytest.mark.breaks_books
def test_a_debt_that_nobody_agreed_to_forgive_is_found(far_end):
    ada, _ = owing(far_end)
    gone = (Move(TREASURY, debt(ada.id), TAO),)

    ledger.post(Entry(key="forgiven", code=Code.CARD_DEBT_FORGIVEN, at=NOW, steps=gone))

    (fault,) = check_books()
    assert "a debt is forgiven as it was agreed to" in fault
    assert "gave up 1000000000 rao" in fault


def test_who_owed_is_told(far_end, grace):
    ada, deposit = owing(far_end)
    type(ada).objects.update(joined_at=NOW - MONTH)
    operations.tell_news(source="cards", now=NOW)
    forgive(deposit, grace)

    operations.tell_news(source="cards", now=NOW)

    (line,) = queries.notices_of(ada.id, limit=9)
    assert line.type == "debt.forgiven"
    assert "Your debt of 70 TAO is forgiven" in line.sentence


def staff(*permissions):
    person = world.person()
    person.is_staff = True
    person.save(update_fields=["is_staff"])
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return person


def test_at_the_desk_one_asks_with_a_reason_and_another_agrees(client, far_end):
    ada, deposit = owing(far_end, 80)
    rights = ("view_deposit", "view_forgiveness", "forgive_debt")
    client.force_login(staff(*rights))
    page = client.get(reverse("admin:marketplace_deposit_change", args=[deposit.id]))
    assert "Forgive the debt" in page.content.decode()
    form = reverse("admin:deposit_forgive", args=[deposit.id])
    assert "80 TAO" in client.get(form).content.decode()
    assert "reason" in client.post(form, {"reason": "\x07"}).content.decode()

    asked = client.post(form, {"reason": "Ill."}, follow=True).content.decode()
    row = Forgiveness.objects.get()
    desk = reverse("admin:marketplace_forgiveness_changelist")
    act = {"action": "approve", "_selected_action": [row.id]}
    client.force_login(staff("view_forgiveness"))
    client.post(desk, act)
    assert purse(ada) == (0, 0, 80 * TAO)
    assert client.post(form, {"reason": "Ill."}).status_code == 403
    client.force_login(staff(*rights))
    agreed = client.post(desk, act, follow=True).content.decode()

    assert "another person has to agree too" in asked
    assert "2 of 2" in agreed
    assert purse(ada) == (0, 0, 0)
    refused = client.post(desk, act | {"action": "refuse"}, follow=True).content.decode()
    assert "decided before" in refused

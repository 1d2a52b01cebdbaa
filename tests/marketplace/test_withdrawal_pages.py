"""Pages of money that leaves: nothing is set aside without a second factor, and every step says what comes next."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from marketplace.models import PayoutAccount, Withdrawal, WithdrawalAddress
from tests.marketplace import factors, world
from tests.marketplace.withdrawals import (
    FEE_RAO,
    address,
    connected,
    request,
    sign_in,
    ss58,
    to_bank,
    to_chain,
)

pytestmark = pytest.mark.django_db

WEEKS_AGO = timedelta(weeks=4)


@pytest.fixture(autouse=True)
def _chain(settings):
    settings.WITHDRAWAL_FEE_RAO = FEE_RAO


@pytest.fixture
def ada(client):
    """Somebody with TAO and an old address, signed in with a second factor."""
    ada = world.person(tao=100)
    address(ada, at=timezone.now() - WEEKS_AGO)
    sign_in(client, ada)
    return ada


def ask(owner):
    now = timezone.now()
    book = WithdrawalAddress.objects.filter(owner=owner.id).first()
    return request(owner, to_chain(book, 10), now=now, proven_at=now)


def hidden(page):
    """Return the hidden fields of the confirming form."""
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.content.decode())
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


def test_money_is_asked_for_in_three_pages(client, ada):
    book = WithdrawalAddress.objects.get()
    form = client.get("/wallet/withdraw/").content.decode()
    assert book.ss58 in form
    assert "rehearses" in form

    asked = {"rail": "chain", "amount_rao": "10", "address": book.id}
    review = client.post("/wallet/withdraw/", asked, follow=True)
    assert "9.999 TAO" in review.content.decode()
    assert not Withdrawal.objects.exists()
    answers = [client.post("/wallet/withdraw/confirm/", hidden(review)) for _ in range(2)]

    row = Withdrawal.objects.get()
    assert {answer["Location"] for answer in answers} == {f"/wallet/withdrawals/{row.id}/"}
    assert (row.held_rao, row.destination) == (10 * TAO, book.ss58)
    assert "Waits for approval" in client.get("/wallet/withdrawals/").content.decode()
    assert client.post(f"/wallet/withdrawals/{row.id}/cancel/").status_code == 302
    assert "Cancelled" in client.get(f"/wallet/withdrawals/{row.id}/").content.decode()


@pytest.mark.parametrize("path", ["withdraw/confirm/", "places/add/", "places/connect/"])
def test_without_a_second_factor_nothing_happens(client, path):
    ada = world.person(tao=100)
    client.force_login(ada)

    answer = client.post(f"/wallet/{path}", {"rail": "chain", "ss58": ss58(), "label": "x"})

    assert answer.status_code == 403
    assert "Set up a second factor first" in answer.content.decode()
    for model in (Withdrawal, WithdrawalAddress, PayoutAccount):
        assert not model.objects.exists()


def test_a_proof_that_is_old_is_asked_for_again(client, ada):
    factors.grow_old(client, minutes=6)

    answer = client.post("/wallet/withdraw/confirm/", {"rail": "chain"})

    assert answer.status_code == 302
    assert "/accounts/" in answer["Location"]


def test_what_would_be_refused_is_refused_before_the_factor_is_asked_for(client, ada):
    book = WithdrawalAddress.objects.get()
    asked = {"rail": "chain", "amount_rao": "101", "address": book.id}

    page = client.post("/wallet/withdraw/", asked, follow=True).content.decode()

    assert "may leave now" in page
    assert "Confirm your withdrawal" not in page


def test_figures_that_nobody_was_shown_are_refused(client, ada):
    sent = {"rail": "chain", "amount_rao": "x", "arrives": "1", "address": "no", "key": "k"}

    answer = client.post("/wallet/withdraw/confirm/", sent, follow=True)

    assert "too little" in answer.content.decode()
    assert not Withdrawal.objects.exists()


def test_somebody_elses_withdrawal_is_not_shown(client, ada):
    bob = world.person(tao=100)
    address(bob, at=timezone.now() - WEEKS_AGO)
    row = ask(bob)

    assert client.get(f"/wallet/withdrawals/{row.id}/").status_code == 404
    assert client.post(f"/wallet/withdrawals/{row.id}/cancel/").status_code == 404


def test_an_address_is_added_and_waits_and_removed(client, ada):
    new = ss58()

    client.post("/wallet/places/add/", {"ss58": new, "label": "Paper"})
    page = client.get("/wallet/places/").content.decode()
    row = WithdrawalAddress.objects.get(ss58=new)
    client.post(f"/wallet/places/{row.id}/remove/")

    assert new in page
    assert "from " in page
    assert new not in client.get("/wallet/places/").content.decode()
    wrong = {"ss58": new[:-1] + ("y" if new.endswith("x") else "x"), "label": "Paper"}
    bad = client.post("/wallet/places/add/", wrong, follow=True)
    assert "is not an address" in bad.content.decode()


def test_an_account_at_stripe_is_connected_and_takes_dollars(client, ada, far_end):
    far_end.clock = timezone.now().timestamp
    answer = client.post("/wallet/places/connect/")
    assert answer["Location"].startswith(f"{far_end.url}/onboard/acct_")
    assert "Waits for what Stripe asks" in client.get("/wallet/places/").content.decode()
    far_end.onboard(PayoutAccount.objects.get().account_id)

    client.post("/wallet/places/look/")

    assert "Takes money" in client.get("/wallet/places/").content.decode()
    PayoutAccount.objects.update(changed_at=timezone.now() - WEEKS_AGO)
    review = client.post("/wallet/withdraw/", {"rail": "stripe", "amount_rao": "1"}, follow=True)
    assert "350.00 USD" in review.content.decode()
    client.post("/wallet/withdraw/confirm/", hidden(review))
    assert Withdrawal.objects.get().arrives_cents == 35_000


def test_a_list_has_one_number_of_statements(client, ada, django_assert_max_num_queries):
    for count in (1, 19):
        for _ in range(count):
            row = ask(ada)
            client.post(f"/wallet/withdrawals/{row.id}/cancel/")
        with django_assert_max_num_queries(9):
            client.get("/wallet/withdrawals/")


def staff(*permissions):
    person = world.person()
    person.is_staff = True
    person.save(update_fields=["is_staff"])
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return person


def test_staff_approves_at_the_desk_and_refuses_with_a_reason(client, ada, settings):
    settings.WITHDRAWAL_TWO_PEOPLE_RAO = TAO
    row = ask(ada)
    grace, linus = (staff("view_withdrawal", "decide_withdrawal") for _ in range(2))
    approve = {"action": "approve", "_selected_action": [row.id]}
    said = []

    for operator in (grace, linus):
        client.force_login(operator)
        page = client.post("/admin/marketplace/withdrawal/", approve, follow=True)
        said.append(page.content.decode())

    assert "another person has to approve it too" in said[0]
    assert "2 of 2" in said[1]
    row.refresh_from_db()
    assert row.state == "approved"
    desk = f"/admin/marketplace/withdrawal/{row.id}"
    page = client.get(f"{desk}/change/").content.decode()
    assert "Refuse" in page
    assert "Destination known since" in page
    client.post(f"{desk}/refuse/", {"reason": "The address is known for theft."})
    row.refresh_from_db()
    assert (row.state, row.reason) == ("refused", "The address is known for theft.")


def test_staff_without_the_right_decides_nothing(client, ada):
    row = ask(ada)
    client.force_login(staff("view_withdrawal"))

    approve = {"action": "approve", "_selected_action": [row.id]}
    client.post("/admin/marketplace/withdrawal/", approve)

    answer = client.post(f"/admin/marketplace/withdrawal/{row.id}/refuse/", {"reason": "No."})
    assert answer.status_code == 403
    row.refresh_from_db()
    assert (row.state, row.approvals.count()) == ("requested", 0)


def test_dollars_are_shown_as_dollars(client, far_end, settings):
    bob, _ = connected(far_end)
    sign_in(client, bob)
    now = timezone.now()
    row = request(bob, to_bank(2_000), now=now, proven_at=now)

    page = client.get(f"/wallet/withdrawals/{row.id}/").content.decode()

    assert "20.00 USD" in page
    assert "your account at Stripe" in page


def test_the_api_lists_withdrawals_and_makes_none(client, ada):
    first, row = ask(ada), ask(ada)

    page = client.get("/api/v1/withdrawals/?limit=1").json()
    shown = client.get(f"/api/v1/withdrawals/{row.id}/").json()

    assert [one["id"] for one in page["results"]] == [str(row.id)]
    assert client.get(page["next"]).json()["results"][0]["id"] == str(first.id)
    assert (shown["state"], shown["held_rao"], shown["arrives_rao"], shown["arrives_cents"]) == (
        "requested", str(10 * TAO), str(10 * TAO - FEE_RAO), None,
    )  # fmt: skip
    assert client.post("/api/v1/withdrawals/", {}).status_code in {403, 405}
    client.force_login(world.person())
    refusal = client.get(f"/api/v1/withdrawals/{row.id}/")
    assert (refusal.status_code, refusal.json()["code"]) == (404, "withdrawal_unknown")

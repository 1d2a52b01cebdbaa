"""Signing in with a second factor, what replaces it, what does not get past it; sessions, and what people are told of changes."""

import re
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.scopes import Scope
from marketplace import operations, queries
from marketplace.models import ApiKey, Letter, Notice, SecurityChange
from marketplace.operations import letters
from tests.marketplace import factors, world
from tests.marketplace.reading import names_must_exist, read  # noqa: F401

pytestmark = pytest.mark.django_db
NEW = "another long one"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
Kind = SecurityChange.Kind


@pytest.fixture
def ada():
    return world.person()


def is_signed_in(client):
    return client.get(reverse("wallet")).status_code == 200


def kinds_of(user):
    return [change.kind for change in queries.security_changes(user.id, limit=10)]


# The second step ----------------------------------------------------------------------------------


def test_signing_in_needs_the_code_after_the_password(client, ada):
    secret = factors.app(ada)

    asked = factors.sign_in(client, ada)

    assert (asked.status_code, asked.url) == (302, reverse("mfa_authenticate"))
    assert not is_signed_in(client)
    assert "Second step" in read(client, "mfa_authenticate")
    client.post(reverse("mfa_authenticate"), {"code": factors.code(secret)})
    assert is_signed_in(client)


def test_a_wrong_code_is_refused_in_plain_words(client, ada):
    secret = factors.app(ada)
    factors.sign_in(client, ada)
    wrong = f"{(int(factors.code(secret)) + 1) % 10**6:06d}"

    said = client.post(reverse("mfa_authenticate"), {"code": wrong}).content.decode()

    assert "This code is wrong, was used already, or is no longer the current one." in said
    assert not is_signed_in(client)


def test_a_code_that_was_used_opens_no_second_session(client, ada):
    secret = factors.app(ada)
    factors.sign_in_proven(client, ada, secret)
    thief = Client()
    factors.sign_in(thief, ada)

    said = thief.post(reverse("mfa_authenticate"), {"code": factors.code(secret)}).content.decode()

    assert "was used already" in said
    assert not is_signed_in(thief)


def test_guessing_codes_is_shut_out_after_a_few_and_said_so(client, ada):
    secret = factors.app(ada)
    factors.sign_in(client, ada)
    for _ in range(5):
        client.post(reverse("mfa_authenticate"), {"code": "1"})

    said = client.post(reverse("mfa_authenticate"), {"code": factors.code(secret)}).content.decode()

    assert "Too many failed login attempts. Try again later." in said
    assert not is_signed_in(client)


def test_a_recovery_code_lets_in_once(client, ada):
    factors.app(ada)
    typed, *_ = factors.recovery_codes(ada)
    factors.sign_in(client, ada)
    client.post(reverse("mfa_authenticate"), {"code": typed})
    assert is_signed_in(client)
    again = Client()
    factors.sign_in(again, ada)

    again.post(reverse("mfa_authenticate"), {"code": typed})

    assert not is_signed_in(again)


def test_a_new_password_by_mail_does_not_get_past_the_second_factor(client, ada):
    factors.app(ada)
    client.post(reverse("account_reset_password"), {"email": ada.email})
    link = re.search(r"http://testserver(/\S+)", mail.outbox[0].body)[1]
    form = client.get(link)

    client.post(form.url, {"password1": NEW, "password2": NEW})

    assert not is_signed_in(client)
    ada.refresh_from_db()
    assert ada.check_password(NEW)
    asked = factors.sign_in(client, ada, password=NEW)
    assert asked.url == reverse("mfa_authenticate")
    assert not is_signed_in(client)
    assert kinds_of(ada)[0] == Kind.PASSWORD_CHANGED


# Setting up and removing --------------------------------------------------------------------------


def test_an_app_is_set_up_from_the_security_page_and_recovery_codes_are_shown_once(
    client, ada, django_capture_on_commit_callbacks
):
    factors.sign_in(client, ada)
    assert "You have no second factor" in read(client, "security")
    client.post(reverse("account_reauthenticate"), {"password": factors.PASSWORD})
    page = read(client, "mfa_activate_totp")
    secret = re.search(r'<pre id="secret">([A-Z2-7]+)</pre>', page)[1]

    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(reverse("mfa_activate_totp"), {"code": factors.code(secret)})

    assert answer.url == reverse("mfa_view_recovery_codes")
    shown = read(client, "mfa_view_recovery_codes")
    codes = re.search(r'<pre id="codes">([\d\n]+)</pre>', shown)[1].split()
    assert len(codes) == 10
    assert codes[0] not in read(client, "mfa_view_recovery_codes")
    assert "10 left" in read(client, "security")
    assert secret not in str(ada.authenticator_set.get(type="totp").data)
    assert Kind.FACTOR_ADDED in kinds_of(ada)


def test_who_came_from_a_guarded_page_is_led_back_after_setting_up(client, ada):
    factors.sign_in(client, ada)
    session = client.session
    session["second_factor_came_from"] = "/wallet/statement/"
    session.save()
    factors.app(ada)

    assert 'href="/wallet/statement/">Go on with what you were doing' in read(client, "security")


def test_a_password_alone_removes_no_factor(client, ada):
    secret = factors.app(ada)
    factors.sign_in_proven(client, ada, secret)

    asked = client.post(reverse("mfa_deactivate_totp"))

    assert asked.url.startswith(reverse("mfa_reauthenticate"))
    by_password = client.post(reverse("account_reauthenticate"), {"password": factors.PASSWORD})
    assert by_password.url.startswith(reverse("mfa_reauthenticate"))
    assert queries.factors_of(ada.id)


def test_a_factor_is_removed_with_a_recovery_code_and_its_owner_is_told(client, ada):
    factors.app(ada)
    first, second, *_ = factors.recovery_codes(ada)
    factors.sign_in(client, ada)
    client.post(reverse("mfa_authenticate"), {"code": first})
    factors.prove(client, second)

    client.post(reverse("mfa_deactivate_totp"))

    assert queries.factors_of(ada.id) == {}
    assert Kind.FACTOR_REMOVED in kinds_of(ada)


def test_an_operator_removes_lost_factors_and_ends_every_session(client, ada):
    factors.sign_in_proven(client, ada)
    operator = world.person()

    count = operations.remove_factors(person=ada.id, operator=operator.id, now=timezone.now())

    assert count == 1
    assert not is_signed_in(client)
    assert kinds_of(ada)[0] == Kind.FACTOR_REMOVED
    assert operations.remove_factors(person=ada.id, operator=operator.id, now=timezone.now()) == 0
    assert kinds_of(ada).count(Kind.FACTOR_REMOVED) == 1


def test_nobody_renames_or_removes_the_passkey_of_somebody_else(client, ada):
    kept = ada.authenticator_set.create(type="webauthn", data={"name": "Ada's", "credential": {}})
    factors.sign_in(client, bob := world.person())
    factors.prove(client, factors.recovery_codes(bob)[0])

    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        assert client.get(reverse(name, args=[kept.pk])).status_code == 404
        assert client.post(reverse(name, args=[kept.pk]), {"name": "Bob's"}).status_code == 404


# What asks for it ---------------------------------------------------------------------------------


def test_an_api_key_for_money_needs_the_second_factor_where_there_is_one(client, ada):
    secret = factors.app(ada)
    factors.sign_in_proven(client, ada, secret)
    factors.grow_old(client, minutes=5)
    asked = {"name": "bot", "scopes": [Scope.MONEY, Scope.ACCOUNT], "days": "30", "networks": ""}

    answer = client.post(reverse("api_keys"), asked)

    assert answer.url.startswith(reverse("mfa_reauthenticate"))
    assert ApiKey.objects.count() == 0


def test_another_address_needs_the_second_factor(client, ada):
    factors.sign_in_proven(client, ada)

    answer = client.post(reverse("account_email"), {"action_add": "", "email": "new@example.com"})

    assert answer.url.startswith(reverse("mfa_reauthenticate"))


def test_staff_see_the_admin_with_a_second_factor_alone(client, settings):
    settings.STAFF_SECOND_FACTOR = True
    staff = world.person()
    staff.is_staff = staff.is_superuser = True
    staff.save()
    factors.sign_in(client, staff)

    refused = client.get("/admin/", follow=True)

    assert refused.status_code == 403
    assert "Set up a second factor first" in refused.content.decode()
    client.logout()
    factors.sign_in_proven(client, staff)
    assert client.get("/admin/").status_code == 200


def test_the_admin_lets_nobody_in_by_password_at_a_door_of_its_own(client, settings):
    settings.STAFF_SECOND_FACTOR = True

    asked = client.post("/admin/login/", {"username": "a@example.com", "password": "x"})

    assert asked.url.startswith(reverse("account_login"))


@pytest.mark.parametrize("site", ["admin", "owner"])
def test_a_password_changes_at_the_one_place_that_tells_of_it(client, ada, site):
    ada.is_staff = True
    ada.save()
    client.force_login(ada)

    assert client.get(f"/{site}/password_change/").url == reverse("account_change_password")


# Sessions -----------------------------------------------------------------------------------------


def two_sessions(user):
    here, there = Client(), Client(headers={"user-agent": FIREFOX})
    for one in (here, there):
        factors.sign_in(one, user)
    return here, there


def session_named(client, name):
    said = read(client, "sessions")
    row = next(part for part in said.split("<tr>") if name in part)
    return re.search(r'name="session" value="(\d+)"', row)[1]


def test_a_session_that_is_ended_is_out_at_once(ada):
    here, there = two_sessions(ada)

    here.post(reverse("end_sessions"), {"session": session_named(here, "Firefox on Linux")})

    assert not is_signed_in(there)
    assert is_signed_in(here)
    assert "Firefox on Linux" not in read(here, "sessions")


def test_all_other_sessions_are_ended_together(ada):
    here, there = two_sessions(ada)

    here.post(reverse("end_sessions"))

    assert (is_signed_in(here), is_signed_in(there)) == (True, False)


def test_nobody_ends_the_session_of_somebody_else(client, ada):
    here, there = two_sessions(ada)
    session = session_named(here, "Firefox on Linux")
    factors.sign_in(client, world.person())

    client.post(reverse("end_sessions"), {"session": session})

    assert is_signed_in(there)


def test_a_new_password_ends_the_other_sessions_and_delays_withdrawals(ada):
    here, there = two_sessions(ada)
    assert queries.security_changed_at(ada.id) is None
    here.post(reverse("account_reauthenticate"), {"password": factors.PASSWORD})

    here.post(
        reverse("account_change_password"),
        {"oldpassword": factors.PASSWORD, "password1": NEW, "password2": NEW},
    )

    assert (is_signed_in(here), is_signed_in(there)) == (True, False)
    assert timezone.now() - queries.security_changed_at(ada.id) < timedelta(seconds=9)


def test_the_list_of_sessions_is_one_statement_however_many(ada, django_assert_num_queries):
    for _ in range(2):
        two_sessions(ada)

    with django_assert_num_queries(1):
        assert len(queries.sessions_of(ada.id, now=timezone.now())) == 4


# What people are told -----------------------------------------------------------------------------


def told(user):
    return list(Notice.objects.filter(person=user).order_by("id").values_list("kind", flat=True))


def tell(*, now):
    operations.tell_news(source="security", now=now)


def test_a_device_is_told_of_once_and_the_first_not_at_all(client, ada):
    tell(now=timezone.now())
    factors.sign_in(client, ada)
    client.post(reverse("account_logout"))
    factors.sign_in(client, ada)
    tell(now=timezone.now())
    assert told(ada) == []

    factors.sign_in(Client(headers={"user-agent": FIREFOX}), ada)

    tell(now=timezone.now())
    assert told(ada) == [Kind.DEVICE_SEEN]
    (line,) = queries.notices_of(ada.id, limit=1)
    assert line.sentence.startswith("A new device signed in from Firefox on Linux at 127.0.0.1, ")
    assert line.path == reverse("security")
    assert queries.security_changed_at(ada.id) is None


def test_a_changed_factor_is_mailed_even_to_who_wants_no_mail(ada, settings):
    settings.EMAIL_HOST = "mail.example"
    ada.emailaddress_set.create(email=ada.email, verified=True, primary=True)
    operations.choose_ways(person=ada.id, ways={"factor_removed": (False, False)})
    now = timezone.now()
    tell(now=now)
    place = operations.Place(device="Firefox on Linux", address="192.0.2.7")

    operations.record_security_change(
        person=ada.id, kind=Kind.FACTOR_REMOVED, about="passkey", place=place, now=now
    )

    tell(now=now)
    letter = Letter.objects.get()
    said = letters.mail_of([letter])
    assert "A second factor was removed (passkey) from Firefox on Linux at 192.0.2.7" in said.body
    assert "Stop mail" not in said.body
    assert "List-Unsubscribe" not in said.extra_headers


def test_a_code_whose_time_ended_while_it_was_typed_does_not_fail_the_suite(
    client, ada, monkeypatch
):
    class EarlierClock:
        @staticmethod
        def time():
            return time.time() - 30

    monkeypatch.setattr(factors, "time", EarlierClock)

    factors.sign_in_proven(client, ada)

    assert is_signed_in(client)

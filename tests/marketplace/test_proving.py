"""The guard of money: who has no second factor, an old proof, a fresh one; what proves and what does not."""

from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.test import override_settings
from django.urls import include, path, reverse
from django.utils import timezone

from marketplace.pages.proving import proven_at, second_factor_required
from tests.marketplace import factors, world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_with_a_safe")]


@second_factor_required
def safe(request):
    proven = proven_at(request)
    return HttpResponse(f"{request.method} {request.POST.get('amount', '')} {proven.isoformat()}")


urlpatterns = [path("safe/", safe), path("", include("config.urls"))]


@pytest.fixture
def _with_a_safe():
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture
def ada(client):
    ada = world.person()
    factors.sign_in(client, ada)
    return ada


def led_to_prove(answer):
    return answer.status_code == 302 and urlsplit(answer.url).path == reverse("mfa_reauthenticate")


def test_a_visitor_is_led_to_sign_in(client):
    answer = client.get("/safe/")

    assert (answer.status_code, answer.url) == (302, "/accounts/login/?next=/safe/")


def test_without_a_second_factor_a_page_says_why_and_where(client, ada):
    answer = client.get("/safe/")

    said = answer.content.decode()
    assert answer.status_code == 403
    assert "Set up a second factor first" in said
    assert f'href="{reverse("security")}"' in said
    assert client.session["second_factor_came_from"] == "/safe/"


def test_a_password_typed_a_moment_ago_proves_no_factor(client, ada):
    client.post(reverse("account_reauthenticate"), {"password": factors.PASSWORD})
    factors.app(ada)

    assert led_to_prove(client.get("/safe/"))


def test_a_code_opens_the_page_until_the_proof_grows_old(client, ada, settings):
    secret = factors.app(ada)
    asked = client.get("/safe/")
    assert led_to_prove(asked)
    assert parse_qs(urlsplit(asked.url).query) == {"next": ["/safe/"]}
    before = timezone.now()

    answer = factors.prove(client, factors.code(secret), next="/safe/")

    assert (answer.status_code, answer.url) == (302, "/safe/")
    said = client.get("/safe/").content.decode().split()
    assert timedelta() <= datetime.fromisoformat(said[-1]) - before < timedelta(seconds=9)
    factors.grow_old(client, minutes=settings.SECOND_FACTOR_MINUTES)
    assert led_to_prove(client.get("/safe/"))


def test_the_second_step_of_signing_in_is_a_proof(client):
    ada = world.person()

    factors.sign_in_proven(client, ada)

    assert client.get("/safe/").status_code == 200


def test_a_wrong_code_proves_nothing(client, ada):
    secret = factors.app(ada)
    wrong = f"{(int(factors.code(secret)) + 1) % 10**6:06d}"

    answer = factors.prove(client, wrong, next="/safe/")

    assert answer.status_code == 200
    assert led_to_prove(client.get("/safe/"))


def test_a_factor_that_was_removed_proves_nothing_any_more(client):
    ada = world.person()
    factors.sign_in_proven(client, ada)
    ada.authenticator_set.all().delete()
    factors.app(ada)

    assert led_to_prove(client.get("/safe/"))


def test_a_form_with_an_old_proof_is_kept_and_sent_once_the_factor_is_proven(client, ada):
    secret = factors.app(ada)
    asked = client.post("/safe/", {"amount": "7"})
    assert led_to_prove(asked)

    answer = factors.prove(client, factors.code(secret), next="/safe/")

    assert answer.content.decode().startswith("POST 7")


def test_a_form_that_was_given_up_is_not_sent_by_a_later_proof(client, ada):
    secret = factors.app(ada)
    client.post("/safe/", {"amount": "7"})
    client.get("/safe/")

    answer = factors.prove(client, factors.code(secret), next="/safe/")

    assert (answer.status_code, answer.url) == (302, "/safe/")


def test_a_recovery_code_moves_no_money_and_a_page_says_so(client, ada):
    factors.app(ada)
    typed, *_ = factors.recovery_codes(ada)
    factors.prove(client, typed, next="/safe/")

    answer = client.get("/safe/")

    assert answer.status_code == 403
    assert "A recovery code does not move money" in answer.content.decode()


def test_who_never_proved_a_factor_has_no_instant_of_it(client, ada, rf):
    request = rf.get("/")
    request.user, request.session = ada, client.session

    assert proven_at(request) is None

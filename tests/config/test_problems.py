"""Whatever goes wrong below /api/ is a problem document; elsewhere it is a page."""

from uuid import UUID

import pytest
from django.db import OperationalError
from django.test import Client

from subnets import queries
from tests.marketplace import world

pytestmark = pytest.mark.django_db


def test_an_address_of_the_api_that_leads_nowhere_is_a_problem(client):
    answer = client.get("/api/v1/nothing/")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_a_page_that_is_not_there_is_a_page(client):
    answer = client.get("/nothing/")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("query", ["q=%00", "blueprint=nonsense", "sort=%00", "q=" + "x" * 101])
def test_a_list_asked_for_with_nonsense_is_refused_by_field(client, query):
    answer = client.get(f"/api/v1/subnets/?{query}")

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_input"
    assert answer.json()["errors"][0]["pointer"] == f"/{query.split('=')[0]}"


def test_half_of_a_surrogate_pair_is_refused_where_it_is_read(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("ada@example.com"))

    answer = client.post(
        "/api/v1/slots/", r'{"name": "a", "blueprint": "\ud800"}', content_type="application/json"
    )

    assert answer.status_code == 400
    assert answer.json()["code"] == "parse_error"


def test_an_auction_that_runs_for_ever_is_refused(client):
    owner = world.person(tao=100)
    netuid = world.subnet(owner)
    client.force_login(owner)

    answer = client.post(
        "/api/v1/auctions/",
        {"netuid": netuid, "start_rao": "1", "duration_s": 99_999_999_999_999_999_999},
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )

    assert answer.status_code == 422
    assert answer.json()["code"] == "auction_terms_invalid"


def test_a_database_that_is_away_is_said_as_a_problem(client, monkeypatch):
    def gone(**_):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(queries, "subnet_rows", gone)

    answer = client.get("/api/v1/subnets/")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json()["code"] == "unavailable"


def test_a_page_says_that_the_database_is_away_in_the_same_words(monkeypatch):
    def gone(*_, **__):
        raise OperationalError("the database system is starting up")

    monkeypatch.setattr(queries, "network_figures", gone)

    answer = Client(raise_request_exception=False).get("/")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "A part of the server is away; try again." in answer.content.decode()


def test_a_fault_of_ours_stays_a_fault_on_a_page(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(queries, "network_figures", broken)

    answer = Client(raise_request_exception=False).get("/")

    assert answer.status_code == 500
    assert "Something broke" in answer.content.decode()


def test_a_page_for_somebody_signed_in_is_kept_on_no_disk(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("ada@example.com"))

    assert client.get("/wallet/").headers["Cache-Control"] == "no-store"


def test_the_type_of_a_problem_names_its_code(client):
    answer = client.get("/api/v1/subnets/?sort=nonsense")

    assert answer.json()["type"] == "urn:problem:invalid_input"


@pytest.mark.parametrize(
    "body",
    [
        r'{"name": "mine", "name": "yours"}',
        r'{"name": "mine", "n\u0061me": "yours"}',
        r'{"payload": [{"a": 1, "a": 1}]}',
    ],
)
def test_a_name_that_stands_twice_in_an_object_is_refused(client, django_user_model, body):
    client.force_login(django_user_model.objects.create_user("ada@example.com"))

    answer = client.post("/api/v1/slots/", body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["code"] == "repeated_name"
    assert answer.json()["type"] == "urn:problem:repeated_name"
    assert "stands twice" in answer.json()["detail"]


def test_a_name_may_stand_once_in_each_of_two_objects(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("ada@example.com"))

    answer = client.post(
        "/api/v1/slots/", '{"a": {"x": 1}, "b": {"x": 1}}', content_type="application/json"
    )

    assert answer.json()["code"] == "invalid_input"


def test_a_foreign_host_is_a_problem_below_the_api_and_a_page_elsewhere(client):
    problem = client.get("/api/v1/network/", headers={"Host": "evil.example"})
    page = client.get("/", headers={"Host": "evil.example"})

    assert (problem.status_code, problem.json()["code"]) == (400, "wrong_host")
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert page.status_code == 400
    assert "does not answer to that host name" in page.content.decode()


def test_a_rule_too_long_to_be_read_is_a_problem(django_user_model):
    client = Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create_user("ada@example.com"))

    token = client.get("/wallet/").context["csrf_token"]
    client.cookies["csrftoken"] = token = str(token)

    answer = client.post(
        "/owner/rules/check/",
        "document=" + "x" * 3 * 1024 * 1024,
        content_type="application/x-www-form-urlencoded",
        headers={"X-CSRFToken": token},
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_page_that_goes_on_from_no_epoch_is_refused_without_naming_a_subnet(client):
    answer = client.get(f"/api/v1/epochs/?before={UUID(int=7)}")

    assert (answer.status_code, answer.json()["code"]) == (404, "page_unknown")
    assert str(UUID(int=7)) in answer.json()["detail"]
    assert "None" not in answer.json()["detail"]

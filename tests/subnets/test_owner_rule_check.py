"""An owner's rule is checked while it is typed: problems, warnings, and who may ask."""

import json
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from subnets import limits, queries
from subnets.models import IncentiveRule
from tests.subnets.consoles import GOOD, SIGN_IN, Owner
from tests.subnets.rule_builders import METRIC

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def ada(db):
    return Owner("ada")


RISKY = GOOD | {"score": "1.0 / double(failed_count)"}


def test_the_textarea_is_checked_while_it_is_typed(ada):
    page = ada.get("subnets_incentiverule_add").content.decode()

    assert f'data-rule-check="{reverse("owner:rule_check")}"' in page
    assert "rule-check.js" in page


def check(client, text):
    """Send a text as the page's script does."""
    body = urlencode({"document": text}, errors="surrogatepass")
    return client.post(
        reverse("owner:rule_check"), body, content_type="application/x-www-form-urlencoded"
    )


def test_the_check_says_that_a_rule_is_good_and_saves_nothing(ada):
    answer = check(ada.client, json.dumps(GOOD))

    body = answer.json()
    assert (answer.status_code, body["problems"], body["warnings"]) == (200, [], [])
    assert len(body["digest"]) == 64
    assert IncentiveRule.objects.count() == 1


def test_the_check_names_the_place_of_each_problem(ada):
    body = check(ada.client, json.dumps(GOOD | {"score": "quality +"})).json()

    assert body["digest"] == ""
    assert [set(problem) for problem in body["problems"]] == [{"pointer", "message"}]
    assert body["problems"][0]["pointer"] == "/score"


def test_the_check_tells_warnings_apart_from_problems(ada):
    body = check(ada.client, json.dumps(RISKY)).json()

    assert body["problems"] == []
    assert {item["pointer"] for item in body["warnings"]} == {"/score"}
    assert len(body["digest"]) == 64


def test_the_check_tries_the_miners_of_the_last_epoch(ada, monkeypatch):
    monkeypatch.setattr(queries, "last_miners", lambda netuid: {f"5F{netuid}": METRIC})
    document = GOOD | {"score": "work_units == 10 ? 1.0 / 0.0 : quality"}
    body = urlencode({"document": json.dumps(document), "subnet": ada.netuid})

    answer = ada.client.post(
        reverse("owner:rule_check"), body, content_type="application/x-www-form-urlencoded"
    )

    warnings = [one["message"] for one in answer.json()["warnings"]]
    assert any(f"(5F{ada.netuid}…)" in message for message in warnings)


@pytest.mark.parametrize(
    "text", ["", "{", "\0", "[" * 5_000, '{"format": 1, "format": 1}', "\ud83d"]
)
def test_the_check_answers_whatever_is_typed(ada, text):
    answer = check(ada.client, text)

    assert answer.status_code == 200
    assert answer.json()["problems"]


def test_the_check_reads_no_more_than_a_rule_may_have(ada):
    assert check(ada.client, " " * 60_000).status_code == 413


def test_the_check_counts_with_those_of_the_api_and_says_when_to_come_back(ada, monkeypatch):
    monkeypatch.setattr(limits.RuleCheckThrottle, "usual_rate", "2/min")
    assert check(ada.client, "{}").status_code == 200
    sent = {"document": {}}
    address = f"/api/v1/subnets/{ada.netuid}/rules/check/"
    assert ada.client.post(address, sent, content_type="application/json").status_code == 200

    answer = check(ada.client, "{}")

    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 60
    assert answer.json()["problems"][0]["message"].startswith("Too many checks; wait ")


def test_the_check_is_for_who_is_signed_in(ada):
    answer = check(Client(), json.dumps(GOOD))

    assert answer.status_code == 401
    assert answer.json()["problems"]


def test_the_check_refuses_a_request_from_another_site(ada):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada.user, backend=SIGN_IN)

    assert check(client, json.dumps(GOOD)).status_code == 403


def test_the_check_takes_no_get(ada):
    assert ada.get("rule_check").status_code == 405

"""Served models over REST: priced by owners, listed to everybody; what was used, and reports that reach validators."""

import pytest
from django.test import Client
from django.utils import timezone

from compute import operations, queries
from compute.models import AnswerReport, ServedModel
from tests import make
from tests.compute import wire
from tests.compute.serving_world import line, payer
from tests.compute.wire import refusal

pytestmark = pytest.mark.usefixtures("db")
REPORTS_STATEMENTS = 5  # the subnet, who may judge there, the reports
TERMS = {
    "name": "gemma3-270m",
    "context_tokens_max": 8192,
    "output_tokens_max": 1024,
    "input_rao_per_mtok": "850000",
    "output_rao_per_mtok": "3400000",
    "free_tokens_per_day": 1000,
}


@pytest.fixture
def owner(db):
    user = make.user()
    make.funded(user.pk, tao=1_000, now=wire.now())
    return user


@pytest.fixture
def netuid(owner):
    return make.subnet(owner.pk, now=wire.now())


def put(client, netuid, **changed):
    return client.put(
        f"/api/v1/subnets/{netuid}/models/", TERMS | changed, content_type="application/json"
    )


def used(who, netuid, *, count=1):
    by = payer(owner=who.pk)
    lines = [line(who=by, netuid=netuid, began_at=timezone.now()) for _ in range(count)]
    operations.record_usages(lines, now=timezone.now())
    return lines


def report(client, usage_id, reason="It is nonsense."):
    body = {"reason": reason}
    return client.post(f"/api/v1/usage/{usage_id}/report/", body, content_type="application/json")


def test_an_owner_prices_a_model_and_everybody_reads_it(owner, netuid):
    client = wire.session(owner)

    first, again = put(client, netuid), put(client, netuid)

    assert (first.status_code, again.status_code) == (200, 200)
    [shown] = Client().get(f"/api/v1/subnets/{netuid}/models/").json()["results"]
    assert shown == first.json() == again.json()
    assert (shown["input_rao_per_mtok"], shown["is_open"]) == ("850000", True)


def test_nobody_else_prices_it_and_terms_have_bounds(owner, netuid):
    stranger = wire.session(make.user())

    assert refusal(put(stranger, netuid)) == (403, "not_the_owner")
    assert refusal(put(wire.session(owner), netuid, name="Gemma 3"))[1] == "model_terms_invalid"
    assert not ServedModel.objects.exists()


def test_a_consumer_lists_their_own_requests(owner, netuid):
    who = make.user()
    [mine] = used(who, netuid)
    used(make.user(), netuid)

    [row] = wire.session(who).get("/api/v1/usage/").json()["results"]

    assert (row["id"], row["price_rao"], row["is_free"]) == (str(mine.id), "0", True)


def test_a_report_reaches_validators_and_stands(owner, netuid):
    who, judge = make.user(), make.validator(netuid, now=wire.now())
    [bad] = used(who, netuid)
    client = wire.session(who)

    assert report(client, bad.id).status_code == 200
    assert report(client, bad.id).status_code == 200
    assert refusal(report(client, bad.id, "Other words.")) == (409, "answer_reported")

    answer = wire.signed(judge.key, "GET", f"reports/?netuid={netuid}")
    [shown] = answer.json()["results"]
    assert (shown["usage_id"], shown["reason"]) == (str(bad.id), "It is nonsense.")
    assert shown["signature"] == bad.signature


def test_who_reported_reads_what_came_of_it_and_nobody_else_does(owner, netuid):
    who = make.user()
    [bad] = used(who, netuid)
    client = wire.session(who)
    assert refusal(client.get(f"/api/v1/usage/{bad.id}/report/")) == (404, "report_unknown")
    body = {"reason": "It is nonsense.", "shows_chat": True}
    client.post(f"/api/v1/usage/{bad.id}/report/", body, content_type="application/json")

    shown = client.get(f"/api/v1/usage/{bad.id}/report/").json()

    assert (shown["standing"], shown["reason"]) == ("awaited", "It is nonsense.")
    other = wire.session(make.user()).get(f"/api/v1/usage/{bad.id}/report/")
    assert refusal(other) == (404, "report_unknown")


@pytest.mark.parametrize("count", [1, 20])
def test_the_list_of_reports_costs_the_same_at_any_length(
    owner, netuid, count, django_assert_num_queries
):
    judge = make.validator(netuid, now=wire.now())
    for _ in range(count):
        who = make.user()
        [bad] = used(who, netuid)
        operations.report_answer(
            usage_id=bad.id, owner=who.pk, reason="Bad.", shows_chat=True, now=timezone.now()
        )

    with django_assert_num_queries(REPORTS_STATEMENTS):
        queries.reports_on(netuid, validator=judge.hotkey, limit=50)


def test_reports_are_for_validators_of_the_subnet(owner, netuid):
    miner = make.miner(netuid, now=wire.now())

    answer = wire.signed(miner.key, "GET", f"reports/?netuid={netuid}")

    assert refusal(answer) == (403, "not_a_validator")


def test_an_answer_of_somebody_else_is_not_reported(owner, netuid):
    [other] = used(make.user(), netuid)

    assert refusal(report(wire.session(make.user()), other.id)) == (404, "usage_unknown")
    assert not AnswerReport.objects.exists()

"""Prices, an owner's models, and what a consumer used: pages of served models."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from compute import operations as operate
from compute import queries as compute
from compute.models import AnswerReport, ReportedChat, ServedModel
from compute.serving import Outcome
from marketplace.pages import models
from tests.compute.serving_world import TERMS, line, payer
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, read  # noqa: F401

pytestmark = pytest.mark.django_db
USAGE_STATEMENTS = 7  # session, person, what every page shows, sums, requests
FORM = {
    "name": "gemma3-270m",
    "kind": "chat",
    "context_tokens_max": 8192,
    "output_tokens_max": 1024,
    "input_rao_per_mtok": 850_000,
    "output_rao_per_mtok": 3_400_000,
    "free_tokens_per_day": 10_000,
    "is_open": "on",
}


def sign_in(client, **terms):
    person = world.person(**terms)
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return person


@pytest.fixture
def netuid(db):
    return world.subnet(world.person(tao=100))


@pytest.fixture
def ada(client, netuid):
    return sign_in(client)


def used(who, netuid, *, count=1, **facts):
    """Record free requests of now; return their lines."""
    by = payer(owner=who.id)
    lines = [line(who=by, netuid=netuid, began_at=timezone.now(), **facts) for _ in range(count)]
    operate.record_usages(lines, now=timezone.now())
    return lines


def test_an_empty_page_says_how_to_point_a_client_at_the_gateway(client, ada, settings):
    settings.GATEWAY_URLS = ["https://gateway.example"]

    said = read(client, "usage")

    assert "No request yet" in said
    assert 'base_url="https://gateway.example/v1"' in said


def test_the_page_sums_requests_by_day_and_by_model(client, ada, netuid):
    used(ada, netuid, count=3)
    used(ada, netuid, model="other", outcome=Outcome.FAILED)
    used(world.person(), netuid, model="not-ada's")

    said = read(client, "usage")

    assert "Spent by day" in said
    assert said.count('<th scope="row">echo') == 4  # once by model, and three requests
    assert "failed" in said
    assert "not-ada" not in said


@pytest.mark.parametrize("count", [1, 20])
def test_the_page_costs_the_same_at_any_length(
    client, ada, netuid, count, django_assert_num_queries
):
    used(ada, netuid, count=count)
    read(client, "usage")

    with django_assert_num_queries(USAGE_STATEMENTS):
        read(client, "usage")


def test_the_file_has_a_line_a_request_and_no_formula(client, ada, netuid):
    used(ada, netuid, count=2, model="a-model")

    answer = client.get(reverse("usage_file"))

    header, *rows = answer.content.decode().splitlines()
    assert header.startswith("began_at,request,key,model,netuid")
    assert len(rows) == 2
    assert all(",a-model," in row for row in rows)


def test_a_bad_answer_is_reported_once_from_the_list(client, ada, netuid):
    [bad] = used(ada, netuid)

    answer = client.post(reverse("report_answer", args=[bad.id]), {"reason": "It is nonsense."})

    assert AnswerReport.objects.get().reason == "It is nonsense."
    assert "can read your report" in client.get(answer.url).content.decode()
    assert "reported</span>" in read(client, "usage")
    assert not ReportedChat.objects.exists()


def test_a_conversation_is_shown_to_validators_only_where_its_box_is_ticked(client, ada, netuid):
    [bad] = used(ada, netuid)

    client.post(reverse("report_answer", args=[bad.id]), {"reason": "Bad.", "shows_chat": "on"})

    assert ReportedChat.objects.get().report.usage_id == bad.id
    assert "is being fetched" in read(client, "usage")


def test_nobody_reports_an_answer_of_somebody_else(client, ada, netuid):
    [other] = used(world.person(), netuid)

    answer = client.post(reverse("report_answer", args=[other.id]), {"reason": "Bad."})

    assert answer.status_code == 404
    assert not AnswerReport.objects.exists()


def test_prices_stand_beside_those_of_others_with_their_sources(client, netuid, settings):
    settings.TOPUP_RAO_PER_CENT = 28_571  # 350 USD for a TAO
    owner = compute_owner(netuid)
    terms = replace(TERMS, netuid=netuid, name="gemma3-270m")
    operate.serve_model(owner=owner, terms=terms, now=timezone.now())

    said = read(client, "prices")

    assert "gemma3-270m" in said
    assert "0.350005 USD" in said  # 0.001 TAO
    for price in models.list_prices():
        assert price.source in said.replace("&#x27;", "'")
        assert price.url in said
        assert price.dollars in said
    assert "may have changed" in said  # Chutes' were seen in October 2025


def test_a_subnets_page_has_the_prices_of_its_own_open_models_beside_those_of_others(
    client, netuid
):
    elsewhere = world.subnet(world.person(tao=100))
    assert "What others ask" not in read(client, "subnet", netuid)

    for name, where, is_open in (
        ("ours", netuid, True),
        ("shut", netuid, False),
        ("theirs", elsewhere, True),
    ):
        terms = replace(TERMS, netuid=where, name=name)
        operate.serve_model(
            owner=compute_owner(where), terms=terms, is_open=is_open, now=timezone.now()
        )
    said = read(client, "subnet", netuid)

    assert '<th scope="row">ours<small>' in said
    assert '<th scope="row">shut' not in said
    assert '<th scope="row">theirs' not in said
    assert all(price.product in said for price in models.list_prices())


def test_every_list_price_has_a_source_a_day_and_is_positive_and_old_ones_are_named():
    today = timezone.now().date()
    prices = models.list_prices()

    assert {"AWS Bedrock", "Azure OpenAI", "Google Vertex AI"} <= {each.provider for each in prices}
    for price in prices:
        assert price.source
        assert price.url.startswith("https://")
        assert price.seen <= today
        assert price.microdollars > 0
        assert not price.is_stale(price.seen + models.STALE_AFTER)
        assert price.is_stale(price.seen + models.STALE_AFTER + timedelta(days=1))


def compute_owner(netuid):
    from subnets import queries as subnets

    return subnets.subnet(netuid).owner


def test_an_owner_lists_a_model_and_changes_what_it_costs(client):
    ada = sign_in(client, tao=100)
    netuid = world.subnet(ada)
    assert "No model is listed" in read(client, "subnet_models", netuid)

    client.post(reverse("subnet_models", args=[netuid]), FORM)
    read(client, "subnet_models", netuid, model="gemma3-270m")
    client.post(
        reverse("subnet_models", args=[netuid]), FORM | {"input_rao_per_mtok": 1, "is_open": ""}
    )

    model = ServedModel.objects.get()
    assert (model.input_rao_per_mtok, model.is_open) == (1, False)
    assert "closed" in read(client, "subnet_models", netuid)


def test_terms_that_do_not_fit_are_told_on_the_form(client):
    netuid = world.subnet(sign_in(client, tao=100))

    said = client.post(
        reverse("subnet_models", args=[netuid]), FORM | {"output_tokens_max": 10_000}
    ).content.decode()

    assert "at most as many as the context" in said
    assert compute.open_models() == []


def test_who_does_not_own_the_subnet_does_not_see_the_form(client, ada, netuid):
    read(client, "subnet_models", netuid, status=403)

"""Models on offer: an owner lists and prices them, within bounds and under names that nobody else has."""

from dataclasses import replace
from datetime import timedelta

import pytest

from compute import operations, queries, serving
from compute.errors import ModelNameTaken, ModelTermsInvalid, TooManyModels
from compute.models import PriceChange
from compute.operations.models import MODELS_PER_SUBNET_MAX
from compute.serving import Kind
from subnets.errors import NotTheOwner
from tests import make
from tests.compute.serving_world import TERMS
from tests.make import NOW

EMBEDDINGS = replace(TERMS, kind=Kind.EMBEDDINGS, output_tokens_max=0, output_rao_per_mtok=0)


@pytest.fixture
def owner(db):
    return make.rich_owner()


def served(owner, netuid, *, now=NOW, is_open=True, **terms):
    asked = replace(TERMS, netuid=netuid, **terms)
    return operations.serve_model(owner=owner, terms=asked, is_open=is_open, now=now)


def test_a_model_is_on_offer_at_the_terms_of_its_owner(owner):
    netuid = make.subnet(owner)

    served(owner, netuid)

    assert queries.open_models() == [replace(TERMS, netuid=netuid)]


def test_a_change_is_remembered_and_setting_the_same_again_is_none(owner):
    netuid = make.subnet(owner)
    served(owner, netuid)
    later = NOW + timedelta(hours=1)

    served(owner, netuid, now=later, input_rao_per_mtok=7)
    served(owner, netuid, now=later, input_rao_per_mtok=7)

    prices = PriceChange.objects.order_by("pk").values_list("input_rao_per_mtok", "changed_at")
    assert list(prices) == [(TERMS.input_rao_per_mtok, NOW), (7, later)]
    assert queries.open_models()[0].input_rao_per_mtok == 7


def test_a_model_that_is_closed_is_not_on_offer_and_keeps_its_name(owner):
    netuid, other = make.subnet(owner), make.subnet(owner)
    served(owner, netuid)

    served(owner, netuid, is_open=False)

    assert queries.open_models() == []
    with pytest.raises(ModelNameTaken) as refused:
        served(owner, other)
    assert refused.value.fields == {"model": "echo", "netuid": netuid}


def test_only_the_owner_prices_a_model(owner):
    netuid = make.subnet(owner)

    with pytest.raises(NotTheOwner):
        served(make.rich_owner(), netuid)


def test_a_subnet_lists_so_many_models(owner):
    netuid = make.subnet(owner)
    for number in range(MODELS_PER_SUBNET_MAX):
        served(owner, netuid, name=f"m{number}")

    with pytest.raises(TooManyModels):
        served(owner, netuid, name="one-more")
    assert served(owner, netuid, name="m0", input_rao_per_mtok=1)


@pytest.mark.parametrize(
    ("terms", "word"),
    [
        (replace(TERMS, name="GPT 4"), "name"),
        (replace(TERMS, name="x" * 81), "name"),
        (replace(TERMS, context_tokens_max=0), "context"),
        (replace(TERMS, output_tokens_max=0), "answer"),
        (replace(TERMS, output_tokens_max=TERMS.context_tokens_max + 1), "answer"),
        (replace(TERMS, input_rao_per_mtok=10**9 + 1), "rao"),
        (replace(TERMS, output_rao_per_mtok=-1), "rao"),
        (replace(TERMS, free_tokens_per_day=10**9 + 1), "free"),
        (replace(EMBEDDINGS, output_rao_per_mtok=1), "embeddings"),
    ],
)
def test_terms_outside_their_bounds_are_refused_with_the_reason(terms, word):
    with pytest.raises(ModelTermsInvalid, match=word):
        serving.check_terms(terms)


def test_embeddings_are_served_without_tokens_of_an_answer(owner):
    netuid = make.subnet(owner)

    model = operations.serve_model(owner=owner, terms=replace(EMBEDDINGS, netuid=netuid), now=NOW)

    assert queries.terms_of(model).kind is Kind.EMBEDDINGS

"""Searches that somebody keeps, over REST: the filter of `listings/` under a name, and what came up since they looked."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.rest.scopes import Refusals, Scopes
from ledger.scopes import Scope
from marketplace import errors, operations, queries
from marketplace.api.listings import SALES, FilterAsked
from marketplace.api.views import PersonView, person
from marketplace.browsing import Search
from marketplace.catalogue import new_matches
from marketplace.models import SavedSearch
from marketplace.operations.searches import NAME_MAX
from subnets.errors import TextRefused
from subnets.models import Blueprint


class SearchInput(FilterAsked):
    name = serializers.CharField(
        max_length=NAME_MAX, help_text="The same name again takes the new filter."
    )


class FilterOutput(FilterAsked):
    """What is asked of `listings/`; what is not asked is left out."""

    q = serializers.CharField(required=False)
    sale = serializers.ChoiceField(SALES, required=False)
    blueprint = serializers.ChoiceField(Blueprint.choices, required=False)
    registrations_open = serializers.BooleanField(required=False)


class SearchOutput(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    filter = FilterOutput(help_text="As `listings/` takes it.")
    saved_at = serializers.DateTimeField()
    looked_at = serializers.DateTimeField()
    new_netuids = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="What it finds that took a slot or was put up for sale since `looked_at`.",
    )


class SearchesOutput(serializers.Serializer):
    results = SearchOutput(many=True)


class SearchesView(PersonView):
    scopes: Scopes = {"GET": Scope.READ, "POST": Scope.ACCOUNT}
    refusals: Refusals = {"POST": (TextRefused, errors.TooManySearches)}

    @extend_schema(responses=SearchesOutput)
    def get(self, request: Request) -> Response:
        """List the searches you keep, by name, and what is new in each."""
        rows = written(queries.saved_searches(person(request).id), now=timezone.now())
        return Response(SearchesOutput({"results": rows}).data)

    @extend_schema(request=SearchInput, responses={201: SearchOutput})
    def post(self, request: Request) -> Response:
        """Keep a search under a name, ten at most; what is new counts from now on."""
        asked, now = SearchInput(data=request.data), timezone.now()
        asked.is_valid(raise_exception=True)
        kept = operations.save_search(
            owner=person(request).id,
            name=asked.validated_data["name"],
            search=asked.search(),
            now=now,
        )
        return Response(SearchOutput(*written([kept], now=now)).data, status=201)


class SearchView(PersonView):
    scopes: Scopes = {"DELETE": Scope.ACCOUNT}
    refusals: Refusals = {"DELETE": (errors.SearchUnknown,)}

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, search_id: UUID) -> Response:
        """Keep a search no longer."""
        operations.delete_search(search_id=search_id, owner=person(request).id)
        return Response(status=204)


class LookView(PersonView):
    scopes: Scopes = {"POST": Scope.ACCOUNT}
    refusals: Refusals = {"POST": (errors.SearchUnknown,)}

    @extend_schema(request=None, responses=SearchOutput)
    def post(self, request: Request, search_id: UUID) -> Response:
        """Say that you looked: what is new counts from now on."""
        now = timezone.now()
        kept = operations.look_at_search(search_id=search_id, owner=person(request).id, now=now)
        return Response(SearchOutput(*written([kept], now=now)).data)


def written(kept: list[SavedSearch], *, now: datetime) -> list[dict[str, Any]]:
    """Return searches as they go over the wire."""
    return [
        {
            "id": one.pk,
            "name": one.name,
            "filter": filter_of(Search.read(one.wanted)),
            "saved_at": one.saved_at,
            "looked_at": one.looked_at,
            "new_netuids": [listing.netuid for listing in found],
        }
        for one, found in new_matches(kept, now=now)
    ]


def filter_of(search: Search) -> dict[str, Any]:
    """Return a search as `listings/` takes it, without what it does not say."""
    wanted = search.as_json()["wanted"]
    is_open = wanted.pop("registrations_open") or None
    asked = {
        "q": search.words or None,
        "blueprint": search.blueprint or None,
        "sale": wanted.pop("format") or None,
        "registrations_open": is_open,
        **wanted,
    }
    return {name: value for name, value in asked.items() if value is not None}

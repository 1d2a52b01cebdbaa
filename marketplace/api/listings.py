"""The list of subnets over REST: searched, filtered and sorted as its page is, in figures."""

from dataclasses import fields

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.rest import RaoField
from ledger.rest.etags import TaggedView
from marketplace import queries
from marketplace.api.limits import ReadThrottle
from marketplace.api.views import PublicView
from marketplace.browsing import ANY_FORMAT, AWAITING, ORDERS, Search, Wanted, chosen
from marketplace.catalogue import catalogue
from marketplace.offering import Format
from subnets.models import Blueprint
from subnets.searching import QUERY_LENGTH_MAX

SALES = [ANY_FORMAT, *(one.value for one in Format), AWAITING]


class FilterAsked(serializers.Serializer):
    q = serializers.CharField(
        max_length=QUERY_LENGTH_MAX,
        default="",
        allow_blank=True,
        help_text="Words or a number; slips of the keyboard are forgiven.",
    )
    sale = serializers.ChoiceField(
        SALES,
        default="",
        help_text="any: whatever is for sale. awaiting: sold, and not paid yet.",
    )
    blueprint = serializers.ChoiceField(Blueprint.choices, default="")
    price_min_rao = RaoField(required=False)
    price_max_rao = RaoField(required=False)
    emission_min_rao = RaoField(required=False, help_text="Of the emission of a day.")
    emission_max_rao = RaoField(required=False)
    miners_min = serializers.IntegerField(min_value=0, max_value=256, required=False)
    registrations_open = serializers.BooleanField(default=False)

    def search(self) -> Search:
        """Return what is looked for; the serializer is valid."""
        asked = self.validated_data
        bounds = {field.name for field in fields(Wanted)} & set(asked)
        return Search(
            words=asked["q"],
            blueprint=asked["blueprint"],
            wanted=Wanted(format=asked["sale"], **{name: asked[name] for name in bounds}),
        )


class ListingsAsked(FilterAsked):
    sort = serializers.ChoiceField(
        sorted(ORDERS), default="", help_text="Left out: the best match first, else by number."
    )


class AskOutput(serializers.Serializer):
    auction_id = serializers.UUIDField()
    format = serializers.ChoiceField([(one.value, one.value) for one in Format])
    price_rao = RaoField(help_text="What it stands at; before the first bid, the start.")
    bid_count = serializers.IntegerField()
    opens_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField()
    is_open = serializers.BooleanField()
    due_at = serializers.DateTimeField(
        allow_null=True, help_text="Until when its winner has to pay, where it is sold already."
    )


class ListingOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    name = serializers.CharField()
    summary = serializers.CharField()
    blueprint = serializers.ChoiceField(Blueprint.choices)
    registered_at = serializers.DateTimeField()
    registrations_open = serializers.BooleanField()
    miner_count = serializers.IntegerField()
    validator_count = serializers.IntegerField()
    stake_rao = RaoField()
    epoch_number = serializers.IntegerField(help_text="The last closed one; 0 before the first.")
    emission_day_rao = RaoField()
    growth_bps = serializers.IntegerField(
        allow_null=True, help_text="Of the emission of a day, in 7 days."
    )
    revenue_week_rao = RaoField(help_text="The owner's cut and share of jobs in 7 days.")
    last_price_rao = RaoField(allow_null=True)
    last_sold_at = serializers.DateTimeField(allow_null=True)
    price_rao = RaoField(allow_null=True, help_text="What is asked now, else what was paid last.")
    yield_tenths = serializers.IntegerField(
        allow_null=True, help_text="The price in tenths of a day of emission, cut."
    )
    ask = AskOutput(allow_null=True)


class ListingsOutput(serializers.Serializer):
    results = ListingOutput(many=True)


class ListingsView(TaggedView, PublicView):
    throttle_classes = (ReadThrottle,)

    @extend_schema(parameters=[ListingsAsked], responses=ListingsOutput)
    def get(self, request: Request) -> Response:
        """List subnets with their figures and offers, filtered and sorted; there are 128 at most."""
        asked = ListingsAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        search = asked.search()
        listings = catalogue(
            now=timezone.now(),
            asks=queries.asks(),
            search=search.words,
            blueprint=search.blueprint,
        )
        found = chosen(listings, search.wanted, sort=asked.validated_data["sort"])
        return Response(ListingsOutput({"results": found}).data)

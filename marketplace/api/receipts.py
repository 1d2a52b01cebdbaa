"""Receipts over REST."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.rest import RaoField
from ledger.rest.scopes import Refusals
from marketplace import queries
from marketplace.api.views import PersonView, person
from marketplace.errors import BidUnknown


class ReceiptOutput(serializers.Serializer):
    bid = serializers.UUIDField()
    auction = serializers.UUIDField()
    netuid = serializers.IntegerField()
    max_rao = RaoField()
    price_rao = RaoField(help_text="The price this bid made.")
    is_leading = serializers.BooleanField(help_text="Right after the bid.")
    closes_at = serializers.DateTimeField(help_text="The end right after the bid.")
    placed_at = serializers.DateTimeField()
    sequence = serializers.IntegerField()
    version = serializers.IntegerField()
    key = serializers.CharField(help_text="Your idempotency key.")
    hold = serializers.UUIDField(allow_null=True, help_text="Null for a bid beaten at once.")
    text = serializers.CharField(help_text="The facts, a line each.")
    digest = serializers.CharField(help_text="SHA-256 of `text` in UTF-8, in hex.")


class ReceiptView(PersonView):
    refusals: Refusals = {"GET": (BidUnknown,)}

    @extend_schema(responses=ReceiptOutput)
    def get(self, request: Request, bid_id: UUID) -> Response:
        """Return the receipt of a bid of yours: its facts, and a digest by which they can be shown later."""
        found = queries.receipt(bid_id, bidder=person(request).id)
        return Response(ReceiptOutput(found).data)

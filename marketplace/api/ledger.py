"""Proofs of the ledger over REST: the receipt of an entry of one's own, and the seals, which are everybody's."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger import receipts
from ledger.errors import EntryNotSealed, EntryUnknown
from ledger.rest import paging
from ledger.rest.etags import TaggedView
from ledger.rest.paging import Page
from ledger.rest.scopes import Refusals
from ledger.rest.shapes import given
from marketplace.api.limits import ReadThrottle
from marketplace.api.views import PersonView, PublicView, person


class SealOutput(serializers.Serializer):
    seal = serializers.CharField(help_text="Its number; the first is 1.")
    previous = serializers.CharField(help_text="The hash of the seal before, in hex.")
    root = serializers.CharField(  # type: ignore[assignment]  # a field so named, which DRF takes off the class
        help_text="The Merkle root (RFC 6962) of its entries."
    )
    entry_count = serializers.CharField()
    first_entry = serializers.CharField()
    last_entry = serializers.CharField()
    sealed_at = serializers.CharField()
    hash = serializers.CharField(help_text="SHA-256 of the other members as canonical JSON.")


class PartOutput(serializers.Serializer):
    index = serializers.CharField()
    nonce = serializers.CharField()
    value = serializers.DictField(child=serializers.CharField(allow_null=True))
    path = serializers.ListField(child=serializers.CharField())


class EntryReceiptOutput(serializers.Serializer):
    format = serializers.CharField()
    entry = serializers.CharField()
    part_count = serializers.CharField()
    parts = PartOutput(many=True, help_text="What of the entry is yours to see.")
    position = serializers.CharField()
    path = serializers.ListField(child=serializers.CharField())
    seal = SealOutput()


class SealsAsked(paging.PageAsked):
    after = serializers.IntegerField(
        min_value=0, default=0, help_text="Begin behind this seal, such as a receipt's."
    )


class SealsOutput(Page):
    results = SealOutput(many=True)


class EntryReceiptView(PersonView):
    refusals: Refusals = {"GET": (EntryUnknown, EntryNotSealed)}

    @extend_schema(responses=EntryReceiptOutput)
    def get(self, request: Request, entry: int) -> Response:
        """Return the receipt of an entry that touched an account of yours, for `python -m ledger.prove`."""
        found = receipts.receipt(entry=entry, owner=person(request).id)
        return Response(EntryReceiptOutput(found).data)


class SealsView(TaggedView, PublicView):
    throttle_classes = (ReadThrottle,)

    @extend_schema(operation_id="seals_list", parameters=[SealsAsked], responses=SealsOutput)
    def get(self, request: Request) -> Response:
        """List the seals of the ledger, the first first: what leads from a receipt to a published head."""
        asked = given(SealsAsked, request.query_params)
        window = paging.window(request, asked, by=("number",))
        rows = receipts.seals(window=window, after=asked["after"])
        shown = [{"number": row.number, **receipts.seal_json(row)} for row in rows]
        return paging.answer(
            request, window, shown, SealsOutput, position=lambda row: [row["number"]]
        )

"""The data room over REST: one object a fact, with the epoch or the instant it is from."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.rest import RaoField
from ledger.rest.scopes import Refusals
from marketplace import facts, queries
from marketplace.api.limits import ReadThrottle
from marketplace.api.views import PublicView
from subnets import queries as subnets
from subnets.errors import SubnetUnknown


class RaoFactOutput(serializers.Serializer):
    value = RaoField(allow_null=True)
    epoch = serializers.IntegerField(
        allow_null=True, help_text="Up to which closed epoch; null for what is read as it stands."
    )
    at = serializers.DateTimeField(allow_null=True)


class CountFactOutput(RaoFactOutput):
    value = serializers.IntegerField(allow_null=True)  # type: ignore[assignment]  # of another unit


class FactsOutput(serializers.Serializer):
    """One member a kind of fact; made from the table that the page is made from."""

    def get_fields(self) -> dict[str, serializers.Field]:
        """Give each kind its field."""
        return {
            kind.name: (RaoFactOutput if kind.unit is facts.Unit.RAO else CountFactOutput)(
                help_text=". ".join(filter(None, (kind.words, kind.note)))
            )
            for kind in facts.KINDS
        }


class EpochLineOutput(serializers.Serializer):
    number = serializers.IntegerField()
    closed_at = serializers.DateTimeField()
    is_late = serializers.BooleanField()
    rule_version = serializers.IntegerField()
    rule_fault = serializers.CharField()
    emission_rao = RaoField()
    owner_rao = RaoField()
    jobs_rao = RaoField()
    revenue_rao = RaoField()
    digest = serializers.CharField()


class DataRoomOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    name = serializers.CharField()
    facts = FactsOutput()
    epochs = EpochLineOutput(many=True, help_text="The newest closed epochs, newest first.")
    statement = serializers.CharField(help_text="What the owner says. Nobody checked it.")
    server_now = serializers.DateTimeField()


class DataRoomView(PublicView):
    throttle_classes = (ReadThrottle,)
    refusals: Refusals = {"GET": (SubnetUnknown,)}

    @extend_schema(responses=DataRoomOutput)
    def get(self, request: Request, netuid: int) -> Response:
        """Return what the books say of a subnet, each fact with the epoch or instant it is from."""
        row, now = subnets.subnet(netuid), timezone.now()
        (room,) = queries.data_rooms([netuid], now=now)
        answer = {
            "netuid": netuid,
            "name": row.name,
            "facts": {fact.kind.name: fact for fact in room.facts},
            "epochs": queries.epoch_lines(netuid, now=now),
            "statement": row.description,
            "server_now": now,
        }
        return Response(DataRoomOutput(answer).data)

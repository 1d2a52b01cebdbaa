"""Hyperparameters over REST: the table with its values, the log, and the owner's changes.

What goes over the wire is made from the one table in subnets.hyperparameters. Values are decimal strings:
some are rao, which is beyond what JavaScript counts exactly.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.core.cache import cache
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from ledger.rest import IDEMPOTENCY_KEY, idempotency_key
from ledger.rest.limits import PublicThrottle
from ledger.rest.once import once
from ledger.rest.scopes import Refusals, Scopes
from ledger.scopes import Scope
from neurons.protocol import canonical_json
from subnets import operations, queries
from subnets.errors import (
    HyperparameterChangedLately,
    HyperparameterNotYours,
    HyperparameterOutOfBounds,
    HyperparametersContradict,
    HyperparametersFrozen,
    HyperparameterUnknown,
    NeuronsAboveSlots,
    NotTheOwner,
    SubnetUnknown,
)
from subnets.hyperparameters import BY_NAME, HYPERPARAMETERS, Authority
from subnets.limits import TuningThrottle
from subnets.queries.hyperparameters import CHANGES_MAX, CHANGES_SHOWN, HyperparameterLine

# How long a request is known by its key. Later, and should the cache be lost, a repetition sets what is
# set already, which changes nothing; what others set meanwhile is guarded by the wait between two changes.
KEY_KEPT_S = 86_400
VALUE = re.compile(r"-?[0-9]{1,19}", re.ASCII)


@extend_schema_field(
    {
        "type": "string",
        "pattern": "^-?[0-9]{1,19}$",
        "example": "5000",
        "description": "A whole number as a decimal string.",
    }
)
class ValueField(serializers.Field):
    """Carry a whole number as a string; from a client a JSON integer will do as well."""

    default_error_messages = {"no_whole_number": 'Send a whole number, such as "5000" or 5000.'}

    def to_internal_value(self, data: object) -> int:
        """Read a string of digits or an integer."""
        if type(data) is int:
            return data
        if not (isinstance(data, str) and VALUE.fullmatch(data)):
            self.fail("no_whole_number")
        return int(data)

    def to_representation(self, value: int) -> str:
        """Write the number as a string."""
        return str(value)


class NamedValues(serializers.Serializer):
    """Values by name. A name that is not the owner's to set is refused in its own words."""

    def to_internal_value(self, data: Any) -> dict[str, int]:  # noqa: ANN401  DRF's own signature
        """Read the values. Raises: HyperparameterUnknown, HyperparameterNotYours, ValidationError."""
        for name in data if isinstance(data, Mapping) else ():
            if name not in BY_NAME:
                raise HyperparameterUnknown(name=name)
            if BY_NAME[name].who is not Authority.OWNER:
                raise HyperparameterNotYours(name=name)
        return dict(super().to_internal_value(data))


HyperparametersInput: type[NamedValues] = type(
    "HyperparametersInput",
    (NamedValues,),
    {
        row.name: ValueField(
            required=False, help_text=f"{row.doc} {row.low} to {row.high}, in {row.unit}."
        )
        for row in HYPERPARAMETERS
        if row.who is Authority.OWNER
    },
)


class HyperparameterOutput(serializers.Serializer):
    name = serializers.CharField(source="row.name")
    value = ValueField()
    default = ValueField(source="row.default")
    low = ValueField(source="row.low", help_text="The owner's lower bound.")
    high = ValueField(source="row.high", help_text="The owner's upper bound.")
    root_low = serializers.SerializerMethodField()
    root_high = serializers.SerializerMethodField()
    unit = serializers.CharField(source="row.unit")
    who = serializers.CharField(source="row.who.value", help_text="Who may set it: owner or root.")
    doc = serializers.CharField(source="row.doc")
    changeable_from_block = serializers.IntegerField(
        allow_null=True, help_text="When the owner may change it; null for what only root sets."
    )

    def get_root_low(self, line: HyperparameterLine) -> str:
        """Return root's lower bound."""
        return str(line.row.bounds(Authority.ROOT)[0])

    def get_root_high(self, line: HyperparameterLine) -> str:
        """Return root's upper bound."""
        return str(line.row.bounds(Authority.ROOT)[1])


class HyperparametersOutput(serializers.Serializer):
    block = serializers.IntegerField(help_text="The block of this answer.")
    results = HyperparameterOutput(many=True)


class HyperparameterChangesAsked(serializers.Serializer):
    name = serializers.ChoiceField([row.name for row in HYPERPARAMETERS], required=False)
    limit = serializers.IntegerField(min_value=1, max_value=CHANGES_MAX, default=CHANGES_SHOWN)
    before = serializers.IntegerField(
        min_value=1, required=False, help_text="From `next`: where a page ended."
    )


class HyperparameterChangeOutput(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    old_value = ValueField()
    new_value = ValueField()
    authority = serializers.CharField(help_text="As whom: owner or root.")
    account = serializers.UUIDField()
    at = serializers.DateTimeField()
    block = serializers.IntegerField()


class HyperparameterChangesOutput(serializers.Serializer):
    results = HyperparameterChangeOutput(many=True)
    next = serializers.URLField(allow_null=True, help_text="The page of older changes.")


class HyperparametersView(APIView):
    """Anybody may read; the owner of the subnet may write."""

    permission_classes = (IsAuthenticatedOrReadOnly,)
    scopes: Scopes = {"GET": None, "PATCH": Scope.TUNE}
    refusals: Refusals = {
        "GET": (SubnetUnknown,),
        "PATCH": (
            SubnetUnknown,
            NotTheOwner,
            HyperparameterUnknown,
            HyperparameterNotYours,
            HyperparameterOutOfBounds,
            HyperparametersContradict,
            HyperparametersFrozen,
            HyperparameterChangedLately,
            NeuronsAboveSlots,
        ),
    }

    def get_throttles(self) -> list[Any]:
        """Return the limit of this method."""
        return [TuningThrottle() if self.request.method == "PATCH" else PublicThrottle()]

    @extend_schema(responses=HyperparametersOutput)
    def get(self, request: Request, netuid: int) -> Response:
        """List every hyperparameter with value, default, bounds, unit, and when its owner may change it."""
        return Response(table(netuid))

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY], request=HyperparametersInput, responses=HyperparametersOutput
    )
    @once
    def patch(self, request: Request, netuid: int) -> Response:
        """Set hyperparameters of a subnet of yours, all of them or none."""
        given = HyperparametersInput(data=request.data)
        given.is_valid(raise_exception=True)
        set_once(
            netuid=netuid,
            owner=cast(UUID, request.user.pk),
            values=given.validated_data,
            key=idempotency_key(request),
        )
        return Response(table(netuid))


class HyperparameterChangesView(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = (PublicThrottle,)
    refusals: Refusals = {"GET": (SubnetUnknown,)}

    @extend_schema(parameters=[HyperparameterChangesAsked], responses=HyperparameterChangesOutput)
    def get(self, request: Request, netuid: int) -> Response:
        """List who changed which hyperparameter when, from what to what, newest first."""
        asked = HyperparameterChangesAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        queries.subnet(netuid)
        rows = queries.hyperparameter_changes(netuid, **asked.validated_data)
        following = None
        if len(rows) == asked.validated_data["limit"]:
            query = {**request.query_params.dict(), "before": str(rows[-1].pk)}
            following = request.build_absolute_uri(f"?{urlencode(query)}")
        return Response(HyperparameterChangesOutput({"results": rows, "next": following}).data)


def table(netuid: int) -> dict[str, Any]:
    """Return a subnet's table as it goes over the wire. Raises: SubnetUnknown."""
    subnet, block = queries.subnet(netuid), queries.block_now(timezone.now())
    lines = queries.hyperparameter_lines(subnet, block=block)
    return dict(HyperparametersOutput({"block": block, "results": lines}).data)


def set_once(*, netuid: int, owner: UUID, values: Mapping[str, int], key: str) -> None:
    """Set values once per key of the owner's.

    Raises: IdempotencyConflict (same key, other values), IdempotencyKeyMissing, IdempotencyKeyInvalid,
    and what set_hyperparameters raises; a refused request leaves its key free.
    """
    act = stored_key("hyperparameters", caller=f"{netuid}:{owner}", key=key)
    # A client's words may hold what a cache takes for its own.
    known_by = f"hyperparameters:{hashlib.sha256(act.encode()).hexdigest()}"
    digest = hashlib.sha256(canonical_json(dict(values))).hexdigest()
    earlier = cache.get(known_by)
    if earlier is None:
        operations.set_hyperparameters(
            netuid=netuid, account=owner, values=values, now=timezone.now()
        )
        cache.set(known_by, digest, KEY_KEPT_S)
    elif earlier != digest:
        raise IdempotencyConflict(key=key, field="table of values")

"""Subnets over REST: parse, authorise, one operation or query, present."""

from collections.abc import Callable
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger.errors import InsufficientFunds
from ledger.rest import IDEMPOTENCY_KEY, idempotency_key
from ledger.rest.etags import TaggedView
from ledger.rest.limits import PublicThrottle
from ledger.rest.once import once
from ledger.rest.scopes import Refusals, Scopes
from ledger.scopes import Scope
from subnets import operations, queries
from subnets.api import serializers as wire
from subnets.api.authentication import HotkeyAuthentication, IsLinkedHotkey, IsSigned, SignedCaller
from subnets.errors import (
    BurnAboveLimit,
    ChallengeExpired,
    ChallengeUnknown,
    EpochUnknown,
    HotkeyTaken,
    NotRegistered,
    NoUidAvailable,
    PageUnknown,
    RegistrationClosed,
    SubnetUnknown,
    TextRefused,
    TooManyChallenges,
)


def signed_caller(request: Request) -> SignedCaller:
    """Return the hotkey behind a signed request."""
    return cast(SignedCaller, request.user)


class PublicView(TaggedView):
    """Anyone may read; what was read is tagged."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (PublicThrottle,)


class SignedView(APIView):
    """A linked hotkey signs."""

    authentication_classes = (HotkeyAuthentication,)
    permission_classes = (IsLinkedHotkey,)


class ChallengeView(APIView):
    permission_classes = (IsAuthenticated,)
    scopes: Scopes = {"POST": Scope.ACCOUNT}
    refusals: Refusals = {"POST": (TooManyChallenges,)}

    @extend_schema(request=None, responses={201: wire.ChallengeOutput})
    def post(self, request: Request) -> Response:
        """Make a one-time code that links a hotkey to the signed-in account."""
        owner = cast(UUID, request.user.pk)
        challenge = operations.open_challenge(owner=owner, now=timezone.now())
        return Response(wire.ChallengeOutput(challenge).data, status=201)


class LinkView(APIView):
    authentication_classes = (HotkeyAuthentication,)
    permission_classes = (IsSigned,)
    refusals: Refusals = {
        "POST": (
            ChallengeUnknown,
            ChallengeExpired,
            HotkeyTaken,
            TextRefused,
        )
    }

    @extend_schema(request=wire.LinkInput, responses={201: wire.HotkeyOutput})
    def post(self, request: Request) -> Response:
        """Link the signing hotkey to the account that made the code."""
        given = wire.LinkInput(data=request.data)
        given.is_valid(raise_exception=True)
        hotkey = operations.link_hotkey(
            ss58=signed_caller(request).hotkey, now=timezone.now(), **given.validated_data
        )
        return Response(wire.HotkeyOutput(hotkey).data, status=201)


class NeuronsView(SignedView):
    refusals: Refusals = {
        "POST": (
            SubnetUnknown,
            RegistrationClosed,
            BurnAboveLimit,
            NoUidAvailable,
            InsufficientFunds,
        )
    }

    @extend_schema(
        request=wire.RegisterInput,
        responses={200: wire.RegistrationOutput, 201: wire.RegistrationOutput},
    )
    def post(self, request: Request, netuid: int) -> Response:
        """Register the signing hotkey on the subnet for the current burn; 200 when it is already."""
        given = wire.RegisterInput(data=request.data)
        given.is_valid(raise_exception=True)
        registration = operations.register_neuron(
            netuid=netuid,
            hotkey=signed_caller(request).hotkey,
            now=timezone.now(),
            **given.validated_data,
        )
        status = 200 if registration.replayed else 201
        return Response(wire.RegistrationOutput(registration).data, status=status)


class StakeView(SignedView):
    refusals: Refusals = {
        "POST": (
            SubnetUnknown,
            NotRegistered,
            InsufficientFunds,
        ),
        "DELETE": (
            SubnetUnknown,
            NotRegistered,
            InsufficientFunds,
        ),
    }

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY], request=wire.StakeInput, responses={201: wire.StakeOutput}
    )
    @once
    def post(self, request: Request, netuid: int) -> Response:
        """Stake TAO of the owner's wallet on the signing hotkey."""
        return self._move(request, netuid, operations.add_stake)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY], request=wire.StakeInput, responses={200: wire.StakeOutput}
    )
    @once
    def delete(self, request: Request, netuid: int) -> Response:
        """Take stake back to the owner's wallet."""
        return self._move(request, netuid, operations.remove_stake)

    def _move(self, request: Request, netuid: int, operation: Callable[..., int]) -> Response:
        given = wire.StakeInput(data=request.data)
        given.is_valid(raise_exception=True)
        caller = signed_caller(request)
        stake_rao = operation(
            netuid=netuid,
            hotkey=caller.hotkey,
            owner=caller.linked_owner,
            key=idempotency_key(request),
            now=timezone.now(),
            **given.validated_data,
        )
        answer = {"netuid": netuid, "hotkey": caller.hotkey, "stake_rao": stake_rao}
        status = 201 if operation is operations.add_stake else 200
        return Response(wire.StakeOutput(answer).data, status=status)


class SubnetsView(PublicView):
    @extend_schema(parameters=[wire.SubnetsAsked], responses=wire.SubnetsOutput)
    def get(self, request: Request) -> Response:
        """List subnets; `q` finds them by words or number and forgives slips of the keyboard."""
        asked = wire.SubnetsAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        rows = queries.subnet_rows(**asked.validated_data)
        return Response(wire.SubnetsOutput({"results": rows}).data)


class SubnetView(PublicView):
    refusals: Refusals = {"GET": (SubnetUnknown,)}

    @extend_schema(responses=wire.SubnetOutput)
    def get(self, request: Request, netuid: int) -> Response:
        """Describe one subnet."""
        subnet, now = queries.subnet(netuid), timezone.now()
        by_now = {
            "burn_rao": queries.burn_cost_at(subnet, block=queries.block_now(now)),
            "pending_rao": queries.waiting_rao(netuid, now=now),
        }
        return Response(wire.SubnetOutput(subnet, context=by_now).data)


class MetagraphView(PublicView):
    refusals: Refusals = {"GET": (SubnetUnknown,)}

    @extend_schema(responses=wire.MetagraphOutput)
    def get(self, request: Request, netuid: int) -> Response:
        """List the neurons of a subnet with what the last epoch said of them."""
        queries.subnet(netuid)
        return Response(wire.MetagraphOutput({"results": queries.metagraph(netuid)}).data)


class EpochsView(PublicView):
    refusals: Refusals = {
        "GET": (
            SubnetUnknown,
            PageUnknown,
        )
    }

    @extend_schema(parameters=[wire.EpochsAsked], responses=wire.EpochsOutput)
    def get(self, request: Request, netuid: int | None = None) -> Response:
        """List closed epochs, newest first."""
        asked = wire.EpochsAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        # The address names the subnet before the query may.
        named = {} if netuid is None else {"netuid": queries.subnet(netuid).netuid}
        rows = queries.epochs(**asked.validated_data | named)
        following = None
        if len(rows) == asked.validated_data["limit"]:
            query = {**request.query_params.dict(), "before": str(rows[-1].pk)}
            following = request.build_absolute_uri(f"?{urlencode(query)}")
        return Response(wire.EpochsOutput({"results": rows, "next": following}).data)


class BundleView(PublicView):
    refusals: Refusals = {"GET": (EpochUnknown,)}

    @extend_schema(responses={(200, "application/json"): dict})
    def get(self, request: Request, netuid: int, number: int) -> HttpResponse:
        """Return an epoch's public bundle in its canonical bytes; a closed epoch never changes."""
        text = queries.bundle_text(netuid, number)
        answer = HttpResponse(text, content_type="application/json")
        patch_cache_control(answer, public=True, max_age=31_536_000, immutable=True)
        return answer

"""Offers over REST: everybody's own, as buyer and as owner; others' are not found."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.errors import InsufficientFunds
from ledger.rest import IDEMPOTENCY_KEY, idempotency_key, paging
from ledger.rest.once import once
from ledger.rest.scopes import Refusals, ScopeMissing, Scopes, grant_of
from ledger.rest.shapes import given
from ledger.scopes import Scope
from marketplace import errors, operations, queries
from marketplace.api import offer_bodies as wire
from marketplace.api.views import PersonView, person
from marketplace.negotiating import Side
from subnets.errors import SubnetUnknown, TextRefused


class OffersView(PersonView):
    scopes: Scopes = {"GET": Scope.READ, "POST": Scope.BID}
    refusals: Refusals = {
        "POST": (
            SubnetUnknown,
            errors.OwnerCannotOffer,
            errors.OfferAlreadyOpen,
            errors.OfferTermsInvalid,
            errors.AccountsLinked,
            errors.AddressNotVerified,
            TextRefused,
            InsufficientFunds,
        )
    }

    @extend_schema(
        operation_id="offers_list", parameters=[wire.OffersAsked], responses=wire.OffersOutput
    )
    def get(self, request: Request) -> Response:
        """List your offers, those you made and those for subnets of yours, the newest first."""
        asked = given(wire.OffersAsked, request.query_params)
        window = paging.window(request, asked, by=("-made_at", "-id"))
        rows = queries.offers_of(person(request).id, window=window, **asked)
        return paging.answer(request, window, rows, wire.OffersOutput)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=wire.OfferInput,
        responses={201: wire.NegotiationOutput},
    )
    @once
    def post(self, request: Request) -> Response:
        """Offer an amount for a subnet, listed or not; it is set aside until the offer ends."""
        made = operations.make_offer(
            buyer=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
            **given(wire.OfferInput, request.data),
        )
        return negotiation(request, made.id, status=201)


class OfferView(PersonView):
    refusals: Refusals = {"GET": (errors.OfferUnknown,)}

    @extend_schema(responses=wire.NegotiationOutput)
    def get(self, request: Request, offer_id: UUID) -> Response:
        """Return an offer of yours or to you, with its moves."""
        return negotiation(request, offer_id)


OF_ANY_MOVE = (
    ScopeMissing,
    errors.OfferUnknown,
    errors.OfferEnded,
    errors.OfferLapsed,
    errors.NotYourMove,
)


class AnswerView(PersonView):
    """Somebody's move in a negotiation. A key needs the scope of their side, which the offer alone tells."""

    scopes: Scopes = {"POST": None}
    scope_words = f"{Scope.BID} or {Scope.SELL}"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  DRF's own
        """Refuse a key that may not do what its side of this offer does. Raises: OfferUnknown, ScopeMissing."""
        super().initial(request, *args, **kwargs)
        grant = grant_of(request)
        side = queries.offer(kwargs["offer_id"], viewer=person(request).id).side
        scope = Scope.BID if side == Side.BUYER else Scope.SELL
        if grant is not None and scope.value not in grant.scopes:
            raise ScopeMissing(scope=scope.value)


class AcceptView(AnswerView):
    refusals: Refusals = {
        "POST": (
            *OF_ANY_MOVE,
            errors.OfferChanged,
            errors.SubnetInAuction,
            errors.AccountsLinked,
            errors.AddressNotVerified,
            InsufficientFunds,
        )
    }

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY], request=wire.AcceptInput, responses=wire.NegotiationOutput
    )
    @once
    def post(self, request: Request, offer_id: UUID) -> Response:
        """Take the figure on the table: it is paid and the subnet changes hands, at once."""
        operations.accept_offer(
            offer_id=offer_id,
            who=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
            **given(wire.AcceptInput, request.data),
        )
        return negotiation(request, offer_id)


class CounterView(AnswerView):
    refusals: Refusals = {
        "POST": (
            *OF_ANY_MOVE,
            errors.TooManyMoves,
            errors.OfferTermsInvalid,
            TextRefused,
            InsufficientFunds,
        )
    }

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY], request=wire.FigureInput, responses=wire.NegotiationOutput
    )
    @once
    def post(self, request: Request, offer_id: UUID) -> Response:
        """Put another figure on the table: an owner asks for more, a buyer promises anew."""
        operations.counter_offer(
            offer_id=offer_id,
            who=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
            **given(wire.FigureInput, request.data),
        )
        return negotiation(request, offer_id)


class DeclineView(AnswerView):
    refusals: Refusals = {
        "POST": (
            *OF_ANY_MOVE,
            TextRefused,
        )
    }

    @extend_schema(request=wire.MessageInput, responses=wire.NegotiationOutput)
    def post(self, request: Request, offer_id: UUID) -> Response:
        """Say no. What was set aside is free at once."""
        operations.decline_offer(
            offer_id=offer_id,
            who=person(request).id,
            now=timezone.now(),
            **given(wire.MessageInput, request.data),
        )
        return negotiation(request, offer_id)


class WithdrawView(AnswerView):
    refusals: Refusals = {
        "POST": (
            ScopeMissing,
            errors.OfferUnknown,
            errors.OfferEnded,
            errors.NotYourMove,
            TextRefused,
        )
    }

    @extend_schema(request=wire.MessageInput, responses=wire.NegotiationOutput)
    def post(self, request: Request, offer_id: UUID) -> Response:
        """Take an offer of yours back. What was set aside is free at once."""
        operations.withdraw_offer(
            offer_id=offer_id,
            who=person(request).id,
            now=timezone.now(),
            **given(wire.MessageInput, request.data),
        )
        return negotiation(request, offer_id)


def negotiation(request: Request, offer_id: UUID, *, status: int = 200) -> Response:
    """Answer with an offer as the caller sees it, and its moves."""
    seen = queries.offer(offer_id, viewer=person(request).id)
    answer = wire.NegotiationOutput({"offer": seen, "moves": queries.moves_of(offer_id)})
    return Response(answer.data, status=status)

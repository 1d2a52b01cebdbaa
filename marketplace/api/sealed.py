"""Sealed bids, and payment after the hammer, over REST."""

from dataclasses import asdict
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.errors import InsufficientFunds
from ledger.rest import IDEMPOTENCY_KEY, RaoField, idempotency_key, paging
from ledger.rest.once import once
from ledger.rest.scopes import Refusals, Scopes
from ledger.rest.shapes import given
from ledger.scopes import Scope
from marketplace import errors, operations, queries
from marketplace.api.limits import BidThrottle
from marketplace.api.views import OpenView, PersonView, person


class SealedBidInput(serializers.Serializer):
    max_rao = RaoField(min_rao=1)
    cover_rao = RaoField(
        min_rao=1,
        required=False,
        allow_null=True,
        default=None,
        help_text="What to set aside until the end, at least max_rao. Left out, max_rao is rounded up to "
        "1, 2 or 5 times a power of ten of TAO, as far as the wallet goes.",
    )


class SealedPlacedOutput(serializers.Serializer):
    bid_id = serializers.UUIDField()
    sequence = serializers.IntegerField()
    alias = serializers.CharField()
    commitment = serializers.CharField()
    nonce = serializers.CharField(help_text="Yours alone until the end: with it you can check it.")
    max_rao = RaoField()
    cover_rao = RaoField(help_text="Set aside until the end, whoever leads.")
    closes_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class SealedLineOutput(serializers.Serializer):
    sequence = serializers.IntegerField()
    commitment = serializers.CharField()
    placed_at = serializers.DateTimeField()
    is_yours = serializers.BooleanField()
    alias = serializers.CharField(allow_null=True, help_text="null before the end.")
    max_rao = RaoField(allow_null=True, help_text="null before the end.")
    nonce = serializers.CharField(allow_null=True, help_text="null before the end.")


class SealedBidsOutput(paging.Page):
    results = SealedLineOutput(many=True)
    start_rao = RaoField()
    reserve_rao = RaoField(
        allow_null=True, help_text="null before the end, and where there is none."
    )
    winner_alias = serializers.CharField(allow_null=True)
    price_rao = RaoField(allow_null=True)


class PaidOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    price_rao = RaoField()


class SecondChanceOutput(serializers.Serializer):
    state = serializers.CharField()
    price_rao = RaoField()
    expires_at = serializers.DateTimeField()


class SealedBidsView(OpenView):
    scopes: Scopes = {"GET": None, "POST": Scope.BID}
    write_throttle = BidThrottle
    refusals: Refusals = {
        "GET": (errors.AuctionUnknown,),
        "POST": (
            errors.AuctionUnknown,
            errors.WrongFormat,
            errors.AuctionNotOpenYet,
            errors.AuctionClosed,
            errors.SellerCannotBid,
            errors.AccountsLinked,
            errors.AddressNotVerified,
            errors.BidTooLow,
            errors.SealedBidNotRaised,
            errors.SealedBidsFull,
            errors.CoverBelowMaximum,
            errors.SealedBidsUnreadable,
            InsufficientFunds,
        ),
    }

    @extend_schema(parameters=[paging.PageAsked], responses=SealedBidsOutput)
    def get(self, request: Request, auction_id: UUID) -> Response:
        """List an auction's sealed bids in order: commitments; after the end what each hid, and how it was decided."""
        asked = given(paging.PageAsked, request.query_params)
        decided = asdict(queries.sealed_decision(auction_id))
        window = paging.window(request, asked, by=("sequence",))
        viewer = person(request).id if request.user.is_authenticated else None
        lines = queries.sealed_lines(auction_id, viewer, window=window)
        return paging.answer(request, window, lines, SealedBidsOutput, beside=decided)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=SealedBidInput,
        responses={201: SealedPlacedOutput},
    )
    @once
    def post(self, request: Request, auction_id: UUID) -> Response:
        """State under seal the most you would pay; a later one of yours replaces it and must be higher."""
        placed = operations.place_sealed_bid(
            auction_id=auction_id,
            bidder=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
            **given(SealedBidInput, request.data),
        )
        return Response(SealedPlacedOutput(placed).data, status=201)


class PayView(PersonView):
    scopes: Scopes = {"POST": Scope.BID}
    refusals: Refusals = {
        "POST": (
            errors.AuctionUnknown,
            errors.NotAwaitingPayment,
            errors.NotYoursToPay,
            errors.PaymentOverdue,
            errors.SellerLeft,
            InsufficientFunds,
        )
    }

    @extend_schema(parameters=[IDEMPOTENCY_KEY], request=None, responses={201: PaidOutput})
    @once
    def post(self, request: Request, auction_id: UUID) -> Response:
        """Pay what an auction came to, as its winner or by a second chance; your deposit counts towards it."""
        paid = operations.pay_auction(
            auction_id=auction_id,
            buyer=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
        )
        if paid is None:
            raise errors.SellerLeft(auction_id=auction_id)
        return Response(PaidOutput(paid).data, status=201)


class DeclineView(PersonView):
    scopes: Scopes = {"POST": Scope.BID}
    refusals: Refusals = {
        "POST": (errors.AuctionUnknown, errors.NoSecondChance, errors.PaymentOverdue)
    }

    @extend_schema(request=None, responses=SecondChanceOutput)
    def post(self, request: Request, auction_id: UUID) -> Response:
        """Decline your second chance; the next bidder is asked."""
        declined = operations.decline_second_chance(
            auction_id=auction_id, bidder=person(request).id, now=timezone.now()
        )
        return Response(SecondChanceOutput(declined).data)

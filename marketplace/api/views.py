"""The marketplace over REST: parse, authorise, one operation or query, present."""

from typing import Any, cast
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.permissions import (
    SAFE_METHODS,
    AllowAny,
    IsAuthenticated,
    IsAuthenticatedOrReadOnly,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from compute.errors import PriceAboveLimit
from ledger import queries as books
from ledger.errors import InsufficientFunds
from ledger.rest import IDEMPOTENCY_KEY, etags, idempotency_key, paging
from ledger.rest.etags import TaggedView
from ledger.rest.limits import PublicThrottle
from ledger.rest.once import once, sent_under_key
from ledger.rest.scopes import Refusals, Scopes
from ledger.rest.shapes import given, told
from ledger.scopes import Scope
from marketplace import errors, figures, operations, queries
from marketplace.api import serializers as wire
from marketplace.api.limits import BidThrottle, PurchaseThrottle, ReadThrottle, Throttle
from marketplace.models import Auction, User
from marketplace.offering import Offering
from subnets.errors import (
    LockCostAboveLimit,
    NameTaken,
    NetworkNotFounded,
    NoFreeSlot,
    NotTheOwner,
    SubnetUnknown,
    TextRefused,
)

BID_EXAMPLE = OpenApiExample("At most 40 TAO", value={"max_rao": "40000000000"}, request_only=True)
AUCTION_EXAMPLE = OpenApiExample(
    "One day, from 10 TAO",
    value={"netuid": 7, "start_rao": "10000000000", "duration_s": 86_400},
    request_only=True,
)
SLOT_EXAMPLE = OpenApiExample(
    "A free slot for at most 100 TAO",
    value={
        "name": "Useful products",
        "summary": "Pays for correct matrix products.",
        "blueprint": "matmul",
        "max_cost_rao": "100000000000",
    },
    request_only=True,
)


class PublicView(APIView):
    """Anybody may read."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class PacedView(TaggedView):
    """Reads and writes are counted apart, each at a person's pace; what was read is tagged."""

    write_throttle: type[Throttle] = PurchaseThrottle

    def get_throttles(self) -> list[Any]:
        """Return the limit of this method."""
        return [ReadThrottle() if self.request.method in SAFE_METHODS else self.write_throttle()]


class PersonView(PacedView):
    """Somebody who is signed in, or a program with their key."""

    permission_classes = (IsAuthenticated,)
    scopes: Scopes = {"GET": Scope.READ}


class OpenView(PacedView):
    """Anybody may read, and only somebody who is signed in, or their key, may write."""

    permission_classes = (IsAuthenticatedOrReadOnly,)
    scopes: Scopes = {"GET": None}


class NetworkView(PublicView):
    throttle_classes = (PublicThrottle,)
    refusals: Refusals = {"GET": (NetworkNotFounded,)}

    @extend_schema(responses=wire.NetworkOutput)
    def get(self, request: Request) -> Response:
        """Return the network's clock, supply, prices and figures, and the address to sign for."""
        return Response(wire.NetworkOutput(figures.network_figures(now=timezone.now())).data)


class AuctionsView(OpenView):
    scopes: Scopes = {"GET": None, "POST": Scope.SELL}
    refusals: Refusals = {
        "POST": (
            SubnetUnknown,
            NotTheOwner,
            errors.AuctionAlreadyOpen,
            errors.AuctionTermsInvalid,
        )
    }

    @extend_schema(
        operation_id="auctions_list",
        parameters=[wire.AuctionsAsked],
        responses=wire.AuctionsOutput,
    )
    def get(self, request: Request) -> Response:
        """List auctions."""
        asked = given(wire.AuctionsAsked, request.query_params)
        window = paging.window(request, asked, by=queries.order_of(asked["sort"]))
        return paging.answer(
            request, window, queries.auctions(window=window, **asked), wire.AuctionsOutput
        )

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=wire.AuctionInput,
        responses={201: wire.AuctionOutput},
        examples=[AUCTION_EXAMPLE],
    )
    @once
    def post(self, request: Request) -> Response:
        """Put a subnet of yours up for sale, in one of four formats, now or later."""
        asked = given(wire.AuctionInput, request.data)
        opened = operations.open_auction(
            netuid=asked.pop("netuid"),
            seller=person(request).id,
            asked=Offering(**asked),
            key=idempotency_key(request),
            now=timezone.now(),
        )
        return Response(wire.AuctionOutput(queries.auction(opened.id)).data, status=201)


class AuctionView(TaggedView, PublicView):
    throttle_classes = (ReadThrottle,)
    refusals: Refusals = {"GET": (errors.AuctionUnknown,)}

    @extend_schema(responses={200: wire.AuctionOutput, 304: None})
    def get(self, request: Request, auction_id: UUID) -> Response:
        """Return one auction as anybody may see it; its tag names its version."""
        headers = {"ETag": etag} if (etag := auction_etag(auction_id)) else {}
        if etag and etags.is_known(request, etag):
            return etags.unchanged(etag)
        return Response(wire.AuctionOutput(queries.auction(auction_id)).data, headers=headers)


class SalesView(TaggedView, PublicView):
    throttle_classes = (ReadThrottle,)

    @extend_schema(parameters=[wire.SalesAsked], responses=wire.SalesOutput)
    def get(self, request: Request) -> Response:
        """List what changed hands, the newest first: slots and subnets, at what price."""
        asked = given(wire.SalesAsked, request.query_params)
        window = paging.window(request, asked, by=("-sold_at", "id"))
        return paging.answer(
            request, window, queries.sales(window=window, **asked), wire.SalesOutput
        )


class CancelView(PersonView):
    scopes: Scopes = {"POST": Scope.SELL}
    refusals: Refusals = {
        "POST": (
            errors.AuctionUnknown,
            errors.NotTheSeller,
            errors.AuctionHasBids,
            errors.AuctionClosed,
        )
    }

    @extend_schema(parameters=[etags.IF_MATCH], request=None, responses=wire.AuctionOutput)
    def post(self, request: Request, auction_id: UUID) -> Response:
        """Withdraw an auction of yours that nobody has bid in."""
        operations.cancel_auction(
            auction_id=auction_id,
            seller=person(request).id,
            versions=etags.expected_versions(request),
            now=timezone.now(),
        )
        return Response(wire.AuctionOutput(queries.auction(auction_id)).data)


class BidsView(OpenView):
    scopes: Scopes = {"GET": None, "POST": Scope.BID}
    write_throttle = BidThrottle
    refusals: Refusals = {
        "GET": (errors.AuctionUnknown,),
        "POST": (
            errors.AuctionUnknown,
            errors.WrongFormat,
            errors.AuctionTakesNoBids,
            errors.AuctionNotOpenYet,
            errors.AuctionClosed,
            errors.AuctionBusy,
            errors.SellerCannotBid,
            errors.BidderVoided,
            errors.AccountsLinked,
            errors.AddressNotVerified,
            errors.TooManyStrikes,
            errors.BidTooLow,
            errors.MaximumNotRaised,
            InsufficientFunds,
        ),
    }

    @extend_schema(parameters=[paging.PageAsked], responses={200: wire.BidsOutput, 304: None})
    def get(self, request: Request, auction_id: UUID) -> Response:
        """List an auction's bids under aliases, the newest first."""
        asked = given(paging.PageAsked, request.query_params)
        viewer = person(request).id if request.user.is_authenticated else None
        etag = etags.tag(*queries.auction_tag_parts(auction_id), viewer, request.get_full_path())
        if etags.is_known(request, etag):
            return etags.unchanged(etag)
        window = paging.window(request, asked, by=("-sequence",))
        rows = queries.bid_history(auction_id, viewer, window=window)
        return etags.tagged(paging.answer(request, window, rows, wire.BidsOutput), etag)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=wire.BidInput,
        responses={201: wire.PlacedOutput, 200: wire.PlacedOutput},
        examples=[BID_EXAMPLE],
    )
    def post(self, request: Request, auction_id: UUID) -> Response:
        """State the most you would pay. 201: you lead. 200: taken, and beaten at once by another maximum."""
        placed = operations.place_bid(
            auction_id=auction_id,
            bidder=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
            # Many wait for one auction: they are refused together as well, in the transaction that decides.
            sent=sent_under_key(request, auction_id=auction_id),
            **given(wire.BidInput, request.data),
        )
        status = 201 if placed.is_leading else 200
        return Response(told(wire.PlacedOutput, placed), status=status)


class TakeView(PersonView):
    scopes: Scopes = {"POST": Scope.BID}
    refusals: Refusals = {
        "POST": (
            errors.AuctionUnknown,
            errors.AuctionHasNoPrice,
            errors.BuyNowGone,
            errors.AuctionNotOpenYet,
            errors.AuctionClosed,
            errors.SellerCannotBid,
            errors.BidderVoided,
            errors.AccountsLinked,
            errors.AddressNotVerified,
            errors.SellerLeft,
            NotTheOwner,
            PriceAboveLimit,
            InsufficientFunds,
        )
    }

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY], request=wire.TakeInput, responses={201: wire.TakenOutput}
    )
    @once
    def post(self, request: Request, auction_id: UUID) -> Response:
        """Buy a subnet at its price of this moment: a falling or fixed price, or buy-now."""
        sale = operations.take_subnet(
            auction_id=auction_id,
            buyer=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
            **given(wire.TakeInput, request.data),
        )
        return Response(wire.TakenOutput(sale).data, status=201)


class SlotsView(PersonView):
    scopes: Scopes = {"POST": Scope.BID}
    refusals: Refusals = {
        "POST": (LockCostAboveLimit, NoFreeSlot, NameTaken, TextRefused, InsufficientFunds)
    }

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=wire.SlotInput,
        responses={201: wire.BoughtOutput},
        examples=[SLOT_EXAMPLE],
    )
    @once
    def post(self, request: Request) -> Response:
        """Buy the lowest free slot at the lock cost of this moment."""
        sale = operations.buy_slot(
            buyer=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
            **given(wire.SlotInput, request.data),
        )
        return Response(wire.BoughtOutput(sale).data, status=201)


class WalletView(PersonView):
    @extend_schema(responses=wire.WalletOutput)
    def get(self, request: Request) -> Response:
        """Return what you have, what is set aside for bids and jobs, what you can spend, and what of it can leave."""
        purse = queries.purse(person(request).id, timezone.now())
        return Response(wire.WalletOutput(purse).data)


class StatementView(PersonView):
    @extend_schema(parameters=[paging.PageAsked], responses=wire.StatementOutput)
    def get(self, request: Request) -> Response:
        """List the changes of your wallet, the newest first."""
        asked = given(paging.PageAsked, request.query_params)
        window = paging.window(request, asked, by=("-id",))
        before_id = cast(int, window.after[0]) if window.after else None
        lines = books.statement(person(request).id, limit=window.limit + 1, before_id=before_id)
        return paging.answer(request, window, lines, wire.StatementOutput)


class DepositsView(PersonView):
    scopes: Scopes = {"POST": Scope.MONEY}
    refusals: Refusals = {
        "POST": (
            errors.DepositOutOfBounds,
            errors.DepositLimitReached,
            errors.CardsPaused,
            errors.CardsSwitchedOff,
            errors.CardsUnavailable,
            errors.CardsRefused,
        )
    }

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=wire.DepositInput,
        responses={201: wire.DepositOutput},
    )
    @once
    def post(self, request: Request) -> Response:
        """Quote TAO for US cents and open the card page at `checkout_url`."""
        who = person(request)
        deposit = operations.start_deposit(
            owner=who.id,
            email=who.email,
            key=idempotency_key(request),
            now=timezone.now(),
            **given(wire.DepositInput, request.data),
        )
        return Response(wire.DepositOutput(deposit).data, status=201)


class DepositView(PersonView):
    refusals: Refusals = {"GET": (errors.DepositUnknown,)}

    @extend_schema(responses=wire.DepositOutput)
    def get(self, request: Request, deposit_id: UUID) -> Response:
        """Return a deposit of yours: the way to learn that it was credited."""
        deposit = queries.deposit(deposit_id, owner=person(request).id)
        return Response(wire.DepositOutput(deposit).data)


def auction_etag(auction_id: UUID) -> str | None:
    """Return the tag of an auction as it is shown; None where the price falls with the clock.

    Raises: AuctionUnknown.
    """
    version, form, subnet_name = queries.auction_tag_parts(auction_id)
    return None if form == Auction.Format.DUTCH else etags.version_tag(version, subnet_name)


def person(request: Request) -> User:
    """Return who is signed in."""
    return cast(User, request.user)

"""Auctions as anybody may see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from ledger.keyset import Window
from marketplace import dutch
from marketplace.errors import AuctionUnknown
from marketplace.models import Auction
from marketplace.offering import Format
from marketplace.queries.playing import (
    buy_now_stands,
    falling,
    min_next_rao,
    price_shown,
    reserve_is_met,
)
from subnets.models import Subnet

# A page of a list; the API takes no more at once either.
ROWS_MAX = 100

# What lists are sorted by; an auction without a price, or without an end yet, has the least there is.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
SORTED_BY = {
    "last_rao": Coalesce("price_rao", 0),
    "asked_rao": Coalesce("price_rao", "start_rao"),
    "over_at": Coalesce("ended_at", LONG_AGO),
}
SORTS = {
    "closing": "closes_at",
    "newest": "-opens_at",
    "ended": "-over_at",
    "highest": "-last_rao",
    "lowest": "asked_rao",
    "busiest": "-bid_count",
}


@dataclass(frozen=True, slots=True)
class AuctionView:
    """What anybody may see of an auction. server_now is the database's clock when the row was read.

    price_rao: what the leader, or the first to take it, would pay now; None before the first bid.
    min_next_rao: None where no bids are taken.  buy_now_rao: None once it is off the table.
    called_off_reason: what an operator said who ended it; empty otherwise.
    """

    id: UUID
    netuid: int
    subnet_name: str
    seller: UUID
    state: str
    format: str
    price_rao: int | None
    start_rao: int
    min_next_rao: int | None
    buy_now_rao: int | None
    floor_rao: int | None
    half_life_s: int | None
    backing: str
    deposit_bps: int | None
    pay_within_s: int | None
    due_at: datetime | None
    has_reserve: bool
    reserve_met: bool
    reserve_policy: str
    leader_alias: str | None
    bid_count: int
    opens_at: datetime
    closes_at: datetime
    ended_at: datetime | None
    version: int
    server_now: datetime
    fee_bps: int
    royalty_bps: int
    called_off_reason: str

    @property
    def takes_bids(self) -> bool:
        """Tell whether people state maxima here."""
        return Format(self.format).takes_bids

    @property
    def format_label(self) -> str:
        """Name the format for people."""
        return str(Auction.Format(self.format).label)

    @property
    def is_open_yet(self) -> bool:
        """Tell whether the opening has come."""
        return self.opens_at <= self.server_now

    @property
    def take_rao(self) -> int | None:
        """Return what the subnet costs whoever takes it now; None where it can only be bid for, or is gone."""
        if self.state != Auction.State.OPEN:
            return None
        return self.buy_now_rao if self.takes_bids else self.price_rao

    @property
    def fall(self) -> dutch.Tag | None:
        """Return the price that falls, for whoever draws it; None in the other formats."""
        if self.floor_rao is None or self.half_life_s is None:
            return None
        return falling(
            self.start_rao, self.floor_rao, self.half_life_s, self.opens_at, self.closes_at
        )

    @property
    def kept_rao(self) -> int | None:
        """Return the price that is kept of bids or of a sale; a price that falls with the clock is kept nowhere."""
        is_kept = self.takes_bids or self.state == Auction.State.SETTLED
        return self.price_rao if is_kept else None

    @property
    def last_rao(self) -> int:
        """Return what "highest" sorts by."""
        return self.kept_rao or 0

    @property
    def asked_rao(self) -> int:
        """Return what "lowest" sorts by."""
        return self.start_rao if self.kept_rao is None else self.kept_rao

    @property
    def over_at(self) -> datetime:
        """Return what "ended" sorts by."""
        return self.ended_at or LONG_AGO


def auction(auction_id: UUID) -> AuctionView:
    """Return one auction as anybody may see it, in one statement. Raises: AuctionUnknown."""
    found = _views(Auction.objects.filter(pk=auction_id))
    if not found:
        raise AuctionUnknown(auction_id=auction_id)
    return found[0]


def auctions(
    *,
    state: str | None = None,
    sort: str = "closing",
    netuid: int | None = None,
    limit: int = ROWS_MAX,
    window: Window | None = None,
) -> list[AuctionView]:
    """List auctions in one statement whatever their number.

    sort: one of SORTS; anything else is "closing".  limit: at most ROWS_MAX.  window: in place of both.
    """
    rows = Auction.objects.alias(**SORTED_BY)
    if state is not None:
        rows = rows.filter(state=state)
    if netuid is not None:
        rows = rows.filter(netuid=netuid)
    if window is not None:
        return _views(window.cut(rows))
    return _views(rows.order_by(*order_of(sort))[: min(limit, ROWS_MAX)])


def order_of(sort: str) -> tuple[str, ...]:
    """Return what a sort of SORTS orders by; anything else is "closing"."""
    return (SORTS.get(sort, SORTS["closing"]), "id")


def auction_tag_parts(auction_id: UUID) -> tuple[int, str, str]:
    """Return version, format and the subnet's name, on which all that is shown of an auction depends.

    One narrow statement, for those who ask whether anything changed.  Raises: AuctionUnknown.
    """
    name = Subnet.objects.filter(netuid=OuterRef("netuid")).order_by().values("name")
    found = (
        Auction.objects.filter(pk=auction_id)
        .annotate(subnet_name=Subquery(name))
        .values_list("version", "format", "subnet_name")
        .first()
    )
    if found is None:
        raise AuctionUnknown(auction_id=auction_id)
    version, form, subnet_name = found
    return version, form, subnet_name or ""


def auctions_among(auction_ids: Sequence[UUID]) -> list[AuctionView]:
    """Return the auctions with these ids; unknown ids are left out."""
    return _views(Auction.objects.filter(pk__in=auction_ids))


def auctions_of_seller(owner: UUID) -> list[AuctionView]:
    """List what an owner has put up, the newest first."""
    return _views(Auction.objects.filter(seller=owner).order_by("-opens_at", "id")[:ROWS_MAX])


BUYER_ALIAS = "the buyer"


def alias(place: int) -> str:
    """Name the bidder who was the place-th to appear in an auction."""
    return f"bidder {place}"


def leader_alias(row: Auction) -> str | None:
    """Name the leader by their place among the bidders; who bought at a price may never have bid."""
    if row.leader is None:
        return None
    return BUYER_ALIAS if row.leader_place is None else alias(row.leader_place)


def _views(rows: QuerySet[Auction]) -> list[AuctionView]:
    """Read rows with the subnet's name and the clock."""
    seen = rows.annotate(
        subnet_name=Subquery(
            Subnet.objects.filter(netuid=OuterRef("netuid")).order_by().values("name")
        ),
        server_now=Now(),
    )
    return [_view(row) for row in seen]


def _view(row: Any) -> AuctionView:  # noqa: ANN401  an auction with what _views annotated
    """Return a row as anybody may see it."""
    takes_bids = Format(row.format).takes_bids
    return AuctionView(
        id=row.id,
        netuid=row.netuid,
        subnet_name=row.subnet_name or f"subnet {row.netuid}",
        seller=row.seller,
        state=row.state,
        format=row.format,
        price_rao=price_shown(row, now=row.server_now),
        start_rao=row.start_rao,
        min_next_rao=min_next_rao(row, price_rao=row.price_rao) if takes_bids else None,
        buy_now_rao=row.buy_now_rao if buy_now_stands(row) else None,
        floor_rao=row.floor_rao,
        half_life_s=row.half_life_s,
        backing=row.backing,
        deposit_bps=row.deposit_bps,
        pay_within_s=row.pay_within_s,
        due_at=row.due_at,
        has_reserve=row.reserve_rao is not None,
        reserve_met=reserve_is_met(row),
        reserve_policy=row.reserve_policy,
        leader_alias=leader_alias(row),
        bid_count=row.bid_count,
        opens_at=row.opens_at,
        closes_at=row.closes_at,
        ended_at=row.ended_at,
        version=row.version,
        server_now=row.server_now,
        fee_bps=row.fee_bps,
        royalty_bps=row.royalty_bps,
        called_off_reason=row.called_off_reason,
    )

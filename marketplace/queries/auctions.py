"""Auctions: as anybody may see them, and as `bidding` decides about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from ledger import prepared
from ledger.keyset import Window
from marketplace import bidding, dutch
from marketplace.errors import AuctionUnknown
from marketplace.models import Auction, Bid
from marketplace.offering import Format
from marketplace.queries.trust import Dealing, dealing_of
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
        return _falling(
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


def open_auction_of(netuid: int) -> AuctionView | None:
    """Return the auction a subnet stands in now, if any."""
    found = _views(Auction.objects.filter(netuid=netuid, state=Auction.State.OPEN))
    return found[0] if found else None


def auction_by_key(key: str) -> Auction | None:
    """Find an auction by the key it was opened under."""
    return Auction.objects.filter(key=key).first()


def lock_auction(auction_id: UUID) -> Auction:
    """Lock one auction's row. Raises: AuctionUnknown."""
    row = Auction.objects.select_for_update(of=("self",)).filter(pk=auction_id).first()
    if row is None:
        raise AuctionUnknown(auction_id=auction_id)
    return row


def lock_auction_for_bid(auction_id: UUID, *, bidder: UUID) -> tuple[Auction, Dealing]:
    """Lock an auction's row and look at bidder and seller, in one planned statement. Raises: AuctionUnknown.

    What stands on the row is as it was committed last, however long its lock was waited for; what stands in other
    tables is as it was when the statement began.
    """
    found = prepared.rows(_lock_for_bid(), {"auction": auction_id, "bidder": bidder})
    if not found:
        raise AuctionUnknown(auction_id=auction_id)
    *values, bidder_email, seller_email, is_verified, is_linked = found[0]
    row = Auction.from_db(DEFAULT_DB_ALIAS, _columns(), values)
    return row, dealing_of(
        bidder_email,
        seller_email,
        is_verified=is_verified,
        is_linked=is_linked or row.seller == bidder,
    )


def due_auctions(*, now: datetime, limit: int) -> list[UUID]:
    """Name open auctions whose end has come, the longest overdue first."""
    due = Auction.objects.filter(state=Auction.State.OPEN, closes_at__lte=now)
    return list(due.order_by("closes_at").values_list("pk", flat=True)[:limit])


def terms_of(row: Auction) -> bidding.Terms:
    """Read what the seller fixed, in the words of `bidding`."""
    return bidding.Terms(
        start_rao=row.start_rao,
        reserve_rao=row.reserve_rao,
        increments=increments_of(row),
        opens_at=row.opens_at,
        closes_at=row.scheduled_close_at,
        soft_close=bidding.SoftClose(
            mode=bidding.SoftCloseMode.RESET_TO,
            window_s=row.soft_close_s,
            extend_s=row.soft_close_s,
            cap_s=row.soft_close_cap_s,
        ),
        buy_now_rao=row.buy_now_rao,
        reserve_unmet_policy=bidding.ReserveUnmetPolicy(row.reserve_policy),
    )


def play_of(row: Auction) -> bidding.Play:
    """Read an auction with the newest maximum of everybody who was not taken out; the caller holds its lock."""
    standing = row.bids.exclude(bidder__in=row.voided_bidders)
    newest = standing.order_by("bidder", "-sequence").distinct("bidder")
    return bidding.Play(
        terms=terms_of(row),
        maxima=tuple(
            bidding.Maximum(bidder=bidder, max_rao=max_rao, sequence=sequence)
            for bidder, max_rao, sequence in newest.values_list("bidder", "max_rao", "sequence")
        ),
        closes_at=row.closes_at,
        price_rao=row.price_rao,
    )


def tag_of(row: Auction) -> dutch.Tag:
    """Read the price of an auction that takes no bids."""
    match Format(row.format):
        case Format.DUTCH:
            assert row.floor_rao is not None
            assert row.half_life_s is not None
            return _falling(
                row.start_rao, row.floor_rao, row.half_life_s, row.opens_at, row.closes_at
            )
        case Format.FIXED:
            level = dutch.Level(row.start_rao)
            return dutch.Tag(curve=level, opens_at=row.opens_at, closes_at=row.closes_at)
        case Format.ENGLISH | Format.SEALED:
            raise AssertionError("an auction with bids has no price of its own")


def _falling(
    start_rao: int, floor_rao: int, half_life_s: int, opens_at: datetime, closes_at: datetime
) -> dutch.Tag:
    lasts_s = dutch.seconds(closes_at - opens_at)
    curve = dutch.Exponential(start_rao, floor_rao, half_life_s, lasts_s)
    return dutch.Tag(curve=curve, opens_at=opens_at, closes_at=closes_at)


def foremost_of(row: Auction) -> bidding.Play:
    """Read an auction with the two maxima that decide; they stand on its row, which the caller has locked."""
    two = (
        (row.leader, row.lead_rao, row.lead_sequence),
        (row.second, row.second_rao, row.second_sequence),
    )
    return bidding.Play(
        terms=terms_of(row),
        maxima=tuple(
            bidding.Maximum(bidder=bidder, max_rao=max_rao, sequence=sequence)
            for bidder, max_rao, sequence in two
            if bidder is not None and max_rao is not None and sequence is not None
        ),
        closes_at=row.closes_at,
        price_rao=row.price_rao,
    )


def increments_of(row: Auction) -> bidding.Increments:
    """Return the steps the auction opened with."""
    return bidding.INCREMENTS_BY_VERSION[row.increments_version]


def min_next_rao(row: Auction, *, price_rao: int | None) -> int:
    """Return the lowest maximum that anybody but the leader may state at a price of this auction."""
    if price_rao is None:
        return row.start_rao
    return price_rao + bidding.increment(price_rao, increments_of(row))


def reserve_is_met(row: Auction) -> bool:
    """Say whether the price has reached the reserve, or there is none."""
    return row.reserve_rao is None or (row.price_rao or 0) >= row.reserve_rao


def leading_bid(row: Auction) -> Bid | None:
    """Return the bid whose maximum leads, and is therefore held."""
    if row.leader is None:
        return None
    return row.bids.filter(bidder=row.leader).order_by("-sequence").first()


def place_of(row: Auction, who: UUID) -> int | None:
    """Return the number somebody appears under in an auction; None for who never bid in it."""
    bids = row.sealed_bids if row.format == Format.SEALED else row.bids
    return bids.filter(bidder=who).values_list("place", flat=True).first()


BUYER_ALIAS = "the buyer"


def alias(place: int) -> str:
    """Name the bidder who was the place-th to appear in an auction."""
    return f"bidder {place}"


@cache
def _columns() -> list[str]:
    return [field.attname for field in Auction._meta.concrete_fields]  # noqa: SLF001  Django's public name


@cache
def _lock_for_bid() -> str:
    """Return the statement; an auction's columns are named, since `*` would outlive a migration in its plan."""
    columns = ", ".join(f"auction.{name}" for name in _columns())
    return f"""
SELECT {columns},
    (SELECT email FROM marketplace_user WHERE id = %(bidder)s::uuid),
    (SELECT email FROM marketplace_user WHERE id = auction.seller),
    EXISTS (SELECT FROM account_emailaddress WHERE user_id = %(bidder)s::uuid AND verified),
    EXISTS (
        SELECT FROM marketplace_accountlink
        WHERE first = least(%(bidder)s::uuid, auction.seller) AND second = greatest(%(bidder)s::uuid, auction.seller)
    )
FROM marketplace_auction AS auction
WHERE auction.id = %(auction)s::uuid
FOR NO KEY UPDATE OF auction
"""  # noqa: S608  names of columns, out of the model


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
        buy_now_rao=row.buy_now_rao if _buy_now_stands(row) else None,
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


def price_shown(row: Auction, *, now: datetime) -> int | None:
    """Return the price that bids made, or the one a subnet can be taken at; a sale's price after it."""
    if row.price_rao is not None or Format(row.format).takes_bids:
        return row.price_rao
    return tag_of(row).price_rao(now=now)


def _buy_now_stands(row: Auction) -> bool:
    """Say what `bidding.buy_now_is_offered` says, from the row alone (R9)."""
    if row.buy_now_rao is None or row.state != Auction.State.OPEN:
        return False
    return row.leader is None or not reserve_is_met(row)

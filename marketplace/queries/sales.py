"""Sales: what changed hands, at what price, and the figures of the marketplace as a whole."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum

from ledger.keyset import Window
from marketplace.models import Auction, Sale
from marketplace.queries.auctions import ROWS_MAX
from subnets.models import Subnet

# A chart of sales needs no more points than a screen has room for.
PRICE_HISTORY_MAX = 500


@dataclass(frozen=True, slots=True)
class SaleLine:
    """A slot or a subnet that changed hands. seller is None for a slot, which the network sold."""

    id: UUID
    kind: str
    netuid: int
    subnet_name: str
    auction_id: UUID | None
    seller: UUID | None
    buyer: UUID
    price_rao: int
    fee_rao: int
    royalty_rao: int
    sold_at: datetime


@dataclass(frozen=True, slots=True)
class MarketplaceFigures:
    """Counts of the marketplace as a whole."""

    auctions_open_count: int
    auctions_settled_count: int
    bids_count: int
    slots_sold_count: int
    sales_volume_rao: int


def sales_of(netuid: int) -> list[SaleLine]:
    """List the sales of a subnet, the newest first."""
    return sale_lines(Sale.objects.filter(netuid=netuid))


def recent_sales(limit: int = ROWS_MAX) -> list[SaleLine]:
    """List the newest sales of all subnets."""
    return sale_lines(Sale.objects.all(), limit=min(limit, ROWS_MAX))


def sales(*, window: Window, netuid: int | None = None) -> list[SaleLine]:
    """List a page of sales, of all subnets or of one."""
    rows = Sale.objects.all() if netuid is None else Sale.objects.filter(netuid=netuid)
    return sale_lines(rows, window=window)


def price_history(netuid: int) -> list[tuple[datetime, int]]:
    """Return when a subnet was sold and for how many rao, in order of time."""
    newest = Sale.objects.filter(netuid=netuid).order_by("-sold_at")
    return list(reversed(newest.values_list("sold_at", "price_rao")[:PRICE_HISTORY_MAX]))


def sale_by_key(key: str) -> Sale | None:
    """Find a sale by the key it was made under."""
    return Sale.objects.filter(key=key).first()


def sale_of_auction(auction_id: UUID) -> Sale | None:
    """Find the sale an auction ended in."""
    return Sale.objects.filter(auction=auction_id).first()


def marketplace_figures() -> MarketplaceFigures:
    """Count the marketplace in two statements."""
    counts = Auction.objects.aggregate(
        open=Count("pk", filter=Q(state=Auction.State.OPEN)),
        settled=Count("pk", filter=Q(state=Auction.State.SETTLED)),
        bids=Sum("bid_count"),
    )
    sold = Sale.objects.aggregate(
        slots=Count("pk", filter=Q(kind=Sale.Kind.SLOT)), volume=Sum("price_rao")
    )
    return MarketplaceFigures(
        auctions_open_count=counts["open"],
        auctions_settled_count=counts["settled"],
        bids_count=counts["bids"] or 0,
        slots_sold_count=sold["slots"],
        sales_volume_rao=int(sold["volume"] or 0),
    )


def sale_lines(
    rows: QuerySet[Sale], *, limit: int = ROWS_MAX, window: Window | None = None
) -> list[SaleLine]:
    """Read sales with their subnets' names, the newest first or as a window has them, in one statement."""
    named = rows.annotate(
        subnet_name=Subquery(
            Subnet.objects.filter(netuid=OuterRef("netuid")).order_by().values("name")
        )
    )
    shown = window.cut(named) if window else named.order_by("-sold_at", "id")[:limit]
    return [
        SaleLine(
            id=row.id,
            kind=row.kind,
            netuid=row.netuid,
            subnet_name=row.subnet_name or f"subnet {row.netuid}",
            auction_id=row.auction_id,
            seller=row.seller,
            buyer=row.buyer,
            price_rao=row.price_rao,
            fee_rao=row.fee_rao,
            royalty_rao=row.royalty_rao,
            sold_at=row.sold_at,
        )
        for row in shown
    ]

"""The seller's desk: what somebody owns, and how its sale stands."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Q

from marketplace.models import Auction, Sale, Watch
from marketplace.queries.auctions import ROWS_MAX, AuctionView, auctions_among
from marketplace.queries.documents import shown_count
from marketplace.queries.sales import SaleLine, sale_lines
from marketplace.queries.trust import Reputation, reputation
from subnets.models import Subnet


@dataclass(frozen=True, slots=True)
class DeskLine:
    """A subnet of somebody's, the auction it stands in, if any, and how many people watch it."""

    subnet: Subnet
    auction: AuctionView | None
    watcher_count: int


@dataclass(frozen=True, slots=True)
class SellerSays:
    """What an owner says of a subnet, which nobody has checked, and what the house knows of the owner.

    statement: of the live auction, empty without one.  description: on the subnet itself.
    """

    statement: str
    description: str
    document_count: int
    reputation: Reputation


def seller_says(subnet: Subnet) -> SellerSays:
    """Return what a subnet's owner says and shows of it, in five statements."""
    live = Auction.objects.filter(
        netuid=subnet.netuid, state__in=[Auction.State.OPEN, Auction.State.AWAITING]
    )
    return SellerSays(
        statement=live.values_list("statement", flat=True).first() or "",
        description=subnet.description,
        document_count=shown_count(subnet.netuid, owner=subnet.owner),
        reputation=reputation(subnet.owner),
    )


def desk_lines(owner: UUID) -> list[DeskLine]:
    """List an owner's subnets with their live auctions, in four statements."""
    owned = list(Subnet.objects.filter(owner=owner).order_by("netuid"))
    live_ids = Auction.objects.filter(
        netuid__in=[row.netuid for row in owned],
        state__in=[Auction.State.OPEN, Auction.State.AWAITING],
    ).values_list("pk", flat=True)
    live = {view.netuid: view for view in auctions_among(list(live_ids))}
    watching = Watch.objects.filter(netuid__in=[row.netuid for row in owned]).values("netuid")
    watchers = dict(watching.annotate(count=Count("pk")).values_list("netuid", "count"))
    return [
        DeskLine(
            subnet=row, auction=live.get(row.netuid), watcher_count=watchers.get(row.netuid, 0)
        )
        for row in owned
    ]


def sales_of_person(owner: UUID, *, limit: int = ROWS_MAX) -> list[SaleLine]:
    """List what somebody sold and bought, the newest first."""
    return sale_lines(Sale.objects.filter(Q(seller=owner) | Q(buyer=owner)), limit=limit)

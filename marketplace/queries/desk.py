"""The seller's desk: what somebody owns, and how its sale stands."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from marketplace.models import Auction, Sale
from marketplace.queries.auctions import ROWS_MAX, AuctionView, auctions_among
from marketplace.queries.sales import SaleLine, sale_lines
from subnets.models import Subnet


@dataclass(frozen=True, slots=True)
class DeskLine:
    """A subnet of somebody's and the auction it stands in, if any."""

    subnet: Subnet
    auction: AuctionView | None


def desk_lines(owner: UUID) -> list[DeskLine]:
    """List an owner's subnets with their live auctions, in three statements."""
    owned = list(Subnet.objects.filter(owner=owner).order_by("netuid"))
    live_ids = Auction.objects.filter(
        netuid__in=[row.netuid for row in owned],
        state__in=[Auction.State.OPEN, Auction.State.AWAITING],
    ).values_list("pk", flat=True)
    live = {view.netuid: view for view in auctions_among(list(live_ids))}
    return [DeskLine(subnet=row, auction=live.get(row.netuid)) for row in owned]


def sales_of_person(owner: UUID, *, limit: int = ROWS_MAX) -> list[SaleLine]:
    """List what somebody sold and bought, the newest first."""
    return sale_lines(Sale.objects.filter(Q(seller=owner) | Q(buyer=owner)), limit=limit)

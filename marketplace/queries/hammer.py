"""What follows the hammer: who has to pay until when, second chances, strikes."""

from datetime import datetime
from uuid import UUID

from marketplace import hammer
from marketplace.models import Auction, SecondChance, Strike


def overdue_auctions(*, now: datetime, limit: int) -> list[UUID]:
    """Name auctions whose winner's or second bidder's time has passed, the longest overdue first."""
    due = Auction.objects.filter(state=Auction.State.AWAITING, due_at__lte=now)
    return list(due.order_by("due_at").values_list("pk", flat=True)[:limit])


def open_second_chance(auction_id: UUID) -> SecondChance | None:
    """Return the second chance that an auction waits for, if any."""
    offered = SecondChance.State.OFFERED
    return SecondChance.objects.filter(auction=auction_id, state=offered).first()


def second_chance_of(auction_id: UUID, bidder: UUID) -> SecondChance | None:
    """Return the second chance somebody has or had in an auction."""
    return SecondChance.objects.filter(auction=auction_id, bidder=bidder).first()


def strike_of(auction_id: UUID) -> Strike | None:
    """Return the strike of an auction whose winner did not pay."""
    return Strike.objects.filter(auction=auction_id).first()


def passed_over(auction_id: UUID) -> list[UUID]:
    """Name the bidders an auction goes on without: who did not pay, and who had a second chance."""
    chances = SecondChance.objects.filter(auction=auction_id)
    strikes = Strike.objects.filter(auction=auction_id)
    return [
        *strikes.values_list("owner", flat=True),
        *chances.exclude(state=SecondChance.State.OFFERED).values_list("bidder", flat=True),
    ]


def strikes_lately(owner: UUID, *, now: datetime) -> int:
    """Count the strikes against somebody that still count."""
    since = now - hammer.STRIKES_COUNT_FOR
    return Strike.objects.filter(owner=owner, struck_at__gt=since).count()

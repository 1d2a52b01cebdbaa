"""An auction as `bidding` and `dutch` decide about it: its row locked, its terms and maxima read."""

from datetime import datetime
from uuid import UUID

from marketplace import bidding, dutch
from marketplace.errors import AuctionUnknown
from marketplace.models import Auction, Bid
from marketplace.offering import Format


def auction_by_key(key: str) -> Auction | None:
    """Find an auction by the key it was opened under."""
    return Auction.objects.filter(key=key).first()


def lock_auction(auction_id: UUID) -> Auction:
    """Lock one auction's row. Raises: AuctionUnknown."""
    row = Auction.objects.select_for_update(of=("self",)).filter(pk=auction_id).first()
    if row is None:
        raise AuctionUnknown(auction_id=auction_id)
    return row


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
            return falling(
                row.start_rao, row.floor_rao, row.half_life_s, row.opens_at, row.closes_at
            )
        case Format.FIXED:
            level = dutch.Level(row.start_rao)
            return dutch.Tag(curve=level, opens_at=row.opens_at, closes_at=row.closes_at)
        case Format.ENGLISH | Format.SEALED:
            raise AssertionError("an auction with bids has no price of its own")


def falling(
    start_rao: int, floor_rao: int, half_life_s: int, opens_at: datetime, closes_at: datetime
) -> dutch.Tag:
    """Return the falling price of these terms."""
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


def price_shown(row: Auction, *, now: datetime) -> int | None:
    """Return the price that bids made, or the one a subnet can be taken at; a sale's price after it."""
    if row.price_rao is not None or Format(row.format).takes_bids:
        return row.price_rao
    return tag_of(row).price_rao(now=now)


def buy_now_stands(row: Auction) -> bool:
    """Say what `bidding.buy_now_is_offered` says, from the row alone (R9)."""
    if row.buy_now_rao is None or row.state != Auction.State.OPEN:
        return False
    return row.leader is None or not reserve_is_met(row)

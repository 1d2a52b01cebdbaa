"""What bids leave in the rows: on their auction, and of each its own, in one statement for as many as were decided together."""

from collections.abc import Sequence

from ledger import prepared
from marketplace import bidding
from marketplace.bidding import Accepted
from marketplace.models import Auction, Bid

# All bids, and on the auction what follows from the last of them.
RECORD = """
WITH fresh AS (
    INSERT INTO marketplace_bid
        (id, auction_id, bidder, key, sequence, place, max_rao, price_rao, leader, closes_at, placed_at)
    SELECT id, %(auction)s::uuid, bidder, key, sequence, place, max_rao, price_rao, leader, closes_at, placed_at
    FROM unnest(%(ids)s::uuid[], %(bidders)s::uuid[], %(keys)s::text[], %(sequences)s::int[], %(places)s::int[],
                %(maxima)s::bigint[], %(prices)s::bigint[], %(leaders)s::uuid[], %(ends)s::timestamptz[],
                %(instants)s::timestamptz[])
        AS bid (id, bidder, key, sequence, place, max_rao, price_rao, leader, closes_at, placed_at)
)
UPDATE marketplace_auction
SET leader = %(leader)s::uuid, price_rao = %(price_rao)s::bigint, closes_at = %(closes_at)s::timestamptz,
    bid_count = %(bid_count)s::int, version = %(version)s::int, bidder_count = %(bidder_count)s::int,
    leader_place = %(leader_place)s::int, lead_bid = %(lead_bid)s::uuid,
    lead_rao = %(lead_rao)s::bigint, lead_sequence = %(lead_sequence)s::int,
    second = %(second)s::uuid, second_rao = %(second_rao)s::bigint, second_sequence = %(second_sequence)s::int
WHERE id = %(auction)s::uuid
"""


def show(auction: Auction, bid: Bid, accepted: Accepted) -> None:
    """Put on the auction's object what follows from its newest bid."""
    assert bid.sequence == auction.version + 1, "bids and voids are counted without a gap"
    auction.version, auction.bid_count = bid.sequence, auction.bid_count + 1
    auction.leader, auction.price_rao, auction.closes_at = bid.leader, bid.price_rao, bid.closes_at
    auction.bidder_count = max(auction.bidder_count, bid.place)
    if accepted.leads:
        auction.lead_bid, auction.leader_place = bid.id, bid.place
    first, *others = bidding.foremost(accepted.play).maxima
    second = others[0] if others else None
    auction.lead_rao, auction.lead_sequence = first.max_rao, first.sequence
    auction.second = second.bidder if second else None
    auction.second_rao = second.max_rao if second else None
    auction.second_sequence = second.sequence if second else None


def record(auction: Auction, bids: Sequence[Bid]) -> None:
    """Write bids and what follows from them; nothing waits for it."""
    shown = (
        "leader", "price_rao", "closes_at", "bid_count", "version", "bidder_count", "leader_place",
        "lead_bid", "lead_rao", "lead_sequence", "second", "second_rao", "second_sequence",
    )  # fmt: skip
    prepared.send(
        RECORD,
        {
            "auction": auction.id,
            **{name: getattr(auction, name) for name in shown},
            "ids": prepared.texts(bid.id for bid in bids),
            "bidders": prepared.texts(bid.bidder for bid in bids),
            "keys": prepared.texts(bid.key for bid in bids),
            "sequences": prepared.numbers(bid.sequence for bid in bids),
            "places": prepared.numbers(bid.place for bid in bids),
            "maxima": prepared.numbers(bid.max_rao for bid in bids),
            "prices": prepared.numbers(bid.price_rao for bid in bids),
            "leaders": prepared.texts(bid.leader for bid in bids),
            "ends": prepared.texts(bid.closes_at for bid in bids),
            "instants": prepared.texts(bid.placed_at for bid in bids),
        },
    )

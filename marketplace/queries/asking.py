"""What a bid is decided by: the auction's row, locked where that is worth waiting for, and what is known of who bids."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from ledger import chart, prepared
from ledger import queries as books
from ledger.rows import columns_of, named, row_of
from marketplace.errors import AuctionUnknown
from marketplace.models import Auction, Bid
from marketplace.queries.trust import Dealing, dealing_of


@dataclass(frozen=True, slots=True)
class Bidder:
    """What is known of somebody who asks to bid.

    dealing: how they and the seller stand to each other.  place: the number they appear under, None before their first
    bid.  available_rao: what they can set aside, beside what they have set aside.  earlier: the bid that was placed
    under the key they name now.
    """

    dealing: Dealing
    place: int | None
    available_rao: int
    earlier: Bid | None


@dataclass(frozen=True, slots=True)
class Sought:
    """What somebody asks for, as far as rows are found by it. key: as they are kept."""

    bidder: UUID
    max_rao: int
    key: str


def look_for_bids(
    auction_id: UUID, sought: Sequence[Sought], *, is_patient: bool
) -> tuple[Auction, list[Bidder], bool]:
    """Lock an auction's row and look at it and at everybody who bids, in three planned statements that travel together.

    The lock is given, which the last of the answer says, unless the row refuses every maximum already: then nothing is
    waited for, and it is given up if the row moved on meanwhile. Whoever is patient waits for it whatever the row says.
    All that is read is of one instant, after the lock where there is one: its statement begins when it is held.
    Raises: AuctionUnknown.
    """
    lock = prepared.send(
        LOCK,
        {
            "auction": auction_id,
            "bidders": prepared.texts(one.bidder for one in sought),
            "maxima": prepared.numbers(one.max_rao for one in sought),
            "is_patient": is_patient,
        },
    )
    look = prepared.send(
        _look(),
        {
            "auction": auction_id,
            "bidders": prepared.texts(one.bidder for one in sought),
            "keys": prepared.texts(one.key for one in sought),
        },
    )
    wallets = [chart.wallet(one.bidder) for one in sought]
    asked = books.asked_balances(wallets)
    is_locked, found = bool(lock.rows()), look.rows()
    if not found:
        raise AuctionUnknown(auction_id=auction_id)
    auction = row_of(Auction, found[0][: len(columns_of(Auction))])
    balances = asked()
    seen = [
        _bidder(
            values[len(columns_of(Auction)) :],
            is_seller=one.bidder == auction.seller,
            available_rao=balances[wallet].available_rao,
        )
        for one, wallet, values in zip(sought, wallets, found, strict=True)
    ]
    return auction, seen, is_locked


def _bidder(values: tuple[Any, ...], *, is_seller: bool, available_rao: int) -> Bidder:
    place, bidder_email, seller_email, is_verified, is_linked, *earlier = values
    dealing = dealing_of(
        bidder_email, seller_email, is_verified=is_verified, is_linked=is_linked or is_seller
    )
    return Bidder(
        dealing, place, available_rao, None if earlier[0] is None else row_of(Bid, earlier)
    )


# PostgreSQL asks the conditions before it waits for the lock, and of the newest row after it. They are enough to refuse
# and not all that refuses: an auction never opens again, and a maximum that is no more than the price, or than the
# leader's own, is too little under every table of steps. `bidding` has the last word.
LOCK = """
SELECT auction.version
FROM marketplace_auction AS auction
WHERE auction.id = %(auction)s::uuid
AND (
    %(is_patient)s::bool
    OR auction.state = 'open' AND EXISTS (
        SELECT FROM unnest(%(bidders)s::uuid[], %(maxima)s::bigint[]) AS asked (bidder, max_rao)
        WHERE (
            asked.max_rao <= CASE auction.leader WHEN asked.bidder THEN auction.lead_rao ELSE auction.price_rao END
        ) IS NOT TRUE
    )
)
FOR NO KEY UPDATE OF auction
"""


@cache
def _look() -> str:
    """Return the statement: a row for each who asks, in order; the auction stands on the first alone.

    Each is looked up by itself, so that no plan made while a table was small reads a large one whole.
    """
    return f"""
SELECT {named(Auction, "auction")}, known.place, bidder.email, seller.email,
    EXISTS (SELECT FROM account_emailaddress WHERE user_id = asked.bidder AND verified),
    EXISTS (
        SELECT FROM marketplace_accountlink
        WHERE first = least(asked.bidder, sold.seller) AND second = greatest(asked.bidder, sold.seller)
    ),
    {named(Bid, "earlier")}
FROM marketplace_auction AS sold
CROSS JOIN unnest(%(bidders)s::uuid[], %(keys)s::text[]) WITH ORDINALITY AS asked (bidder, key, turn)
LEFT JOIN marketplace_auction AS auction ON auction.id = sold.id AND asked.turn = 1
LEFT JOIN LATERAL (SELECT * FROM marketplace_bid WHERE key = asked.key LIMIT 1) AS earlier ON TRUE
LEFT JOIN LATERAL (
    SELECT place FROM marketplace_bid WHERE auction_id = sold.id AND bidder = asked.bidder
    ORDER BY sequence DESC LIMIT 1
) AS known ON TRUE
LEFT JOIN LATERAL (SELECT email FROM marketplace_user WHERE id = asked.bidder LIMIT 1) AS bidder ON TRUE
LEFT JOIN LATERAL (SELECT email FROM marketplace_user WHERE id = sold.seller LIMIT 1) AS seller ON TRUE
WHERE sold.id = %(auction)s::uuid
ORDER BY asked.turn
"""  # noqa: S608  names of columns, out of the models

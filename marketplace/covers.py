"""What must always hold of sealed bids: covers until the end, openings after it.

`invariants.check_books` asks it along with the rest of the marketplace.
"""

from collections.abc import Iterator

from ledger.chart import Code
from ledger.invariants import asked
from marketplace import queries, sealed
from marketplace.models import Auction

# A fault seldom comes alone; the first twenty of a kind say where to look.
FAULTS_SHOWN = 20
# Openings are facts: what was right yesterday is right today. The newest are where a fault would be new.
REOPENED_MAX = 20

# Open holds of sealed bids against the newest bid of every bidder in open auctions: the same, to the rao and wallet.
COVERED = """
SELECT coalesce(held.key, owed.key),
       format('%%s rao are held and %%s rao are to cover it', coalesce(held.amount_rao, 0), coalesce(owed.cover_rao, 0))
FROM (
    SELECT DISTINCT ON (bid.auction_id, bid.bidder) 'sealed:' || bid.id AS key, bid.cover_rao, bid.bidder
    FROM marketplace_sealedbid AS bid JOIN marketplace_auction AS auction ON auction.id = bid.auction_id
    WHERE auction.state = 'open'
    ORDER BY bid.auction_id, bid.bidder, bid.sequence DESC
) AS owed
FULL JOIN (
    SELECT entry.key, hold.amount_rao, account.owner
    FROM ledger_hold AS hold
    JOIN ledger_entry AS entry ON entry.id = hold.placed_by_id
    JOIN ledger_account AS account ON account.id = hold.account_id
    WHERE hold.state = 'open' AND entry.code = %(placed)s
) AS held ON held.key = owed.key
WHERE (held.amount_rao, held.owner) IS DISTINCT FROM (owed.cover_rao, owed.bidder)
LIMIT %(limit)s
"""

# A sealed auction counts its bids, shows neither price nor leader before the end, and opens all of them at it.
SHOWN = """
SELECT auction.id::text,
       format('%%s, %%s bids counted, %%s placed, %%s opened', auction.state, auction.bid_count, bids.placed, bids.opened)
FROM marketplace_auction AS auction
CROSS JOIN LATERAL (
    SELECT count(*) AS placed, count(opening.bid_id) AS opened
    FROM marketplace_sealedbid AS bid LEFT JOIN marketplace_sealedopening AS opening ON opening.bid_id = bid.id
    WHERE bid.auction_id = auction.id
) AS bids
WHERE (auction.format = 'sealed' OR bids.placed > 0)
  AND NOT (
    auction.format = 'sealed'
    AND auction.bid_count = bids.placed
    AND bids.opened = CASE WHEN auction.state IN ('settled', 'unsold') THEN bids.placed ELSE 0 END
    AND (auction.leader IS NOT NULL) = (auction.state = 'settled')
  )
LIMIT %(limit)s
"""

CLAIMS = (
    ("every sealed bid is covered until the end", COVERED),
    ("a sealed auction shows how many bid, and opens them at its end", SHOWN),
)


def faults() -> Iterator[str]:
    """Yield what is wrong with sealed bids, one sentence a fault."""
    said: dict[str, object] = {"placed": Code.SEALED_BID_PLACED, "limit": FAULTS_SHOWN}
    for claim, query in CLAIMS:
        for subject, difference in asked(query, said):
            yield f"marketplace: {subject} breaks the rule that {claim}: {difference}"
    yield from _not_as_committed()


def _not_as_committed() -> Iterator[str]:
    """Find ended auctions whose openings do not fit the commitments, or whose outcome does not follow from them."""
    ended = [Auction.State.SETTLED, Auction.State.UNSOLD]
    rows = Auction.objects.filter(format=Auction.Format.SEALED, state__in=ended)
    for auction in rows.order_by("-ended_at")[:REOPENED_MAX]:
        for fault in sealed.verify(queries.sealed_claim(auction)):
            yield f"marketplace: sealed auction {auction.id}: {fault}"

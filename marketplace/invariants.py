"""What must always hold in the marketplace, whatever happened before.

Each claim is asked in one statement, and so of one instant: bids may come in while it is checked.
"""

from collections.abc import Iterator
from itertools import groupby

from django.db.models import OuterRef, Subquery

from ledger.chart import TAO, Code
from ledger.invariants import asked
from marketplace import bidding, cardbooks, covers, forfeits, promises, queries, withdrawalbooks
from marketplace.models import Auction, Bid, BidVoid, Deposit, Sale

# A fault seldom comes alone; the first twenty of a kind say where to look.
FAULTS_SHOWN = 20

LIVE = [Auction.State.OPEN.value, Auction.State.AWAITING.value]

# The open holds of bids against the bids that lead live auctions, or the deposits on them: the same, to the rao and
# to the wallet. Whoever came to lead by a void has the hold of that void. An auction whose winner did not pay holds nothing: a second chance is paid at once.
ESCROW = """
SELECT coalesce(held.key, led.key),
       format('%%s rao are held and %%s rao are owed', coalesce(held.amount_rao, 0), coalesce(led.owed_rao, 0))
FROM (
    SELECT DISTINCT ON (auction.id) 'bid:' || coalesce(void.id, bid.id) AS key, bid.bidder,
           CASE auction.backing WHEN 'deposit' THEN ceil(bid.max_rao * auction.deposit_bps / 10000.0)::bigint
           ELSE bid.max_rao END AS owed_rao
    FROM marketplace_auction AS auction
    JOIN marketplace_bid AS bid ON bid.auction_id = auction.id AND bid.bidder = auction.leader
    LEFT JOIN marketplace_bidvoid AS void ON void.auction_id = auction.id AND void.leader = auction.leader
         AND void.was_leading AND void.sequence > bid.sequence
    WHERE auction.state = ANY(%(live)s)
      AND NOT EXISTS (SELECT 1 FROM marketplace_strike WHERE auction_id = auction.id)
    ORDER BY auction.id, bid.sequence DESC, void.sequence DESC NULLS LAST
) AS led
FULL JOIN (
    SELECT entry.key, hold.amount_rao, account.owner
    FROM ledger_hold AS hold
    JOIN ledger_entry AS entry ON entry.id = hold.placed_by_id
    JOIN ledger_account AS account ON account.id = hold.account_id
    WHERE hold.state = 'open' AND entry.code = ANY(%(bid_codes)s)
) AS held ON held.key = led.key
WHERE (held.amount_rao, held.owner) IS DISTINCT FROM (led.owed_rao, led.bidder)
LIMIT %(limit)s
"""

# Whom an auction's row leaves out, against the voids, and against bids that came after one.
VOIDS = """
SELECT 'auction ' || auction.id,
       format('voids name %%s and the row names %%s', voids.bidders, auction.voided_bidders)
FROM marketplace_auction AS auction
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(void.bidder ORDER BY void.sequence), '{}') AS bidders
    FROM marketplace_bidvoid AS void WHERE void.auction_id = auction.id
) AS voids
WHERE voids.bidders <> auction.voided_bidders
   OR EXISTS (
       SELECT FROM marketplace_bidvoid AS void JOIN marketplace_bid AS bid
       ON bid.auction_id = void.auction_id AND bid.bidder = void.bidder AND bid.sequence > void.sequence
       WHERE void.auction_id = auction.id
   )
LIMIT %(limit)s
"""

# What sales and deposits say was paid, against what the ledger moved for them.
SUMS = """
SELECT said.words, format('rows sum to %%s rao and the ledger moved %%s rao', said.rao, coalesce(moved.rao, 0))
FROM (
    SELECT 'auction sales' AS words, %(sale_settled)s AS code, coalesce(sum(price_rao), 0) AS rao
    FROM marketplace_sale WHERE kind = %(by_auction)s
    UNION ALL
    SELECT 'card deposits', %(card_credited)s, coalesce(sum(credit_rao), 0)
    FROM marketplace_deposit WHERE state = %(credited)s
    UNION ALL
    SELECT 'premiums on slots', %(premium_paid)s, coalesce(sum(fee_rao), 0)
    FROM marketplace_sale WHERE kind = %(by_slot)s
) AS said
LEFT JOIN (
    SELECT entry.code, sum(transfer.amount_rao) AS rao
    FROM ledger_entry AS entry JOIN ledger_transfer AS transfer ON transfer.entry_id = entry.id
    JOIN ledger_account AS debit ON debit.id = transfer.debit_id AND debit.asset = %(tao)s
    WHERE entry.code IN (%(sale_settled)s, %(card_credited)s, %(premium_paid)s)
    GROUP BY entry.code
) AS moved ON moved.code = said.code
WHERE said.rao <> coalesce(moved.rao, 0)
"""


# What these claims name.
SAID = {
    "live": LIVE,
    "bid_codes": [Code.BID_PLACED.value, Code.BID_VOIDED.value],
    "sale_settled": Code.SALE_SETTLED,
    "card_credited": Code.CARD_CREDITED,
    "premium_paid": Code.PREMIUM_PAID,
    "by_slot": Sale.Kind.SLOT,
    "by_auction": Sale.Kind.AUCTION,
    "credited": Deposit.State.CREDITED,
    "tao": TAO,
    "limit": FAULTS_SHOWN,
}


def check_books() -> list[str]:
    """Return what is wrong with the marketplace, one sentence a fault; empty means all is well."""
    faults = [
        f"marketplace: {subject} breaks the rule that {claim}: {difference}"
        for claim, query in (
            ("an auction's escrow is its leader's maximum, or the deposit on it", ESCROW),
            ("who was taken out of an auction bids there no more", VOIDS),
            ("every sale and deposit was paid once", SUMS),
        )
        for subject, difference in asked(query, SAID)
    ]
    return [
        *faults,
        *_unlike_their_bids(),
        *cardbooks.faults(),
        *covers.faults(),
        *forfeits.faults(),
        *promises.faults(),
        *withdrawalbooks.faults(),
    ]


def _unlike_their_bids() -> Iterator[str]:
    """Find live auctions that show another leader, price or end than their bids derive.

    Where the winner did not pay, bids count without those that were passed over; voided ones never do.
    """
    raising = BidVoid.objects.filter(
        auction=OuterRef("auction"),
        leader=OuterRef("bidder"),
        was_leading=True,
        sequence__gt=OuterRef("sequence"),
    )
    bids = (
        Bid.objects.filter(auction__state__in=LIVE)
        .select_related("auction")
        .annotate(raised_by=Subquery(raising.order_by("-sequence").values("pk")[:1]))
    )
    for _, group in groupby(bids.order_by("auction_id", "sequence"), key=lambda b: b.auction_id):
        log = list(group)
        auction = log[0].auction
        newest = {bid.bidder: bid for bid in log}
        play = bidding.Play(
            terms=queries.terms_of(auction),
            maxima=tuple(
                bidding.Maximum(bidder=bid.bidder, max_rao=bid.max_rao, sequence=bid.sequence)
                for bid in newest.values()
                if bid.bidder not in auction.voided_bidders
            ),
            closes_at=auction.closes_at,
            price_rao=auction.price_rao,
        )
        if auction.state == Auction.State.AWAITING:
            for bidder in queries.passed_over(auction.id):
                play = bidding.void(play, bidder=bidder)
        derived = bidding.standing(play)
        shown = (auction.leader, auction.price_rao, auction.bid_count, auction.closes_at)
        if shown != (derived.leader, derived.price_rao, len(log), log[-1].closes_at):
            yield f"marketplace: auction {auction.id} does not show what its bids derive"
        if auction.state != Auction.State.OPEN:
            continue  # no bid comes any more that they would decide
        if auction.version != len(log) + len(auction.voided_bidders):
            yield f"marketplace: auction {auction.id} has a version that is neither a bid nor a void"
        kept = (auction.lead_bid, auction.bidder_count, queries.foremost_of(auction))
        led = newest[derived.leader] if derived.leader else None
        leading = led and (led.raised_by or led.id)
        if kept != (leading, len(newest), bidding.foremost(play)):
            yield f"marketplace: auction {auction.id} does not keep the maxima that decide it"

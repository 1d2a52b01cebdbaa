"""What must always hold of auctions whose winner had a deposit to pay up.

`invariants.check_books` asks it along with the rest of the marketplace.
"""

from collections.abc import Iterator

from ledger.chart import FEES, FORFEITS, Code
from ledger.invariants import asked

# A fault seldom comes alone; the first twenty of a kind say where to look.
FAULTS_SHOWN = 20

# What strikes say was forfeited, against what the ledger took and passed on for them; nothing stays on the way.
FORFEITED = """
SELECT coalesce(moved.key, said.key),
       format('%%s rao forfeited, %%s of them a fee; the ledger took %%s and passed on %%s, %%s of them to fees',
              said.forfeited_rao, said.fee_rao, moved.taken_rao, moved.given_rao, moved.fee_rao)
FROM (
    SELECT 'forfeit:' || strike.auction_id AS key, strike.forfeited_rao, strike.fee_rao, auction.seller, strike.owner
    FROM marketplace_strike AS strike JOIN marketplace_auction AS auction ON auction.id = strike.auction_id
) AS said
FULL JOIN (
    SELECT entry.key,
           sum(transfer.amount_rao) FILTER (WHERE credit.code = %(forfeits)s) AS taken_rao,
           sum(transfer.amount_rao) FILTER (WHERE debit.code = %(forfeits)s) AS given_rao,
           coalesce(sum(transfer.amount_rao) FILTER (WHERE credit.code = %(fees)s), 0) AS fee_rao,
           min(debit.owner::text) FILTER (WHERE credit.code = %(forfeits)s) AS owner,
           min(credit.owner::text) FILTER (WHERE credit.owner IS NOT NULL) AS seller
    FROM ledger_entry AS entry
    JOIN ledger_transfer AS transfer ON transfer.entry_id = entry.id
    JOIN ledger_account AS debit ON debit.id = transfer.debit_id
    JOIN ledger_account AS credit ON credit.id = transfer.credit_id
    WHERE entry.code = %(forfeited)s OR %(forfeits)s IN (debit.code, credit.code)
    GROUP BY entry.key
) AS moved ON moved.key = said.key
WHERE (moved.taken_rao, moved.given_rao, moved.fee_rao, moved.owner)
      IS DISTINCT FROM (said.forfeited_rao, said.forfeited_rao, said.fee_rao, said.owner::text)
   OR (said.fee_rao < said.forfeited_rao AND moved.seller IS DISTINCT FROM said.seller::text)
LIMIT %(limit)s
"""

# Who is waited for: the winner, or after a strike the one bidder with a second chance, at their price and until then.
AWAITED = """
SELECT auction.id::text, format('%%s until %%s for %%s rao, offered until %%s for %%s rao; strike: %%s',
       auction.leader, auction.due_at, auction.price_rao, chance.expires_at, chance.price_rao, strike.id IS NOT NULL)
FROM marketplace_auction AS auction
LEFT JOIN marketplace_secondchance AS chance ON chance.auction_id = auction.id AND chance.state = 'offered'
LEFT JOIN marketplace_strike AS strike ON strike.auction_id = auction.id
WHERE CASE
    WHEN auction.state <> 'awaiting' THEN chance.id IS NOT NULL
    WHEN strike.id IS NULL THEN chance.id IS NOT NULL OR auction.backing <> 'deposit'
    ELSE (chance.bidder, chance.price_rao, chance.expires_at)
         IS DISTINCT FROM (auction.leader, auction.price_rao, auction.due_at)
END
LIMIT %(limit)s
"""

CLAIMS = (
    ("a forfeited deposit goes to the seller less the fee, and stays nowhere", FORFEITED),
    ("an auction waits for its winner, or for one second chance", AWAITED),
)


def faults() -> Iterator[str]:
    """Yield what is wrong with deposits and second chances, one sentence a fault."""
    said: dict[str, object] = {
        "forfeited": Code.DEPOSIT_FORFEITED,
        "forfeits": FORFEITS.code,
        "fees": FEES.code,
        "limit": FAULTS_SHOWN,
    }
    for claim, query in CLAIMS:
        for subject, difference in asked(query, said):
            yield f"marketplace: {subject} breaks the rule that {claim}: {difference}"

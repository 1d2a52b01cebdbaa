"""What must always hold of offers, asked of the database: each claim in one statement, and so of one instant.

`invariants.check_books` asks it along with the rest of the marketplace.
"""

from ledger.chart import Code
from ledger.invariants import asked
from marketplace.models import Sale
from marketplace.models.offers import OPEN_STATES

# A fault seldom comes alone; the first twenty of a kind say where to look.
FAULTS_SHOWN = 20

# Open holds of offers against what open offers promise: the same, to the rao and to the wallet. A promise that
# the ledger has freed by itself is found too: the sweep of offers has then been away for an hour.
HELD = """
SELECT coalesce(held.id, owed.hold)::text,
       format('%%s rao are held and %%s rao are promised', coalesce(held.amount_rao, 0), coalesce(owed.promised_rao, 0))
FROM (
    SELECT hold, promised_rao, buyer FROM marketplace_offer WHERE state = ANY(%(open)s)
) AS owed
FULL JOIN (
    SELECT hold.id, hold.amount_rao, account.owner
    FROM ledger_hold AS hold
    JOIN ledger_entry AS entry ON entry.id = hold.placed_by_id
    JOIN ledger_account AS account ON account.id = hold.account_id
    WHERE hold.state = 'open' AND entry.code = %(offer_placed)s
) AS held ON held.id = owed.hold
WHERE (held.amount_rao, held.owner) IS DISTINCT FROM (owed.promised_rao, owed.buyer)
LIMIT %(limit)s
"""

# What an offer shows against its moves: the newest figure, the buyer's newest, and how many there were.
SHOWN = """
SELECT offer.id::text, format('it shows %%s of %%s rao and its moves say %%s of %%s rao',
       offer.promised_rao, offer.amount_rao, said.promised_rao, said.amount_rao)
FROM marketplace_offer AS offer
LEFT JOIN LATERAL (
    SELECT count(*) AS figure_count,
           (array_agg(amount_rao ORDER BY sequence DESC))[1] AS amount_rao,
           (array_agg(amount_rao ORDER BY sequence DESC) FILTER (WHERE side = 'buyer'))[1] AS promised_rao
    FROM marketplace_offermove WHERE offer_id = offer.id AND act IN ('offer', 'counter')
) AS said ON TRUE
WHERE (offer.amount_rao, offer.promised_rao, offer.figure_count)
      IS DISTINCT FROM (said.amount_rao, said.promised_rao, said.figure_count::int)
LIMIT %(limit)s
"""

# An accepted offer is one sale, for the figure that was agreed on, from its owner to its buyer.
SOLD = """
SELECT coalesce(offer.id, sale.offer_id)::text,
       format('%%s rao agreed, %%s rao sold for', offer.amount_rao, sale.price_rao)
FROM (SELECT * FROM marketplace_offer WHERE state = 'accepted') AS offer
FULL JOIN (SELECT * FROM marketplace_sale WHERE kind = %(by_offer)s) AS sale ON sale.offer_id = offer.id
WHERE (offer.amount_rao, offer.owner, offer.buyer, offer.netuid)
      IS DISTINCT FROM (sale.price_rao, sale.seller, sale.buyer, sale.netuid)
LIMIT %(limit)s
"""

PAID = """
SELECT 'offer sales', format('rows sum to %%s rao and the ledger moved %%s rao', said.rao, moved.rao)
FROM (
    SELECT coalesce(sum(price_rao), 0) AS rao FROM marketplace_sale WHERE kind = %(by_offer)s
) AS said, (
    SELECT coalesce(sum(transfer.amount_rao), 0) AS rao
    FROM ledger_entry AS entry JOIN ledger_transfer AS transfer ON transfer.entry_id = entry.id
    WHERE entry.code = %(offer_settled)s
) AS moved
WHERE said.rao <> moved.rao
"""

CLAIMS = {
    "an open offer's promise is set aside": HELD,
    "an offer shows what its moves say": SHOWN,
    "an accepted offer is one sale": SOLD,
    "every sale by an offer was paid once": PAID,
}


def faults() -> list[str]:
    """Return what is wrong with offers, one sentence a fault; empty means all is well."""
    said: dict[str, object] = {
        "open": OPEN_STATES,
        "offer_placed": Code.OFFER_PLACED,
        "offer_settled": Code.OFFER_SETTLED,
        "by_offer": Sale.Kind.OFFER,
        "limit": FAULTS_SHOWN,
    }
    return [
        f"marketplace: {subject} breaks the rule that {claim}: {difference}"
        for claim, query in CLAIMS.items()
        for subject, difference in asked(query, said)
    ]

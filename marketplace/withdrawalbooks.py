"""What must always hold of withdrawals in the books.

`invariants.check_books` asks it along with the rest of the marketplace.
"""

from collections.abc import Iterator

from ledger.chart import CHAIN_HOT, NETWORK_FEES, Code
from ledger.invariants import asked

# A fault seldom comes alone; the first twenty of a kind say where to look.
FAULTS_SHOWN = 20

# Each withdrawal that has not left has its hold, to the rao and the wallet, and no hold is for anything else.
HOLDS = """
SELECT coalesce(held.key, open.key),
       format('%%s rao are held and %%s rao are on their way out', coalesce(held.rao, 0), coalesce(open.rao, 0))
FROM (
    SELECT 'withdrawal:' || id || ':requested' AS key, owner, held_rao AS rao FROM marketplace_withdrawal
    WHERE state IN ('requested', 'approved', 'sending') OR (state = 'sent' AND rail = 'chain')
) AS open
FULL JOIN (
    SELECT entry.key, account.owner, hold.amount_rao AS rao
    FROM ledger_hold AS hold
    JOIN ledger_entry AS entry ON entry.id = hold.placed_by_id
    JOIN ledger_account AS account ON account.id = hold.account_id
    WHERE hold.state = 'open' AND entry.code = %(requested)s
) AS held ON held.key = open.key
WHERE (held.rao, held.owner) IS DISTINCT FROM (open.rao, open.owner)
LIMIT %(limit)s
"""

# What left for the chain is what arrived there, and what the chain took for it.
LEFT = """
SELECT 'the chain', format('withdrawals sum to %%s rao and the ledger moved %%s rao', said.rao, moved.rao)
FROM (
    SELECT coalesce(sum(held_rao - fee_rao), 0) AS rao FROM marketplace_withdrawal
    WHERE rail = 'chain' AND state = 'arrived'
) AS said, (
    SELECT coalesce(sum(transfer.amount_rao), 0) AS rao FROM ledger_transfer AS transfer
    JOIN ledger_account AS credit ON credit.id = transfer.credit_id AND credit.code = %(hot)s
    JOIN ledger_account AS debit ON debit.id = transfer.debit_id AND debit.code <> %(network)s
) AS moved
WHERE said.rao <> moved.rao
"""

# What the house bought back for dollars is what withdrawals sold, one by one; what came back was sold before.
SOLD = """
SELECT 'withdrawal ' || row.id, format('%%s rao were sold and the ledger moved %%s rao', row.held_rao, coalesce(sold.rao, 0))
FROM marketplace_withdrawal AS row
LEFT JOIN (
    SELECT entry.key, sum(transfer.amount_rao) AS rao FROM ledger_entry AS entry
    JOIN ledger_transfer AS transfer ON transfer.entry_id = entry.id
    JOIN ledger_account AS debit ON debit.id = transfer.debit_id AND debit.asset = 0
    WHERE entry.code = %(paid)s GROUP BY entry.key
) AS sold ON sold.key = 'card:' || row.reference || ':transferred'
WHERE row.rail = 'stripe' AND row.sent_at IS NOT NULL AND row.held_rao IS DISTINCT FROM sold.rao
LIMIT %(limit)s
"""

# What goes was approved by as many people as it needs, and never by its owner.
APPROVALS = """
SELECT 'withdrawal ' || row.id, format('%%s of %%s approvals', count(approval.operator), row.approvals_needed)
FROM marketplace_withdrawal AS row
LEFT JOIN marketplace_withdrawalapproval AS approval
  ON approval.withdrawal_id = row.id AND approval.operator <> row.owner AND approval.owner = row.owner
WHERE row.state IN ('approved', 'sending', 'sent', 'arrived')
GROUP BY row.id HAVING count(DISTINCT approval.operator) < row.approvals_needed
LIMIT %(limit)s
"""

CLAIMS = (
    ("what is on its way out is set aside, and nothing else is for it", HOLDS),
    ("what left for the chain is what withdrawals say", LEFT),
    ("what was sent as dollars was sold to the house once", SOLD),
    ("what goes was approved", APPROVALS),
)


def faults() -> Iterator[str]:
    """Yield what is wrong with withdrawals, one sentence a fault."""
    said: dict[str, object] = {
        "requested": Code.WITHDRAWAL_REQUESTED.value,
        "paid": Code.WITHDRAWAL_PAID.value,
        "hot": CHAIN_HOT.code,
        "network": NETWORK_FEES.code,
        "limit": FAULTS_SHOWN,
    }
    for claim, query in CLAIMS:
        for subject, difference in asked(query, said):
            yield f"marketplace: {subject} breaks the rule that {claim}: {difference}"

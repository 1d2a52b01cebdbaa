"""What must always hold of card payments in the books.

`invariants.check_books` asks it along with the rest of the marketplace.
"""

from collections.abc import Iterator

from ledger.chart import Code
from ledger.invariants import asked

# A fault seldom comes alone; the first twenty of a kind say where to look.
FAULTS_SHOWN = 20

# What is under lien of each owner, against what claims that have not ended took and gave back. A claim is named by the
# Stripe object behind "card:" in its keys, a payment that was warned of or a dispute; before it ends, refunds free parts.
LIENS = """
SELECT coalesce(account.code, claimed.code),
       format('%%s rao are kept and %%s rao are claimed', coalesce(account.rao, 0), coalesce(claimed.rao, 0))
FROM (
    SELECT code, credits_posted - debits_posted AS rao FROM ledger_account WHERE kind = 'lien'
) AS account
FULL JOIN (
    SELECT side.code, sum(side.rao) AS rao
    FROM (
        SELECT lien.code, transfer.entry_id, transfer.amount_rao AS rao
        FROM ledger_account AS lien JOIN ledger_transfer AS transfer ON transfer.credit_id = lien.id
        WHERE lien.kind = 'lien'
        UNION ALL
        SELECT lien.code, transfer.entry_id, -transfer.amount_rao
        FROM ledger_account AS lien JOIN ledger_transfer AS transfer ON transfer.debit_id = lien.id
        WHERE lien.kind = 'lien'
    ) AS side
    JOIN ledger_entry AS entry ON entry.id = side.entry_id
    WHERE (entry.key ~ '^card:.+:lien$' OR entry.key ~ '^card:[^:]+:[^:]+:released$')
      AND NOT EXISTS (
        SELECT FROM ledger_entry AS ending
        WHERE ending.key IN ('card:' || split_part(entry.key, ':', 2) || ':released',
                             'card:' || split_part(entry.key, ':', 2) || ':lost')
    )
    GROUP BY side.code
) AS claimed ON claimed.code = account.code
WHERE coalesce(account.rao, 0) <> coalesce(claimed.rao, 0)
LIMIT %(limit)s
"""

# A debt is at zero or below: who owes nothing has a wallet for what is theirs.
DEBTS = """
SELECT code, format('%%s rao', credits_posted - debits_posted)
FROM ledger_account WHERE kind = 'debt' AND credits_posted > debits_posted LIMIT %(limit)s
"""

# What restrictions carried on, against the rows it came to: by deposit they are one sum, whoever sold what to whom.
CARRIED = """
SELECT 'deposit ' || deposit_id, format('%%s rao went on and %%s rao arrived', sum(carried_rao),
       coalesce(sum(granted_rao) FILTER (WHERE source NOT LIKE 'deposit:%%%%'), 0))
FROM marketplace_restriction GROUP BY deposit_id
HAVING sum(carried_rao) <> coalesce(sum(granted_rao) FILTER (WHERE source NOT LIKE 'deposit:%%%%'), 0)
LIMIT %(limit)s
"""

# A debt is given up only as it was agreed to, by as many as it needs, and to the rao.
FORGIVEN = """
SELECT coalesce('forgiveness ' || row.id, entry.key),
       format('%%s rao were agreed to by %%s of %%s people and the ledger gave up %%s rao', coalesce(row.forgiven_rao, 0),
              coalesce(row.agreed, 0), coalesce(row.approvals_needed, 1), coalesce(entry.rao, 0))
FROM (
    SELECT forgiveness.*, (SELECT count(DISTINCT approval.operator) FROM marketplace_forgivenessapproval AS approval
                           WHERE approval.forgiveness_id = forgiveness.id AND approval.owner = forgiveness.owner
                             AND approval.operator <> forgiveness.owner) AS agreed
    FROM marketplace_forgiveness AS forgiveness WHERE state = 'forgiven'
) AS row
FULL JOIN (
    SELECT entry.key, debt.owner, transfer.amount_rao AS rao
    FROM ledger_entry AS entry
    JOIN ledger_transfer AS transfer ON transfer.entry_id = entry.id
    JOIN ledger_account AS debt ON debt.id = transfer.credit_id AND debt.kind = 'debt'
    WHERE entry.code = %(forgiven)s
) AS entry ON entry.key = 'forgiveness:' || row.id || ':forgiven'
WHERE (entry.rao, entry.owner) IS DISTINCT FROM (row.forgiven_rao, row.owner) OR row.agreed < row.approvals_needed
LIMIT %(limit)s
"""

CLAIMS = (
    ("a lien keeps what open claims on card payments took", LIENS),
    ("nobody is owed by a debt", DEBTS),
    ("a debt is forgiven as it was agreed to", FORGIVEN),
    ("a sale carries restrictions on and makes none", CARRIED),
)


def faults() -> Iterator[str]:
    """Yield what is wrong with card payments, one sentence a fault."""
    said = {"limit": FAULTS_SHOWN, "forgiven": Code.CARD_DEBT_FORGIVEN.value}
    for claim, query in CLAIMS:
        for subject, difference in asked(query, said):
            yield f"marketplace: {subject} breaks the rule that {claim}: {difference}"

"""What must always hold in the books, asked of the database in one statement and so of one instant.

An app above that has invariants of its own keeps them in its `invariants` module under the same name,
`check_books() -> list[str]`; check_all_books finds them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.utils.module_loading import module_has_submodule

from ledger import prepared
from ledger.chart import COLLECTING, AccountKind
from ledger.money import MAX_SUPPLY_RAO

# A fault seldom comes alone; the first twenty of a kind say where to look.
FAULTS_SHOWN = 20

# Each query returns the faults of its claim as (subject, what differs).
CLAIMS = {
    "counters equal the fold of the transfers": """
        SELECT account.code, format('credits %%s, transfers say %%s; debits %%s, transfers say %%s',
               account.credits_posted, coalesce(folded.credits, 0),
               account.debits_posted, coalesce(folded.debits, 0))
        FROM ledger_account AS account
        LEFT JOIN folded ON folded.account_id = account.id
        WHERE account.kind <> 'system'
          AND (account.credits_posted, account.debits_posted)
              <> (coalesce(folded.credits, 0), coalesce(folded.debits, 0))
    """,
    "what is held equals the open holds": """
        SELECT account.code, format('held %%s, open holds say %%s',
               account.debits_held, coalesce(held.amount_rao, 0))
        FROM ledger_account AS account
        LEFT JOIN (
            SELECT account_id, sum(amount_rao) AS amount_rao
            FROM ledger_hold WHERE state = 'open' GROUP BY account_id
        ) AS held ON held.account_id = account.id
        WHERE account.debits_held <> coalesce(held.amount_rao, 0)
    """,
    "no account is overdrawn": """
        SELECT code, format('posted %%s, held %%s', credits_posted - debits_posted, debits_held)
        FROM ledger_account
        WHERE NOT may_overdraw AND credits_posted - debits_posted < debits_held
    """,
    "an account is as its kind says": """
        SELECT code, format('kind %%s, may overdraw: %%s, owner %%s', kind, may_overdraw, owner)
        FROM ledger_account
        WHERE kind <> ALL(%(kinds)s) OR may_overdraw <> (kind = ANY(%(overdrawing)s))
           OR (owner IS NOT NULL) <> (kind = ANY(%(owned)s))
    """,
    "issuance stays under the cap": """
        SELECT account.code, format('issued %%s', folded.debits - folded.credits)
        FROM ledger_account AS account JOIN folded ON folded.account_id = account.id
        WHERE account.kind = 'issuance' AND folded.debits - folded.credits > %(cap_rao)s
    """,
    "collecting accounts never pay": """
        SELECT account.code, format('balance %%s', folded.credits - folded.debits)
        FROM ledger_account AS account JOIN folded ON folded.account_id = account.id
        WHERE account.code = ANY(%(collecting)s) AND folded.credits < folded.debits
    """,
    "debits equal credits in each asset": """
        SELECT 'asset ' || account.asset, format('credits minus debits is %%s', sum(
               CASE account.kind WHEN 'system' THEN coalesce(folded.credits - folded.debits, 0)
               ELSE account.credits_posted - account.debits_posted END))
        FROM ledger_account AS account LEFT JOIN folded ON folded.account_id = account.id
        GROUP BY account.asset
        HAVING sum(CASE account.kind WHEN 'system' THEN coalesce(folded.credits - folded.debits, 0)
                   ELSE account.credits_posted - account.debits_posted END) <> 0
    """,
    "a transfer stays within one asset": """
        SELECT entry.key, format('from %%s to %%s', debit.code, credit.code)
        FROM ledger_transfer AS transfer
        JOIN ledger_entry AS entry ON entry.id = transfer.entry_id
        JOIN ledger_account AS debit ON debit.id = transfer.debit_id
        JOIN ledger_account AS credit ON credit.id = transfer.credit_id
        WHERE debit.asset <> credit.asset
    """,
    "a transfer names accounts, an entry and a hold that exist": """
        SELECT 'transfer ' || transfer.id, format('entry %%s, debit %%s, credit %%s, hold %%s',
               transfer.entry_id, transfer.debit_id, transfer.credit_id, transfer.hold_id)
        FROM ledger_transfer AS transfer
        LEFT JOIN ledger_entry AS entry ON entry.id = transfer.entry_id
        LEFT JOIN ledger_account AS debit ON debit.id = transfer.debit_id
        LEFT JOIN ledger_account AS credit ON credit.id = transfer.credit_id
        LEFT JOIN ledger_hold AS hold ON hold.id = transfer.hold_id
        WHERE entry.id IS NULL OR debit.id IS NULL OR credit.id IS NULL
           OR (hold.id IS NULL AND transfer.hold_id IS NOT NULL)
    """,
    "each transfer records the balance it left": """
        SELECT account.code, format('transfer %%s says %%s, the fold says %%s',
               line.id, line.recorded_rao, line.balance_rao)
        FROM (
            SELECT id, account_id, recorded_rao,
                   sum(change_rao) OVER (PARTITION BY account_id ORDER BY id) AS balance_rao
            FROM side
        ) AS line
        JOIN ledger_account AS account ON account.id = line.account_id
        WHERE line.recorded_rao IS DISTINCT FROM
              CASE account.kind WHEN 'system' THEN NULL ELSE line.balance_rao END
    """,
    "every entry does something": """
        SELECT entry.key, 'neither a transfer nor a hold nor a closing'
        FROM ledger_entry AS entry
        WHERE NOT EXISTS (SELECT 1 FROM ledger_transfer WHERE entry_id = entry.id)
          AND NOT EXISTS (SELECT 1 FROM ledger_hold WHERE placed_by_id = entry.id)
          AND NOT EXISTS (SELECT 1 FROM ledger_hold WHERE resolved_by_id = entry.id)
          AND NOT EXISTS (SELECT 1 FROM ledger_closing WHERE entry_id = entry.id)
    """,
    "an account is closed as it was last said, and empty then": """
        SELECT account.code, format('closed: %%s, posted %%s, held %%s', account.is_closed,
               account.credits_posted - account.debits_posted, account.debits_held)
        FROM ledger_account AS account
        LEFT JOIN (
            SELECT DISTINCT ON (account_id) account_id, is_closed
            FROM ledger_closing ORDER BY account_id, entry_id DESC
        ) AS said ON said.account_id = account.id
        WHERE account.is_closed <> coalesce(said.is_closed, false)
           OR (account.is_closed AND (account.credits_posted <> account.debits_posted OR account.debits_held <> 0))
    """,
    "every seal follows the one before": """
        SELECT 'seal ' || number, format('behind seal %%s', coalesce(before, 0))
        FROM (
            SELECT number, previous, lag(number) OVER in_order AS before, lag(hash) OVER in_order AS hash_before
            FROM ledger_seal WINDOW in_order AS (ORDER BY number)
        ) AS link
        WHERE number <> coalesce(before, 0) + 1
           OR previous <> coalesce(hash_before, decode(repeat('00', 32), 'hex'))
    """,
    "a seal binds the entries it counts": """
        SELECT 'seal ' || seal.number, format('counts %%s, has %%s', seal.entry_count, count(sealed.entry_id))
        FROM ledger_seal AS seal LEFT JOIN ledger_sealedentry AS sealed ON sealed.seal_id = seal.number
        GROUP BY seal.number
        HAVING seal.entry_count <> count(sealed.entry_id)
            OR seal.entry_count <> max(sealed.position) + 1
    """,
    "a hold pays what it says, from its account, by the entry that ends it": """
        SELECT hold.id::text, format('%%s, posted %%s, transfers say %%s',
               hold.state, hold.posted_rao, coalesce(sum(transfer.amount_rao), 0))
        FROM ledger_hold AS hold LEFT JOIN ledger_transfer AS transfer ON transfer.hold_id = hold.id
        GROUP BY hold.id
        HAVING hold.posted_rao <> coalesce(sum(transfer.amount_rao), 0)
            OR bool_or(transfer.debit_id <> hold.account_id)
            OR bool_or(transfer.entry_id IS DISTINCT FROM hold.resolved_by_id AND transfer.id IS NOT NULL)
    """,
}

SIDES = """
WITH side AS (
    SELECT id, debit_id AS account_id, -amount_rao AS change_rao, debit_balance_rao AS recorded_rao
    FROM ledger_transfer
    UNION ALL
    SELECT id, credit_id, amount_rao, credit_balance_rao FROM ledger_transfer
), folded AS (
    SELECT account_id,
           coalesce(sum(change_rao) FILTER (WHERE change_rao > 0), 0) AS credits,
           coalesce(-sum(change_rao) FILTER (WHERE change_rao < 0), 0) AS debits
    FROM side GROUP BY account_id
)
"""


def check_books() -> list[str]:
    """Return what is wrong with the books, one sentence a fault; empty means they balance."""
    parts = [
        f"SELECT '{claim}', fault.* FROM ({query} LIMIT {FAULTS_SHOWN}) AS fault (subject, difference)"  # noqa: S608  constants above
        for claim, query in CLAIMS.items()
    ]
    said = {
        "cap_rao": MAX_SUPPLY_RAO,
        "collecting": [address.code for address in COLLECTING],
        "kinds": [kind.value for kind in AccountKind],
        "overdrawing": [kind.value for kind in AccountKind if kind.may_overdraw],
        "owned": [kind.value for kind in AccountKind if kind.has_owner],
    }
    with planned_for_whole_tables():
        return [
            f"ledger: {subject} breaks the rule that {claim}: {difference}"
            for claim, subject, difference in asked(SIDES + "\nUNION ALL\n".join(parts), said)
        ]


def asked(query: str, said: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Ask a check and return its rows, with what is said written into its words.

    Where they are the same each time, PostgreSQL plans them once a connection, which takes longer than looking.
    """
    with connection.cursor() as cursor:
        words = cursor.mogrify(query, said)
    return prepared.rows(words)


def check_all_books() -> list[str]:
    """Return the faults of the ledger and of every installed app that keeps invariants."""
    with planned_for_whole_tables():
        return [fault for check in _checks() for fault in check()]


@cache
def _checks() -> list[Callable[[], list[str]]]:
    """Find the check of every installed app that has one."""
    modules = [
        import_module(f"{app.name}.invariants")
        for app in apps.get_app_configs()
        if app.module is not None and module_has_submodule(app.module, "invariants")
    ]
    return [module.check_books for module in modules if hasattr(module, "check_books")]


@contextmanager
def planned_for_whole_tables() -> Iterator[None]:
    """Let PostgreSQL join by hashing and sorting alone while the books are checked.

    A check reads every row there is. With statistics from before the last epochs the planner takes a table
    for small and loops over it: seen to pass a minute where hashing takes a second.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SHOW enable_nestloop")
        (before,) = cursor.fetchone()
        cursor.execute("SET LOCAL enable_nestloop = off")
        yield
        # The transaction may be a caller's, who goes on in it; after an error it is rolled back anyway.
        cursor.execute("SET LOCAL enable_nestloop = %s", [before])

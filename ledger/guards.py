"""What the database refuses of new accounts and transfers, where a CHECK cannot look or would cost every posting.

A CHECK is read and compiled anew by each statement that writes its table, and a posting writes two tables: claims
about columns that never change are kept at the INSERT, and `keep_identity` keeps them from then on. Foreign keys of
transfers are claims of one statement here, not of every row (docs/decisions/0038-check-transfers-by-statement.md).
"""

from collections.abc import Iterable, Sequence

import pgtrigger
from django.db import models
from pgtrigger import compiler

from ledger.chart import ISSUANCE, AccountKind


class GuardSql(compiler.UpsertTriggerSql):
    """A trigger that no setting puts to sleep, and whose statements find rows by their indexes.

    pgtrigger's own template asks a setting whether to skip the trigger, which any session can set. And a plan is kept
    for as long as its connection: made while a table was a page long, it would read all of it for ever after.
    Migrations refer to this template: what they made has to come out of it unchanged.
    """

    def get_template(self) -> str:
        """Return the statements that install a trigger."""
        return """
            CREATE OR REPLACE FUNCTION {pgid}() RETURNS TRIGGER AS $$
                {declare}
                BEGIN
                    {func}
                END;
            $$ LANGUAGE plpgsql
                SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off;

            DROP TRIGGER IF EXISTS {pgid} ON {table};
            CREATE TRIGGER {pgid}
                {when} {operation} ON {table}
                {referencing}
                FOR EACH {level} {condition}
                EXECUTE PROCEDURE {execute};

            COMMENT ON TRIGGER {pgid} ON {table} IS '{hash}';
        """


class LookupSql(GuardSql):
    """A guard that looks up what many rows name: each by itself, however few there were to be read when it was planned.

    A table that was a page long when a connection made its plan would be kept in memory whole, and compared with each row.
    """

    def get_template(self) -> str:
        """Return the statements that install a trigger."""
        last = "SET enable_mergejoin = off"
        return super().get_template().replace(last, f"{last} SET enable_material = off")


class Guard(pgtrigger.Trigger):
    """A trigger that is installed by GuardSql, or by what `installer` names."""

    installer = GuardSql

    def compile(self, model: models.Model) -> compiler.Trigger:
        """Return what a migration makes of the trigger."""
        trigger = super().compile(model)
        return compiler.Trigger(name=trigger.name, sql=self.installer(**_facts_of(trigger.sql)))


def _facts_of(sql: compiler.UpsertTriggerSql) -> dict[str, str]:
    """Return what a trigger's statements are made from, all but the setting that would skip it."""
    return {name: fact for name, fact in sql.kwargs.items() if name != "ignore_func_name"}


def _among(kinds: Iterable[AccountKind]) -> str:
    return "(" + ", ".join(f"'{kind.value}'" for kind in kinds) + ")"


def _refuse(condition: str, *, constraint: str, words: str) -> str:
    """Write the refusal of a claim as the database itself would word it: under a constraint's name."""
    return f"""
        IF {condition} THEN
            RAISE EXCEPTION '{words} ({constraint})'
                USING ERRCODE = 'check_violation', CONSTRAINT = '{constraint}';
        END IF;"""


class KeepColumns(Guard):
    """Refuse to change these columns; a statement that does not set them does not even ask."""

    when = pgtrigger.Before
    func = "RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;"

    def __init__(self, *, name: str, columns: Sequence[str]) -> None:
        changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
        super().__init__(
            name=name,
            operation=pgtrigger.UpdateOf(*columns),  # type: ignore[no-untyped-call]  # pgtrigger's
            condition=pgtrigger.Condition(changed),
        )


class StandStill(Guard):
    """Refuse to move the counters of a closed account; a statement about an open one does not even ask."""

    when = pgtrigger.Before
    operation = pgtrigger.UpdateOf("credits_posted", "debits_posted", "debits_held")  # type: ignore[no-untyped-call]  # pgtrigger's
    condition = pgtrigger.Condition("OLD.is_closed")
    func = (
        _refuse(
            "(OLD.credits_posted, OLD.debits_posted, OLD.debits_held)"
            " <> (NEW.credits_posted, NEW.debits_posted, NEW.debits_held)",
            constraint="ledger_account_closed_stands_still",
            words="a closed account stands still",
        )
        + """
        RETURN NEW;
    """
    )


class FitTheChart(Guard):
    """Refuse an account whose kind is unknown, or that has an owner or a leave which its kind has not."""

    when = pgtrigger.Before
    operation = pgtrigger.Insert
    func = (
        _refuse(
            f"NEW.kind NOT IN {_among(AccountKind)}",
            constraint="ledger_account_kind_is_known",
            words="the kind of the account is unknown",
        )
        + _refuse(
            f"NEW.may_overdraw <> (NEW.kind IN {_among(k for k in AccountKind if k.may_overdraw)})",
            constraint="ledger_account_overdraws_only_by_its_kind",
            words="an account of this kind may not overdraw",
        )
        + _refuse(
            f"(NEW.owner IS NOT NULL) <> (NEW.kind IN {_among(k for k in AccountKind if k.has_owner)})",
            constraint="ledger_account_owner_fits_its_kind",
            words="an account of this kind has another sort of owner",
        )
        + _refuse(
            f"(NEW.kind = '{AccountKind.ISSUANCE.value}') <> (NEW.code = '{ISSUANCE.code}')",
            constraint="ledger_account_issuance_is_one",
            words="TAO comes from one account",
        )
        + """
        RETURN NEW;
    """
    )


class CheckTransfers(Guard):
    """Refuse transfers between assets, of what does not exist, or of issuance past its counters; once per statement.

    Accounts, entries and holds are never removed, so what is found here stays, and need not be locked as a foreign
    key locks it: with one, everybody who pays the same account rewrites its row.
    Each is asked for by itself (LIMIT): a join would read an index from end to end where that was short when planned.
    The cap stands on the counters of the issuance account, so nothing may be issued past them: each transfer has to
    go on from the balance that the one before it left, and the last has to arrive at the counters. The one before is
    asked for in the order of (account, id), which only one index has: by id alone, all that others moved since is read.
    """

    installer = LookupSql
    when = pgtrigger.After
    operation = pgtrigger.Insert
    level = pgtrigger.Statement
    referencing = pgtrigger.Referencing(new="new_rows")  # type: ignore[no-untyped-call]  # pgtrigger's
    declare = [
        ("is_known", "boolean"),
        ("is_within", "boolean"),
        ("first", "bigint"),
        ("issuance", "ledger_account%ROWTYPE"),
        ("stood", "bigint"),
    ]
    func = "".join(
        (
            """
        SELECT bool_and(debit.asset IS NOT NULL AND credit.asset IS NOT NULL AND entry.id IS NOT NULL
                        AND (hold.id IS NOT NULL OR new_rows.hold_id IS NULL)),
               bool_and(debit.asset = credit.asset),
               min(new_rows.id) FILTER (WHERE 'issuance' IN (debit.code, credit.code))
        INTO is_known, is_within, first
        FROM new_rows
        LEFT JOIN LATERAL (
            SELECT asset, code FROM ledger_account WHERE id = new_rows.debit_id LIMIT 1
        ) AS debit ON true
        LEFT JOIN LATERAL (
            SELECT asset, code FROM ledger_account WHERE id = new_rows.credit_id LIMIT 1
        ) AS credit ON true
        LEFT JOIN LATERAL (SELECT id FROM ledger_entry WHERE id = new_rows.entry_id LIMIT 1) AS entry ON true
        LEFT JOIN LATERAL (SELECT id FROM ledger_hold WHERE id = new_rows.hold_id LIMIT 1) AS hold ON true;""",
            _refuse(
                "NOT is_known",
                constraint="ledger_transfer_names_what_exists",
                words="a transfer names accounts, an entry and a hold that exist",
            ),
            _refuse(
                "NOT is_within",
                constraint="ledger_transfer_stays_within_one_asset",
                words="a transfer stays within one asset",
            ),
            """
        IF first IS NULL THEN
            RETURN NULL;
        END IF;
        SELECT * INTO issuance FROM ledger_account WHERE code = 'issuance';
        SELECT balance INTO stood FROM (
            (SELECT id, debit_id AS account_id, debit_balance_rao AS balance FROM ledger_transfer
             WHERE (debit_id, id) < (issuance.id, first) ORDER BY debit_id DESC, id DESC LIMIT 1)
            UNION ALL
            (SELECT id, credit_id, credit_balance_rao FROM ledger_transfer
             WHERE (credit_id, id) < (issuance.id, first) ORDER BY credit_id DESC, id DESC LIMIT 1)
        ) AS latest WHERE account_id = issuance.id ORDER BY id DESC LIMIT 1;""",
            _refuse(
                """EXISTS (
            SELECT 1 FROM (
                SELECT balance, change, coalesce(lag(balance) OVER in_order, stood, 0) AS before,
                       lead(id) OVER in_order IS NULL AS is_last
                FROM (
                    SELECT id,
                           CASE WHEN debit_id = issuance.id THEN debit_balance_rao ELSE credit_balance_rao END
                               AS balance,
                           CASE WHEN debit_id = issuance.id THEN -amount_rao ELSE amount_rao END AS change
                    FROM new_rows WHERE issuance.id IN (debit_id, credit_id)
                ) AS line
                WINDOW in_order AS (ORDER BY id)
            ) AS step
            WHERE balance IS DISTINCT FROM before + change
               OR (is_last AND balance <> issuance.credits_posted - issuance.debits_posted)
        )""",
                constraint="ledger_transfer_of_issuance_is_counted",
                words="what is issued is counted",
            ),
            """
        RETURN NULL;
    """,
        )
    )

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
    Migrations 0012 and 0015 install by it, and no guard of today.
    """

    def get_template(self) -> str:
        """Return the statements that install a trigger."""
        last = "SET enable_mergejoin = off"
        return super().get_template().replace(last, f"{last} SET enable_material = off")


class AloneSql(GuardSql):
    """A guard whose statements each read one table, by its index: what forbids ways to join need not be set for it."""

    def get_template(self) -> str:
        """Return the statements that install a trigger."""
        return (
            super()
            .get_template()
            .replace(" SET enable_hashjoin = off SET enable_mergejoin = off", "")
        )


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
    Whatever is named is looked up once, however many rows name it: an epoch pays hundreds from one account in one entry.
    Where all that pay and all that are paid are of one asset, no two need be compared.
    The cap stands on the counters of the issuance account, so nothing may be issued past them: each transfer has to
    go on from the balance that the one before it left, and the last has to arrive at the counters. The one before is
    asked for in the order of (account, id), which only one index has: by id alone, all that others moved since is read.
    """

    installer = AloneSql
    when = pgtrigger.After
    operation = pgtrigger.Insert
    level = pgtrigger.Statement
    referencing = pgtrigger.Referencing(new="new_rows")  # type: ignore[no-untyped-call]  # pgtrigger's
    declare = [
        ("named", "record"),
        ("payers", "record"),
        ("payees", "record"),
        ("entry_count", "bigint"),
        ("hold_count", "bigint"),
        ("issuance_id", "bigint"),
        ("line", "record"),
        ("stood", "bigint"),
        ("counted", "bigint"),
    ]
    func = "".join(
        (
            """
        SELECT array_agg(DISTINCT debit_id) AS payers, array_agg(DISTINCT credit_id) AS payees,
               array_agg(DISTINCT entry_id) AS entries,
               array_agg(DISTINCT hold_id) FILTER (WHERE hold_id IS NOT NULL) AS holds
        INTO named FROM new_rows;
        IF named.entries IS NULL THEN
            RETURN NULL;
        END IF;""",
            *(
                f"""
        SELECT count(*) AS count, min(asset) AS lowest, max(asset) AS highest,
               max(id) FILTER (WHERE code = '{ISSUANCE.code}') AS issuance_id
        INTO {side} FROM ledger_account WHERE id = ANY (named.{side});"""  # noqa: S608  constants
                for side in ("payers", "payees")
            ),
            """
        SELECT count(*) INTO entry_count FROM ledger_entry WHERE id = ANY (named.entries);
        IF named.holds IS NOT NULL THEN
            SELECT count(*) INTO hold_count FROM ledger_hold WHERE id = ANY (named.holds);
        END IF;""",
            _refuse(
                "(payers.count, payees.count, entry_count, hold_count) IS DISTINCT FROM"
                " (cardinality(named.payers), cardinality(named.payees), cardinality(named.entries),"
                " cardinality(named.holds))",
                constraint="ledger_transfer_names_what_exists",
                words="a transfer names accounts, an entry and a hold that exist",
            ),
            """
        IF least(payers.lowest, payees.lowest) <> greatest(payers.highest, payees.highest) THEN""",
            _refuse(
                """EXISTS (
            SELECT FROM new_rows
            WHERE (SELECT asset FROM ledger_account WHERE id = debit_id)
               <> (SELECT asset FROM ledger_account WHERE id = credit_id)
        )""",
                constraint="ledger_transfer_stays_within_one_asset",
                words="a transfer stays within one asset",
            ),
            """
        END IF;
        issuance_id := coalesce(payers.issuance_id, payees.issuance_id);
        IF issuance_id IS NULL THEN
            RETURN NULL;
        END IF;
        SELECT min(id) AS first, array_agg(balance - change ORDER BY id) AS befores, array_agg(balance ORDER BY id) AS afters
        INTO line FROM (
            SELECT id,
                   CASE WHEN debit_id = issuance_id THEN debit_balance_rao ELSE credit_balance_rao END AS balance,
                   CASE WHEN debit_id = issuance_id THEN -amount_rao ELSE amount_rao END AS change
            FROM new_rows WHERE issuance_id IN (debit_id, credit_id)
        ) AS side;
        SELECT credits_posted - debits_posted, coalesce((
            SELECT balance FROM (
                (SELECT id, debit_id AS account_id, debit_balance_rao AS balance FROM ledger_transfer
                 WHERE (debit_id, id) < (issuance_id, line.first) ORDER BY debit_id DESC, id DESC LIMIT 1)
                UNION ALL
                (SELECT id, credit_id, credit_balance_rao FROM ledger_transfer
                 WHERE (credit_id, id) < (issuance_id, line.first) ORDER BY credit_id DESC, id DESC LIMIT 1)
            ) AS latest WHERE account_id = issuance_id ORDER BY id DESC LIMIT 1
        ), 0)
        INTO counted, stood FROM ledger_account WHERE id = issuance_id;""",
            _refuse(
                "line.befores || counted IS DISTINCT FROM stood || line.afters",
                constraint="ledger_transfer_of_issuance_is_counted",
                words="what is issued is counted",
            ),
            """
        RETURN NULL;
    """,
        )
    )

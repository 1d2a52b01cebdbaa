"""What the database asks for where people of staff have to agree before something happens."""

from collections.abc import Collection

import pgtrigger

from ledger.guards import Guard


class RequireApprovals(Guard):
    """Refuse a state that too few people of staff have agreed to, whoever asks and whatever their session has set.

    states: those it is refused.  approvals: the table of who agreed, and by which of its columns it names the row.
    constraint, words: as what it is refused. The row says how many it takes, and its owner is not one of them.
    """

    when = pgtrigger.Before
    operation = pgtrigger.Insert | pgtrigger.Update

    def __init__(
        self,
        *,
        name: str,
        states: Collection[str],
        approvals: tuple[str, str],
        constraint: str,
        words: str,
    ) -> None:
        table, column = approvals
        named = ", ".join(f"'{state}'" for state in states)
        super().__init__(
            name=name,
            condition=pgtrigger.Condition(f"NEW.state IN ({named})"),
            func=f"""
        IF (
            SELECT count(DISTINCT approval.operator) FROM {table} AS approval
            WHERE approval.{column} = NEW.id AND approval.operator <> NEW.owner
        ) < NEW.approvals_needed THEN
            RAISE EXCEPTION '{words} ({constraint})'
                USING ERRCODE = 'check_violation', CONSTRAINT = '{constraint}';
        END IF;
        RETURN NEW;
    """,  # noqa: S608  names out of the models
        )

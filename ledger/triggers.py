"""What the database refuses of facts, whoever asks and whatever their session has set."""

import pgtrigger

from ledger.guards import Guard


class Refuse(Guard, pgtrigger.Protect):
    """Refuse an operation on a row, always or under a condition; unlike Protect alone, no setting puts it to sleep."""


class RefuseTruncate(Guard):
    """Refuse to empty the table in one go, which row triggers would not see."""

    name = "refuse_truncate"
    when = pgtrigger.Before
    operation = pgtrigger.Truncate
    level = pgtrigger.Statement
    func = "RAISE EXCEPTION 'pgtrigger: Cannot truncate the % table', TG_TABLE_NAME;"


def never_removed() -> list[pgtrigger.Trigger]:
    """Return the triggers of a table whose rows stay."""
    return [Refuse(name="refuse_delete", operation=pgtrigger.Delete), RefuseTruncate()]


def append_only() -> list[pgtrigger.Trigger]:
    """Return the triggers of a table of facts: rows are added and nothing else."""
    return [Refuse(name="refuse_update", operation=pgtrigger.Update), *never_removed()]


class KeepAllBut(Guard, pgtrigger.ReadOnly):
    """Refuse to change anything but these fields of a row."""

    def __init__(self, *, name: str, fields: list[str]) -> None:
        super().__init__(name=name, exclude=fields)

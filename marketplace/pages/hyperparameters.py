"""A subnet's hyperparameters for people: values in their units, bounds, and the log with what was and what is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger import spoken
from subnets import queries as subnets
from subnets.hyperparameters import BY_NAME, Authority, Hyperparameter
from subnets.models import HyperparameterChange, Subnet
from subnets.queries.hyperparameters import CHANGES_SHOWN


@dataclass(frozen=True, slots=True)
class ParameterLine:
    """A hyperparameter in words. changeable_from_block: None for what only the operator sets."""

    name: str
    value: str
    is_default: bool
    default: str
    bounds: str
    who: str
    doc: str
    changeable_from_block: int | None


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A change in words. account: whose, where an owner made it."""

    name: str
    old_value: str
    new_value: str
    at: datetime
    block: int
    account: UUID | None


def hyperparameter_figures(row: Subnet, *, now: datetime) -> dict[str, Any]:
    """Return the table of a subnet and its newest changes; is_log_whole says whether there are no older ones."""
    block = subnets.block_now(now)
    changes = subnets.hyperparameter_changes(row.netuid, limit=CHANGES_SHOWN + 1)
    return {
        "open_block": block,
        "parameters": [
            parameter_line(line) for line in subnets.hyperparameter_lines(row, block=block)
        ],
        "changes": [change_line(change) for change in changes[:CHANGES_SHOWN]],
        "is_log_whole": len(changes) <= CHANGES_SHOWN,
    }


def parameter_line(line: subnets.HyperparameterLine) -> ParameterLine:
    """Put one row of the table in words."""
    row = line.row
    low, high = row.bounds(row.who)
    return ParameterLine(
        name=row.name,
        value=value_said(row, line.value),
        is_default=line.is_default,
        default=value_said(row, row.default),
        bounds="on or off" if row.is_flag else f"{value_said(row, low)} to {value_said(row, high)}",
        who="owner" if row.who is Authority.OWNER else "operator",
        doc=row.doc,
        changeable_from_block=line.changeable_from_block,
    )


def change_line(change: HyperparameterChange) -> ChangeLine:
    """Put one change in words; a row that exists no more is shown as plain numbers."""
    row = BY_NAME.get(change.name)
    return ChangeLine(
        name=change.name,
        old_value=value_said(row, change.old_value),
        new_value=value_said(row, change.new_value),
        at=change.at,
        block=change.block,
        account=change.account if change.authority == Authority.OWNER else None,
    )


def value_said(row: Hyperparameter | None, value: int) -> str:
    """Say a value in its unit: on, 0.0005 TAO, 360 blocks."""
    if row is None:
        return spoken.count(value)
    if row.is_flag:
        return "on" if value else "off"
    if row.unit == "rao":
        return f"{spoken.tao(value)}{spoken.GAP}TAO"
    return f"{spoken.count(value)}{spoken.GAP}{row.unit}"

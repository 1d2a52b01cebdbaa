"""The hyperparameters of a subnet as they stand, and how they came to stand so."""

from dataclasses import dataclass

from django.db.models import Max

from subnets import clock
from subnets.hyperparameters import HYPERPARAMETERS, Authority, Hyperparameter
from subnets.models import HyperparameterChange, Subnet

# One screen of history; the API pages on from there.
CHANGES_SHOWN = 20
CHANGES_MAX = 100


@dataclass(frozen=True, slots=True)
class HyperparameterLine:
    """A row of the table with its value on one subnet.

    changeable_from_block: from which block on the owner may change it; None for what only root sets.
    """

    row: Hyperparameter
    value: int
    changeable_from_block: int | None

    @property
    def is_default(self) -> bool:
        """Say whether the value is what a new subnet starts with."""
        return self.value == self.row.default


def waiting_hyperparameters(subnet: Subnet) -> dict[str, int]:
    """Return the block from which an owner may change each row again that an owner changed before.

    Root's changes bind no owner. The wait is counted by the tempo of now.
    """
    tempo = subnet.hyperparameters["tempo"]
    changed = dict(
        HyperparameterChange.objects.filter(subnet=subnet, authority=Authority.OWNER)
        .order_by()
        .values_list("name")
        .annotate(block=Max("block"))
    )
    return {
        row.name: changed[row.name] + row.wait_blocks(tempo=tempo)
        for row in HYPERPARAMETERS
        if row.name in changed
    }


def hyperparameter_lines(subnet: Subnet, *, block: int) -> list[HyperparameterLine]:
    """Return the whole table of a subnet at a block, in the order of the table."""
    is_frozen = clock.is_frozen(
        block=block,
        last_epoch_block=subnet.last_epoch_block,
        tempo=subnet.next_epoch_block - subnet.last_epoch_block,
    )
    # A freeze ends with the closing of the epoch, at the earliest in its last block.
    open_block = max(block, subnet.next_epoch_block) if is_frozen else block
    waits = waiting_hyperparameters(subnet)
    return [
        HyperparameterLine(
            row=row,
            value=subnet.hyperparameters[row.name],
            changeable_from_block=max(open_block, waits.get(row.name, 0))
            if row.who is Authority.OWNER
            else None,
        )
        for row in HYPERPARAMETERS
    ]


def hyperparameter_changes(
    netuid: int, *, name: str = "", limit: int = CHANGES_SHOWN, before: int | None = None
) -> list[HyperparameterChange]:
    """List what was changed on a subnet, newest first; of one row by name, older than a change by its id."""
    rows = HyperparameterChange.objects.filter(subnet=netuid).order_by("-id")
    if name:
        rows = rows.filter(name=name)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows[:limit])

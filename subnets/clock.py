"""Turn time into block numbers, and block numbers into due epochs.

There is no chain underneath: a block is a fixed interval since genesis, so every machine that knows
genesis and the interval counts alike. All functions are pure; block numbers are plain ints.

Source of the rules: opentensor/subtensor 14bc6f9f9 (spec 425), coinbase/run_coinbase.rs and
tests/tempo_control.rs.
"""

from datetime import datetime, timedelta

from subnets.errors import EpochTriggerRefused, HyperparametersFrozen

# A subnet is due again at the latest after this many blocks, whatever its schedule says (MAX_TEMPO).
MAX_BLOCKS_BETWEEN_STEPS = 50_400

# Owners may not change parameters in the last blocks before an epoch (AdminFreezeWindow).
FREEZE_WINDOW_BLOCKS = 10

_MILLISECOND = timedelta(milliseconds=1)


def block_at(now: datetime, *, genesis_at: datetime, block_ms: int) -> int:
    """Return the number of the block that is open at `now`.

    Block 0 opens at genesis; a time before genesis is block 0 too. `now` and `genesis_at` are aware.
    """
    assert block_ms > 0
    return max(0, (now - genesis_at) // (block_ms * _MILLISECOND))


def time_of_block(block: int, *, genesis_at: datetime, block_ms: int) -> datetime:
    """Return the instant at which `block` opens: the inverse of `block_at`."""
    assert block_ms > 0
    return genesis_at + block * block_ms * _MILLISECOND


def initial_epoch_block(*, netuid: int, registered_block: int, tempo: int) -> int:
    """Return the last-epoch block a new subnet starts with; there is none before block 0.

    Source: init_new_network, LastEpochBlock = now - netuid mod max(tempo, 1).
    """
    return max(0, registered_block - netuid % max(tempo, 1))


def first_epoch_block(*, netuid: int, registered_block: int, tempo: int) -> int:
    """Return where a new subnet's first epoch ends: `tempo - netuid % tempo` blocks after registration.

    Subnets of one tempo that were registered in the same block thus never fall due in the same block,
    not even in the first blocks of the network, where the start of the epoch is cut off at block 0.
    """
    assert tempo > 0
    return registered_block + tempo - netuid % tempo


def next_epoch_block(*, last_epoch_block: int, tempo: int, pending_epoch_at: int = 0) -> int | None:
    """Return the block of the next epoch; None when tempo is 0, because such a subnet never runs.

    `pending_epoch_at` is the block of an epoch triggered by the owner, 0 for none; the earlier one wins.
    """
    if tempo == 0:
        return None
    automatic = last_epoch_block + tempo
    return min(automatic, pending_epoch_at) if pending_epoch_at else automatic


def blocks_until_next_epoch(*, block: int, last_epoch_block: int, tempo: int) -> int | None:
    """Return how many blocks remain until the automatic epoch, 0 when it is due; None when tempo is 0."""
    if tempo == 0:
        return None
    return max(0, last_epoch_block + tempo - block)


def is_due(
    *,
    block: int,
    last_epoch_block: int,
    tempo: int,
    last_step_block: int | None = None,
    pending_epoch_at: int = 0,
) -> bool:
    """Say whether an epoch must run at `block`.

    Due when the schedule or the owner's trigger is reached, or when the last step that really ran
    (`last_step_block`, None when unknown) lies more than MAX_BLOCKS_BETWEEN_STEPS back. Tempo 0 is never due.
    """
    upcoming = next_epoch_block(
        last_epoch_block=last_epoch_block, tempo=tempo, pending_epoch_at=pending_epoch_at
    )
    if upcoming is None:
        return False
    is_overdue = last_step_block is not None and block - last_step_block > MAX_BLOCKS_BETWEEN_STEPS
    return block >= upcoming or is_overdue


def activity_cutoff_blocks(*, tempo: int, factor_milli: int) -> int:
    """Return after how many blocks without new weights a validator counts as inactive.

    `factor_milli` is per mille of a tempo; 13889 at tempo 360 gives the 5000 blocks of old.
    """
    return max(1, factor_milli * tempo // 1000)


def is_frozen(
    *,
    block: int,
    last_epoch_block: int,
    tempo: int,
    pending_epoch_at: int = 0,
    freeze_window: int = FREEZE_WINDOW_BLOCKS,
) -> bool:
    """Say whether parameters are frozen, because an epoch is near or triggered and counting down."""
    if pending_epoch_at > block:
        return True
    remaining = blocks_until_next_epoch(block=block, last_epoch_block=last_epoch_block, tempo=tempo)
    return remaining is not None and remaining < freeze_window


def check_not_frozen(
    *,
    block: int,
    last_epoch_block: int,
    tempo: int,
    pending_epoch_at: int = 0,
    freeze_window: int = FREEZE_WINDOW_BLOCKS,
) -> None:
    """Refuse a change of parameters by the owner inside the freeze window (root may pass by).

    Raises: HyperparametersFrozen.
    """
    if is_frozen(
        block=block,
        last_epoch_block=last_epoch_block,
        tempo=tempo,
        pending_epoch_at=pending_epoch_at,
        freeze_window=freeze_window,
    ):
        raise HyperparametersFrozen(
            block=block,
            epoch_block=next_epoch_block(
                last_epoch_block=last_epoch_block, tempo=tempo, pending_epoch_at=pending_epoch_at
            ),
        )


def triggered_epoch_block(
    *,
    block: int,
    last_epoch_block: int,
    tempo: int,
    has_commit_reveal: bool,
    pending_epoch_at: int = 0,
    freeze_window: int = FREEZE_WINDOW_BLOCKS,
) -> int:
    """Return the block at which an epoch triggered by the owner at `block` will run.

    Raises: EpochTriggerRefused with reason `commit_reveal` (a shifted epoch would void sealed weights),
    `pending` (one is triggered already) or `imminent` (the automatic epoch comes sooner).
    """
    if has_commit_reveal:
        raise EpochTriggerRefused(reason="commit_reveal")
    if pending_epoch_at:
        raise EpochTriggerRefused(reason="pending")
    remaining = blocks_until_next_epoch(block=block, last_epoch_block=last_epoch_block, tempo=tempo)
    if remaining is not None and remaining < freeze_window:
        raise EpochTriggerRefused(reason="imminent")
    return block + freeze_window

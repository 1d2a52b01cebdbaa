"""Price subnet slots and neuron slots, and choose who leaves when all are taken.

Pure: prices in rao, times in block numbers. Source of the rules: opentensor/subtensor 14bc6f9f9
(spec 425), subnets/registration.rs, subnets/subnet.rs, coinbase/root.rs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

# Q32 numbers: an integer over 2**32, as the chain stores the decay factor of a burn price.
Q32_ONE = 1 << 32

# The multiplier of a burn price is kept per mille: 1260 is the chain's 1.26.
PER_MILLE = 1_000

# 1 TAO of block emission; the decay of a lock cost speeds up as emission halves.
FULL_BLOCK_EMISSION_RAO = 10**9

# An owner keeps this many neurons out of pruning (ImmuneOwnerUidsLimit).
IMMUNE_OWNER_UIDS_LIMIT = 1


def lock_cost(
    *,
    last_lock_rao: int,
    last_lock_block: int,
    block: int,
    interval_blocks: int,
    min_lock_rao: int,
    block_emission_rao: int = FULL_BLOCK_EMISSION_RAO,
) -> int:
    """Return what a subnet slot costs at `block`, in rao.

    Twice the last price right after a registration, the last price one effective interval later, the
    floor after two; before the first registration (`last_lock_block` 0) the last price undoubled.
    The effective interval is `interval_blocks` scaled by today's block emission over 1 TAO.
    Source: get_network_lock_cost.
    """
    interval = interval_blocks * block_emission_rao // FULL_BLOCK_EMISSION_RAO
    decay_per_block_rao = last_lock_rao // interval if interval else 0
    elapsed_blocks = max(0, block - last_lock_block)
    start_rao = last_lock_rao if last_lock_block == 0 else 2 * last_lock_rao
    return max(min_lock_rao, start_rao - decay_per_block_rao * elapsed_blocks)


@lru_cache(maxsize=256)  # half-lives are one hyperparameter per subnet, and subnets are at most 128
def burn_decay_factor(half_life_blocks: int) -> int:
    """Return the largest Q32 factor whose power of `half_life_blocks` is at most one half.

    Powers are taken by square-and-multiply with a floor at each step, as the chain does, so that the
    factor is the chain's to the last bit. A half-life of 0 means no decay: exactly one.
    """
    assert half_life_blocks >= 0
    if half_life_blocks == 0:
        return Q32_ONE
    low, high = 0, Q32_ONE
    while high - low > 1:
        middle = (low + high) // 2
        if _power_q32(middle, half_life_blocks) <= Q32_ONE // 2:
            low = middle
        else:
            high = middle
    return low


def _power_q32(base: int, exponent: int) -> int:
    power = Q32_ONE
    while exponent:
        if exponent & 1:
            power = power * base >> 32
        base = base * base >> 32
        exponent >>= 1
    return power


def burn_decayed(
    *, burn_rao: int, blocks: int, half_life_blocks: int, min_burn_rao: int, max_burn_rao: int
) -> int:
    """Return the price of a neuron slot after `blocks` blocks without a registration.

    Each block floors, so the blocks are walked one by one; the walk ends at the floor price, after
    about half_life * log2(burn / min_burn) blocks at most: some 6 000 steps with default parameters,
    0.6 million with the longest half-life allowed. Source: update_registration_prices.
    """
    assert blocks >= 0
    factor = burn_decay_factor(half_life_blocks)
    for _ in range(blocks):
        decayed_rao = _clamped(burn_rao * factor >> 32, low=min_burn_rao, high=max_burn_rao)
        if decayed_rao == burn_rao:
            break
        burn_rao = decayed_rao
    return burn_rao


def burn_after_registration(
    *, burn_rao: int, increase_per_mille: int, min_burn_rao: int, max_burn_rao: int
) -> int:
    """Return the price after one registration; the payer pays the price before it.

    A multiplier below 1000 per mille counts as 1000. Source: bump_registration_price.
    """
    bumped_rao = burn_rao * max(increase_per_mille, PER_MILLE) // PER_MILLE
    return _clamped(bumped_rao, low=min_burn_rao, high=max_burn_rao)


def _clamped(value: int, *, low: int, high: int) -> int:
    return max(low, min(high, value))


@dataclass(frozen=True, slots=True)
class NeuronStanding:
    """What decides whether a neuron leaves: last epoch's emission, age, and whose it is."""

    uid: int
    emission_rao: int
    registered_block: int
    is_owners: bool = False


def choose_neuron_to_prune(
    neurons: Sequence[NeuronStanding],
    *,
    block: int,
    immunity_period: int,
    min_non_immune_uids: int,
    owner_uid: int | None = None,
    immune_owner_uids_limit: int = IMMUNE_OWNER_UIDS_LIMIT,
) -> int | None:
    """Return the uid that gives way to a newcomer, None when nobody may be removed.

    Least emission leaves first, then the earlier registration, then the lower uid. A neuron is immune
    for `immunity_period` blocks; the non-immune go first while more than `min_non_immune_uids` of them
    exist, else an immune one goes. `owner_uid` (the owner's own hotkey) and the owner's newest other
    neurons, together up to the limit, never leave. Source: get_neuron_to_prune.
    """
    kept = _owner_kept_uids(neurons, owner_uid=owner_uid, limit=immune_owner_uids_limit)
    candidates = [neuron for neuron in neurons if neuron.uid not in kept]
    immune = [n for n in candidates if block - n.registered_block < immunity_period]
    exposed = [n for n in candidates if block - n.registered_block >= immunity_period]
    pool = exposed if len(exposed) > min_non_immune_uids else immune
    leaver = min(pool, key=lambda n: (n.emission_rao, n.registered_block, n.uid), default=None)
    return None if leaver is None else leaver.uid


def _owner_kept_uids(
    neurons: Sequence[NeuronStanding], *, owner_uid: int | None, limit: int
) -> frozenset[int]:
    owned = [neuron for neuron in neurons if neuron.is_owners or neuron.uid == owner_uid]
    owned.sort(key=lambda n: (n.uid != owner_uid, -n.registered_block, n.uid))
    return frozenset(neuron.uid for neuron in owned[:limit])


@dataclass(frozen=True, slots=True)
class SubnetStanding:
    """What decides whether a subnet leaves: its moving price (any common scale) and its age."""

    netuid: int
    moving_price: int
    registered_block: int


def choose_subnet_to_prune(
    subnets: Sequence[SubnetStanding], *, block: int, immunity_period: int
) -> int | None:
    """Return the netuid that gives way to a new subnet, None when all are immune.

    The lowest price leaves, then the earliest registration, then the lowest netuid; a subnet is immune
    for `immunity_period` blocks. Source: get_network_to_prune.
    """
    exposed = [s for s in subnets if block - s.registered_block >= immunity_period]
    leaver = min(
        exposed, key=lambda s: (s.moving_price, s.registered_block, s.netuid), default=None
    )
    return None if leaver is None else leaver.netuid

"""Check and store rows of weights as the chain does: u16 values, relative within a row.

Source: opentensor/subtensor 14bc6f9f9 (spec 425), subnets/weights.rs and epoch/math.rs.
"""

from collections.abc import Mapping, Sequence

from subnets import fixed
from subnets.errors import WeightsRefused
from subnets.fixed import ONE, U16_MAX

# No single weight is ever too large (spec 425: the limit is a constant that rejects nothing).
MAX_WEIGHT_LIMIT = U16_MAX

# Above this maximum the chain divides before it multiplies, to stay within 31 integer bits.
_DIVIDE_FIRST_ABOVE = 32_768 * ONE


def max_upscale_to_u16(values: Sequence[int]) -> list[int]:
    """Scale q32 numbers so that the largest becomes 65535, rounding half up; all zero stays zero.

    Equal to vec_max_upscale_to_u16 to the last unit, overflow guard included.
    """
    highest = max(values, default=0)
    if highest == 0:
        return [0] * len(values)
    if highest > _DIVIDE_FIRST_ABOVE:
        ratio = fixed.div(U16_MAX * ONE, highest)
        scaled = [fixed.mul(value, ratio) for value in values]
    else:
        scaled = [fixed.div(fixed.saturated(value * U16_MAX), highest) for value in values]
    return [min(U16_MAX, (value + fixed.HALF) >> 32) for value in scaled]


def upscaled(row: Mapping[int, int]) -> dict[int, int]:
    """Return a row of whole weights by uid as it is stored: the largest becomes 65535, zeros are kept."""
    values = max_upscale_to_u16([value * ONE for value in row.values()])
    return dict(zip(row, values, strict=True))


def is_max_limited(values: Sequence[int], *, limit_u16: int) -> bool:
    """Say whether no weight, as a part of its row, exceeds the limit."""
    shares = fixed.shares(values)
    return max(shares, default=0) <= fixed.from_u16(limit_u16)


def is_self_weight(uid: int, *, uids: Sequence[int]) -> bool:
    """Say whether a row holds nothing but a validator's weight on itself."""
    return list(uids) == [uid]


def is_long_enough(uid: int, *, uids: Sequence[int], n: int, min_allowed_weights: int) -> bool:
    """Say whether a row weighs enough miners: the minimum or all there are; a lone self weight passes."""
    return is_self_weight(uid, uids=uids) or len(uids) >= min(n, min_allowed_weights)


def is_version_accepted(validator_key: int, *, network_key: int) -> bool:
    """Say whether weights of this version count: the subnet asks for none (0), or for at most it."""
    return network_key == 0 or validator_key >= network_key


def checked_row(
    uid: int, *, uids: Sequence[int], values: Sequence[int], n: int, min_allowed_weights: int
) -> dict[int, int]:
    """Return the row to store for validator `uid`, upscaled, in the order of the chain's checks.

    Raises: WeightsRefused with reason `unequal_length`, `duplicate_uid`, `unknown_uid`, `not_u16` or
    `too_few`. Permit, stake and rate limit are the caller's.
    """
    if len(uids) != len(values):
        raise WeightsRefused(reason="unequal_length")
    if len(set(uids)) != len(uids):
        raise WeightsRefused(reason="duplicate_uid")
    if not all(0 <= other < n for other in uids):
        raise WeightsRefused(reason="unknown_uid")
    if not all(0 <= value <= U16_MAX for value in values):
        raise WeightsRefused(reason="not_u16")
    if not is_long_enough(uid, uids=uids, n=n, min_allowed_weights=min_allowed_weights):
        raise WeightsRefused(reason="too_few")
    return upscaled(dict(zip(uids, values, strict=True)))

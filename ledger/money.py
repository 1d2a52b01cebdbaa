"""Rao and TAO: integers inside, decimal text at the edge, and the two ways to divide without losing a rao.

>>> parse_tao("1.5")
1500000000
>>> format_tao(1_500_000_000)
'1.5'
>>> apportion(1_000, [1, 1, 1])
[334, 333, 333]
>>> share_bps(1_000, 250)
25
"""

import re
from collections.abc import Sequence

from ledger.errors import NotAnAmount

RAO_PER_TAO = 10**9
# The supply of TAO, and of each subnet's alpha, ends here (subtensor: TotalSupply 21_000_000_000_000_000 rao).
MAX_SUPPLY_RAO = 21_000_000 * 10**9
BPS = 10_000
# What a PostgreSQL bigint holds; every amount on the wire and in a row stays within it.
MAX_RAO = 2**63 - 1

# Nine decimals are one rao; eight digits before the point are the whole supply.
_TAO = re.compile(r"(?P<whole>[0-9]{1,8})(?:\.(?P<part>[0-9]{1,9}))?", re.ASCII)


def parse_tao(text: str) -> int:
    """Read what a person typed as TAO into rao, exactly.

    Accepts digits with at most nine decimals, such as "12", "0.5"; surrounding blanks are dropped.
    Raises: NotAnAmount for anything else (signs, exponents, separators) and beyond the supply.
    """
    match = _TAO.fullmatch(text.strip())
    if match is None:
        raise NotAnAmount(text=text[:40])
    rao = int(match["whole"]) * RAO_PER_TAO + int((match["part"] or "").ljust(9, "0"))
    if rao > MAX_SUPPLY_RAO:
        raise NotAnAmount(text=text[:40])
    return rao


def format_tao(rao: int) -> str:
    """Write rao as TAO with no digit lost and no trailing zero; a loss keeps its minus sign."""
    whole, part = divmod(abs(rao), RAO_PER_TAO)
    digits = f"{whole}.{part:09d}".rstrip("0").rstrip(".")
    return f"-{digits}" if rao < 0 else digits


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split a total in proportion to weights so that the parts sum to it exactly.

    Largest remainder (Hamilton): each part gets the floor of its share, and what is left over goes, one
    each, to the largest remainders; equal remainders go to the lower index.
    Raises: ValueError for a negative total, a negative weight, or weights that sum to zero.
    """
    weight_sum = sum(weights)
    if total < 0 or weight_sum <= 0 or min(weights) < 0:
        raise ValueError("a split needs a total and weights of zero or more, not all zero")
    shares = [divmod(total * weight, weight_sum) for weight in weights]
    parts = [floor for floor, _ in shares]
    left_over = total - sum(parts)
    by_remainder = sorted(range(len(parts)), key=lambda index: -shares[index][1])
    for index in by_remainder[:left_over]:
        parts[index] += 1
    assert sum(parts) == total
    return parts


def share_bps(amount_rao: int, bps: int) -> int:
    """Take a share given in basis points (1/10 000), rounded down: the remainder stays with the other side.

    Raises: ValueError for a negative amount or a rate outside 0…10 000.
    """
    if amount_rao < 0 or not 0 <= bps <= BPS:
        raise ValueError("a share needs an amount of zero or more and a rate of 0 to 10 000 bps")
    return amount_rao * bps // BPS

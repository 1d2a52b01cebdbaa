"""Calculate like the chain: I32F32 numbers as plain ints, vectors as lists, matrices as sparse rows.

A number is its value times 2**32. Products floor, quotients truncate toward zero, x / 0 is 0, and
results saturate at the ends of a signed 64-bit word. Python ints neither overflow nor drift, so what
comes out is the chain's word, bit for bit, on every machine.

Source: opentensor/subtensor 14bc6f9f9, pallets/subtensor/src/epoch/math.rs on substrate-fixed.
"""

from collections.abc import Iterable, Sequence

Row = dict[int, int]
"""The entries of one row by column; a missing column is zero, an explicit zero is kept as an entry."""

Matrix = list[Row]
"""One row per uid."""

ONE = 1 << 32
HALF = ONE // 2
U16_MAX = 65_535

_HIGHEST = (1 << 63) - 1
_LOWEST = -(1 << 63)

# exp() clamps its argument: exp(20) = 485 165 195 still fits the 31 integer bits.
_EXP_LIMIT = 20 * ONE

# Inside exp(), 96 fraction bits keep the error of the series far below the last of 32 bits.
_EXP_BITS = 96
_EXP_ONE = 1 << _EXP_BITS
_EXP_LN2 = 54_916_777_467_707_473_351_141_471_128  # floor(ln 2 * 2**96)
_EXP_TERMS = 30  # 0.35**30 / 30! < 2**-150


def saturated(value: int) -> int:
    """Return the value held within a signed 64-bit word."""
    return max(_LOWEST, min(_HIGHEST, value))


def mul(left: int, right: int) -> int:
    """Multiply, rounding down."""
    return saturated(left * right >> 32)


def div(numerator: int, denominator: int) -> int:
    """Divide, rounding toward zero; dividing by zero gives zero."""
    if denominator == 0:
        return 0
    quotient = (abs(numerator) << 32) // abs(denominator)
    return saturated(quotient if (numerator < 0) == (denominator < 0) else -quotient)


def from_u16(value: int) -> int:
    """Read a u16 proportion: 65535 is one."""
    return (value << 32) // U16_MAX


def to_u16(value: int) -> int:
    """Write a proportion as u16, rounding down, clamped to 0…65535."""
    return max(0, min(U16_MAX, value * U16_MAX >> 32))


def exp(value: int) -> int:
    """Return e to the power of `value`, whose magnitude is clamped to 20; the error is below 2**-32.

    The chain's own series differs from this one in its last bits only.
    """
    wide = max(-_EXP_LIMIT, min(_EXP_LIMIT, value)) << _EXP_BITS - 32
    doublings, rest = divmod(wide + _EXP_LN2 // 2, _EXP_LN2)
    rest -= _EXP_LN2 // 2
    term = total = _EXP_ONE
    for index in range(1, _EXP_TERMS):
        term = (term * rest >> _EXP_BITS) // index
        total += term
    shift = _EXP_BITS - 32 - doublings
    return total >> shift


def clamped(value: int, low: int, high: int) -> int:
    """Return the value held between low and high."""
    return max(low, min(high, value))


def normalised(values: Sequence[int]) -> list[int]:
    """Scale a vector to sum to one; all zero stays zero."""
    whole = sum(values)
    return [div(value, whole) for value in values] if whole else list(values)


def row_normalised(matrix: Matrix) -> Matrix:
    """Scale each row to sum to one; a row of zeros stays."""
    result = []
    for row in matrix:
        whole = sum(row.values())
        result.append({j: div(value, whole) for j, value in row.items()} if whole else dict(row))
    return result


def column_sums(matrix: Iterable[Row], *, columns: int) -> list[int]:
    """Return the sum of each column."""
    sums = [0] * columns
    for row in matrix:
        for j, value in row.items():
            sums[j] += value
    return sums


def column_normalised(matrix: Matrix) -> Matrix:
    """Scale each column of a square matrix to sum to one; a column of zeros stays."""
    return _columns_divided(matrix, column_sums(matrix, columns=len(matrix)))


def column_max_upscaled(matrix: Matrix) -> Matrix:
    """Scale each column of a square matrix so that its largest entry is one."""
    highest = [0] * len(matrix)
    for row in matrix:
        for j, value in row.items():
            highest[j] = max(highest[j], value)
    return _columns_divided(matrix, highest)


def _columns_divided(matrix: Matrix, divisors: Sequence[int]) -> Matrix:
    return [
        {j: div(value, divisors[j]) if divisors[j] else value for j, value in row.items()}
        for row in matrix
    ]

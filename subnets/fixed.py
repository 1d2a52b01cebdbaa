"""Calculate like the chain: I32F32 numbers as integers, a value times 2**32, never as floats.

Products floor, quotients truncate toward zero, x / 0 is 0. Single numbers are Python ints; vectors and
matrices are numpy's unsigned 64-bit integers ("words"), and every function says which sizes it takes, so
that nothing wraps around. What comes out is the chain's word, bit for bit, on every machine.

Source: opentensor/subtensor 14bc6f9f9, pallets/subtensor/src/epoch/math.rs; substrate-fixed of encointer.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
"""Numbers of zero or more. Mixing them with signed arrays would give floats: numpy has no wider integer."""

SignedWords = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

ONE = 1 << 32
HALF = ONE // 2
U16_MAX = 65_535

_HIGHEST = (1 << 63) - 1
_LOWEST = -(1 << 63)
_FRACTION = ONE - 1
_LOW_16 = (1 << 16) - 1

# subtensor exp_safe clamps the argument; the largest product on the way, 20**21 / 20!, still fits 31 bits.
_EXP_LIMIT = 20 * ONE

# substrate-fixed sums the series up to the power before its number of fraction bits.
_EXP_POWERS = range(2, 32)

# substrate-fixed answers an argument of exactly one with its constant E: 23 fraction bits, rounded down.
_EXP_OF_ONE = 22_802_600 << 9


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


def shares(amounts: Sequence[int]) -> list[int]:
    """Return each amount's part of the sum, amounts of any size from zero; all zero stays zero."""
    whole = sum(amounts)
    return [(amount << 32) // whole for amount in amounts] if whole else list(amounts)


def words(values: Sequence[int]) -> Words:
    """Return the values as words; they must be ints from 0 to 2**64 - 1."""
    return np.array(values, dtype=np.uint64)


def proportions(values_u16: Words) -> Words:
    """Read u16 proportions: 65535 is one."""
    return (values_u16 << np.uint64(32)) // np.uint64(U16_MAX)


def products(left: Words, right: Words | np.uint64) -> Words:
    """Multiply element by element, rounding down. left: at most one; right: below 2**31 (times 2**32).

    The whole part of `right` is multiplied apart, so that no product reaches 2**64.
    """
    result = left * (right & np.uint64(_FRACTION))
    result >>= np.uint64(32)
    whole = right >> np.uint64(32)
    if whole.any():
        result += left * whole
    return result


def scaled(values: SignedWords, proportion: int) -> SignedWords:
    """Multiply numbers of either sign by a proportion (0 to one), rounding down."""
    fractions = (values & _FRACTION).astype(np.uint64)
    fractions *= np.uint64(proportion)
    fractions >>= np.uint64(32)
    # Two's complement: the bits above the fraction are the floor, below zero as well.
    return (values >> 32) * proportion + fractions.astype(np.int64)


def quotients(numerators: Words, denominators: Words | np.uint64) -> Words:
    """Divide element by element, rounding down; both and the result below 2**48. 0 / 0 is 0.

    Long division in two digits of 16 bits, as a numerator times 2**32 does not fit a word.
    """
    divisors = np.maximum(denominators, np.uint64(1))
    rest = numerators << np.uint64(16)
    result = rest // divisors
    rest -= result * divisors
    rest <<= np.uint64(16)
    rest //= divisors
    result <<= np.uint64(16)
    result |= rest
    return result


def normalised(values: Words) -> Words:
    """Scale a vector of numbers up to 2**15 to sum to one; all zero stays zero."""
    return quotients(values, values.sum(dtype=np.uint64))


def column_normalised(matrix: Words) -> Words:
    """Scale each column to sum to one; a column of zeros stays."""
    return quotients(matrix, matrix.sum(axis=0, dtype=np.uint64))


def column_max_upscaled(matrix: Words) -> Words:
    """Scale each column so that its largest entry is one; a column of zeros stays."""
    return quotients(matrix, matrix.max(axis=0, initial=0))


def reciprocals(values: Words) -> Words:
    """Return 1 / value, rounding down, for values from one up to 2**30 (times 2**32)."""
    top = np.uint64(1 << 63)
    result = top // values
    rest = top - result * values
    # One more binary digit of the long division: 2**64 itself does not fit a word.
    return (result << np.uint64(1)) + (rest << np.uint64(1) >= values)


def exponentials(arguments: SignedWords) -> Words:
    """Return e to the power of each argument, held within -20…20, to the chain's last bit.

    The chain sums x**k / k! up to k = 31, flooring each term; so exp(20) comes out 0.8 % low. A negative
    argument gives 1 / exp(-x); an argument of exactly one gives a constant of 23 bits.
    Source: substrate-fixed transcendental.rs exp; subtensor exp_safe.
    """
    size = np.minimum(np.abs(arguments), _EXP_LIMIT).astype(np.uint64)
    result = size + np.uint64(ONE)
    term = size.copy()
    largest = peak = int(size.max(initial=0))  # the largest argument has the largest terms
    halves = size & np.uint64(_LOW_16), size >> np.uint64(16)
    for power in _EXP_POWERS:
        if peak == 0:
            break
        if peak * largest < 1 << 64:
            term *= size
            term //= np.uint64(power << 32)
        elif peak * ((largest >> 16) + 1) < 1 << 64:
            _multiply_by_halves(term, halves)
            term //= np.uint64(power << 16)
        else:
            whole = term >> np.uint64(32)
            term &= np.uint64(_FRACTION)
            _multiply_by_halves(term, halves)
            term >>= np.uint64(16)
            term += whole * size
            term //= np.uint64(power)
        peak = (peak * largest >> 32) // power
        result += term
    negative = arguments < 0
    result[negative] = reciprocals(result[negative])
    result[arguments == ONE] = _EXP_OF_ONE
    return result


def _multiply_by_halves(term: Words, halves: tuple[Words, Words]) -> None:
    """Make term, in place, floor(term * size / 2**16), with the size in halves of 16 bits."""
    low, high = halves
    carried = term * low
    carried >>= np.uint64(16)
    term *= high
    term += carried

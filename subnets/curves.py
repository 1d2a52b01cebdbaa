"""Logarithm and exponential in integers: the same bits on every machine, which no C library promises.

Numbers are integers with 96 binary places (`ONE` is 1.0). Tables made with correctly rounded decimals
bring the argument close to 1 or 0; a short series does the rest. The error stays below 2**-86, so of two
scores that differ by one unit in 2**63 the greater never gets the lesser result.
"""

from decimal import Context, Decimal
from functools import cache

PLACES = 96
ONE = 1 << PLACES
_TABLE_BITS = 8
_TABLE = 1 << _TABLE_BITS
_RECIPROCAL_BITS = 16
_EXACT = Context(prec=45, traps=[])  # 45 digits are 149 bits: 53 more than are kept


def ln_of(whole: int) -> int:
    """Return the natural logarithm of a whole number above zero."""
    assert whole > 0
    ln_two, reciprocals, logs, _, _ = _tables()
    bits = whole.bit_length()
    shift = PLACES + 1 - bits
    mantissa = whole << shift if shift >= 0 else whole >> -shift  # 1 <= mantissa < 2
    place = (mantissa >> (PLACES - _TABLE_BITS)) - _TABLE
    near_one = mantissa * reciprocals[place] >> _RECIPROCAL_BITS
    # ln(y) = 2 atanh(z), z = (y - 1) / (y + 1); |z| < 2**-10, so z**9 is the last term above 2**-96.
    z = ((near_one - ONE) << PLACES) // (near_one + ONE)
    square = z * z >> PLACES
    series = ONE // 9
    for odd in (7, 5, 3, 1):
        series = ONE // odd + (series * square >> PLACES)
    return (bits - 1) * ln_two + logs[place] + (2 * z * series >> PLACES)


def exp_of_minus(exponent: int) -> int:
    """Return e**-exponent for an exponent >= 0; zero from about 66.5 on."""
    assert exponent >= 0
    ln_two, _, _, coarse, fine = _tables()
    halvings, rest = divmod(exponent, ln_two)
    if halvings > PLACES:
        return 0
    first, rest = divmod(rest, ONE >> _TABLE_BITS)
    second, rest = divmod(rest, ONE >> 2 * _TABLE_BITS)
    series = ONE - rest // 6  # rest < 2**-16: the sixth term is below 2**-96
    for term in (5, 4, 3, 2, 1):
        series = ONE - (rest * series >> PLACES) // term
    return ((coarse[first] * fine[second] >> PLACES) * series >> PLACES) >> halvings


@cache
def _tables() -> tuple[int, list[int], list[int], list[int], list[int]]:
    """Return ln 2; rounded reciprocals of 1 + i/256 and their logarithms, negated; two exp tables."""
    reciprocals = [
        (1 << (_RECIPROCAL_BITS + _TABLE_BITS + 1)) // (2 * (_TABLE + place) + 1)
        for place in range(_TABLE)
    ]
    whole = Decimal(1 << _RECIPROCAL_BITS)
    logs = [-_fixed(_EXACT.ln(_EXACT.divide(Decimal(one), whole))) for one in reciprocals]
    coarse = [_fixed(_EXACT.exp(_EXACT.divide(Decimal(-n), _TABLE))) for n in range(_TABLE)]
    fine = [_fixed(_EXACT.exp(_EXACT.divide(Decimal(-n), _TABLE**2))) for n in range(_TABLE)]
    return _fixed(_EXACT.ln(Decimal(2))), reciprocals, logs, coarse, fine


def _fixed(number: Decimal) -> int:
    """Return a decimal with 96 binary places, rounded to the nearest."""
    return int(_EXACT.to_integral_value(_EXACT.multiply(number, Decimal(ONE))))

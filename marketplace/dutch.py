"""Prices that nobody bids for: the first to take one has the subnet. Pure, and in integers alone.

A curve says the price so many whole seconds after opening; curves are swappable. The house lets prices fall
along `Exponential`, as ENS does: people who would pay ten times the floor and people who would pay twice are
a few half-lives apart, where along a straight line nearly all would wait for its last tenth. What a buyer
pays is rounded up to the rao, so no price lies below its curve.

Vectors: the `dutch` part of tests/vectors/proxy_bidding.json, which names the source of each curve.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import isqrt
from typing import Protocol

from compute.errors import PriceAboveLimit
from marketplace.errors import AuctionClosed, AuctionNotOpenYet

# Fractions are integers over ONE. The supply has 55 bits and a rounding step costs one unit, so that 64
# steps stay far below a rao, and far below what one second of the slowest fall is worth.
SCALE_BITS = 128
ONE = 1 << SCALE_BITS
# A half-life is cut into 2**64 parts; seconds are told apart with room to spare.
FRACTION_BITS = 64


class Curve(Protocol):
    """A price by the seconds since opening; it never rises."""

    def price_rao(self, elapsed_s: int) -> int:
        """Return the price so many whole seconds after opening."""


@dataclass(frozen=True, slots=True)
class Level:
    """One price from opening to close."""

    level_rao: int

    def price_rao(self, elapsed_s: int) -> int:
        """Return the price, whatever the time."""
        assert elapsed_s >= 0
        return self.level_rao


@dataclass(frozen=True, slots=True)
class Linear:
    """A straight line from one price to another over duration_s."""

    start_rao: int
    end_rao: int
    duration_s: int

    def price_rao(self, elapsed_s: int) -> int:
        """Return the point on the line, rounded up; the end price from duration_s on."""
        assert elapsed_s >= 0
        left_s = max(0, self.duration_s - elapsed_s)
        return self.end_rao + _ratio_up((self.start_rao - self.end_rao) * left_s, self.duration_s)


@dataclass(frozen=True, slots=True)
class Stepped:
    """A stair: step_rao less every every_s, down to a floor."""

    start_rao: int
    step_rao: int
    every_s: int
    floor_rao: int

    def price_rao(self, elapsed_s: int) -> int:
        """Return the price of the stair that was reached."""
        assert elapsed_s >= 0
        return max(self.floor_rao, self.start_rao - self.step_rao * (elapsed_s // self.every_s))


@dataclass(frozen=True, slots=True)
class Halving:
    """A premium that halves every half_life_s, less what would be left of it after duration_s: it ends at zero.

    The curve of ENS: what is taken off at the end is taken off from the beginning, so it begins that much lower.
    """

    premium_rao: int
    half_life_s: int
    duration_s: int

    def price_rao(self, elapsed_s: int) -> int:
        """Return the premium, rounded up; zero from duration_s on."""
        assert elapsed_s >= 0
        return _ratio_up(self.premium_rao * _above_end(self, elapsed_s), ONE)


@dataclass(frozen=True, slots=True)
class Exponential:
    """The curve of the house: `Halving` stretched so that it begins at start_rao and ends at floor_rao, both exactly."""

    start_rao: int
    floor_rao: int
    half_life_s: int
    duration_s: int

    def price_rao(self, elapsed_s: int) -> int:
        """Return floor plus premium, rounded up."""
        assert elapsed_s >= 0
        premium_rao = self.start_rao - self.floor_rao
        shape = Halving(premium_rao, self.half_life_s, self.duration_s)
        return self.floor_rao + _ratio_up(
            premium_rao * _above_end(shape, elapsed_s), _above_end(shape, 0)
        )


@dataclass(frozen=True, slots=True)
class Tag:
    """A price on a subnet or a slot, from opening to close."""

    curve: Curve
    opens_at: datetime
    closes_at: datetime

    def price_rao(self, *, now: datetime) -> int:
        """Return the price at an instant; before opening the first one, after the close the last."""
        within = min(max(now, self.opens_at), self.closes_at)
        return self.curve.price_rao(int((within - self.opens_at).total_seconds()))

    def points(self, *, count: int) -> Iterator[tuple[datetime, int]]:
        """Yield so many instants with their prices, evenly from opening to close."""
        for index in range(count):
            at = self.opens_at + (self.closes_at - self.opens_at) * index / (count - 1)
            yield at, self.price_rao(now=at)


def check_take(tag: Tag, *, max_price_rao: int, now: datetime) -> int:
    """Return the price that is paid now, or say why nothing can be taken.

    Raises: AuctionNotOpenYet, AuctionClosed, PriceAboveLimit.
    """
    if now < tag.opens_at:
        raise AuctionNotOpenYet(opens_at=tag.opens_at)
    if now >= tag.closes_at:
        raise AuctionClosed(closes_at=tag.closes_at)
    return within_limit(tag.price_rao(now=now), max_price_rao=max_price_rao)


def within_limit(price_rao: int, *, max_price_rao: int) -> int:
    """Return a price that a buyer agreed to. Raises: PriceAboveLimit."""
    if price_rao > max_price_rao:
        raise PriceAboveLimit(price_rao=price_rao, max_price_rao=max_price_rao)
    return price_rao


def seconds(length: timedelta) -> int:
    """Return the whole seconds of a length."""
    return length // timedelta(seconds=1)


def _above_end(shape: Halving, elapsed_s: int) -> int:
    """Return 2**(-elapsed / half-life) less 2**(-duration / half-life), over ONE; zero at the end."""
    end = _two_to_minus(shape.duration_s, shape.half_life_s)
    return _two_to_minus(min(elapsed_s, shape.duration_s), shape.half_life_s) - end


def _two_to_minus(elapsed_s: int, half_life_s: int) -> int:
    """Return 2**(-elapsed / half-life) over ONE: whole halvings are exact, what is between is a product of roots."""
    halvings, rest_s = divmod(elapsed_s, half_life_s)
    fraction = (rest_s << FRACTION_BITS) // half_life_s
    factor = ONE
    for place, root in enumerate(_roots(), start=1):
        if fraction >> (FRACTION_BITS - place) & 1:
            factor = factor * root >> SCALE_BITS
    return factor >> halvings


@cache
def _roots() -> tuple[int, ...]:
    """Return 2**(-1/2), 2**(-1/4), … over ONE: each is the square root of the one before."""
    roots = [isqrt(ONE * ONE // 2)]
    while len(roots) < FRACTION_BITS:
        roots.append(isqrt(roots[-1] * ONE))
    return tuple(roots)


def _ratio_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)

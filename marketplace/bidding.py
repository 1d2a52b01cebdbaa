"""The English auction with hidden maxima, as pure functions: who leads, at what price, until when.

A bidder states a maximum; the house bids for them, no further than it must. Price and leader are
derived from (terms, live maxima with their order), so the log of bids alone re-derives every figure
shown. Nothing here reads a clock or a row: the caller holds the auction's lock and passes `now`.

Rule numbers R0-R14 are those of tests/vectors/proxy_bidding.json, which names the source of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from uuid import UUID

from marketplace.errors import (
    AuctionClosed,
    AuctionNotOpenYet,
    AuctionStillOpen,
    BidTooLow,
    BuyNowGone,
    MaximumNotRaised,
)

Increments = tuple[tuple[int, int], ...]
"""Rows of (from_rao, step_rao), ascending: the step in force at a price is that of the last row at or below it."""

# eBay's table with one TAO in the place of one dollar: steps of 1 to 5 % up to 2 500 TAO, then under 2 %.
TAO_INCREMENTS: Increments = (
    (0, 50_000_000),
    (1_000_000_000, 250_000_000),
    (5_000_000_000, 500_000_000),
    (25_000_000_000, 1_000_000_000),
    (100_000_000_000, 2_500_000_000),
    (250_000_000_000, 5_000_000_000),
    (500_000_000_000, 10_000_000_000),
    (1_000_000_000_000, 25_000_000_000),
    (2_500_000_000_000, 50_000_000_000),
    (5_000_000_000_000, 100_000_000_000),
)

# An auction keeps the number of the table it opened with: a new table never moves a running price.
INCREMENTS_BY_VERSION: Mapping[int, Increments] = MappingProxyType({1: TAO_INCREMENTS})
INCREMENTS_NEWEST = max(INCREMENTS_BY_VERSION)


class SoftCloseMode(StrEnum):
    """How a late bid moves the end (R7)."""

    RESET_TO = "reset_to"  # at least extend_s remain from the bid
    ADD = "add"  # extend_s are added to the end


class SelfRaisePolicy(StrEnum):
    """What happens to the price when the leader raises their own maximum (R6)."""

    RECOMPUTE = "recompute"  # the price rule is applied again: it moves only if the old maximum held it down
    NEVER_SELF = "never_self"  # the price stays, unless the raise reaches the reserve


class ReserveUnmetPolicy(StrEnum):
    """What is shown while no maximum reaches the reserve (R5)."""

    INCREMENTS = "increments"  # the usual price
    JUMP_TO_MAX = "jump_to_max"  # the leader's whole maximum


@dataclass(frozen=True, slots=True)
class SoftClose:
    """A bid in the last window_s seconds moves the end by extend_s, in all never more than cap_s."""

    mode: SoftCloseMode
    window_s: int
    extend_s: int
    cap_s: int | None

    def __post_init__(self) -> None:
        assert self.window_s >= 0
        assert self.extend_s >= 0
        assert self.cap_s is None or self.cap_s >= 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What the seller fixed before the first bid. closes_at is the original end; it never changes."""

    start_rao: int
    reserve_rao: int | None
    increments: Increments
    opens_at: datetime
    closes_at: datetime
    soft_close: SoftClose | None = None
    buy_now_rao: int | None = None
    self_raise_policy: SelfRaisePolicy = SelfRaisePolicy.RECOMPUTE
    reserve_unmet_policy: ReserveUnmetPolicy = ReserveUnmetPolicy.INCREMENTS

    def __post_init__(self) -> None:
        assert self.start_rao > 0
        assert self.reserve_rao is None or self.reserve_rao > 0
        assert self.buy_now_rao is None or self.buy_now_rao > 0
        assert self.opens_at < self.closes_at
        assert self.increments
        assert self.increments[0][0] <= self.start_rao
        assert all(below[0] < above[0] for below, above in pairwise(self.increments))
        assert all(step > 0 for _, step in self.increments)


@dataclass(frozen=True, slots=True)
class Maximum:
    """The most a bidder will pay. The sequence is given under the auction's lock; a raise gets a new one (R4)."""

    bidder: UUID
    max_rao: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Play:
    """An auction at one instant: its terms, one live maximum per bidder, its present end, the price last shown.

    price_rao matters only under NEVER_SELF, where the price depends on history; otherwise it is derived.
    """

    terms: Terms
    maxima: tuple[Maximum, ...]
    closes_at: datetime
    price_rao: int | None = None

    def __post_init__(self) -> None:
        assert len({maximum.bidder for maximum in self.maxima}) == len(self.maxima)
        assert all(maximum.max_rao >= self.terms.start_rao for maximum in self.maxima)
        assert self.closes_at >= self.terms.closes_at


@dataclass(frozen=True, slots=True)
class Standing:
    """What everybody may see. No field tells the reserve or a maximum before the price has reached it."""

    leader: UUID | None
    price_rao: int | None
    min_next_rao: int
    reserve_met: bool
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """A bid that stands: the auction before and after it, and the maximum to record."""

    maximum: Maximum
    before: Standing
    standing: Standing
    play: Play

    @property
    def leads(self) -> bool:
        """Say whether the bidder leads now; a bid may be accepted and be outbid in the same breath."""
        return self.standing.leader == self.maximum.bidder

    @property
    def outbid(self) -> UUID | None:
        """Name who lost the lead to this bid."""
        return self.before.leader if self.before.leader != self.standing.leader else None

    @property
    def extended(self) -> bool:
        """Say whether the bid moved the end."""
        return self.standing.closes_at > self.before.closes_at


class UnsoldReason(StrEnum):
    """Why an auction ended without a sale (R10)."""

    NO_BIDS = "no_bids"
    RESERVE_NOT_MET = "reserve_not_met"


@dataclass(frozen=True, slots=True)
class Sold:
    """The winner owes the price, never more than their maximum."""

    winner: UUID
    price_rao: int


@dataclass(frozen=True, slots=True)
class Unsold:
    """Nobody owes anything. With bids below the reserve, the highest bidder and price are told to the seller."""

    reason: UnsoldReason
    high_bidder: UUID | None = None
    price_rao: int | None = None


Outcome = Sold | Unsold


def increment(price_rao: int, increments: Increments) -> int:
    """Return the step in force at a price (R0).

    Example:
        >>> increment(100_000_000_000, TAO_INCREMENTS)
        2500000000
    """
    steps = [step for from_rao, step in increments if from_rao <= price_rao]
    assert steps, "a price below the table has no step"
    return steps[-1]


def opening(terms: Terms) -> Play:
    """Return the auction before its first bid."""
    return Play(terms=terms, maxima=(), closes_at=terms.closes_at)


def standing(play: Play) -> Standing:
    """Derive leader, price and next minimum from the live maxima (R1-R5)."""
    terms = play.terms
    if not play.maxima:
        return Standing(
            leader=None,
            price_rao=None,
            min_next_rao=terms.start_rao,
            reserve_met=terms.reserve_rao is None,
            closes_at=play.closes_at,
        )
    price_rao = _derived_price(terms, play.maxima)
    if terms.self_raise_policy is SelfRaisePolicy.NEVER_SELF and play.price_rao is not None:
        price_rao = play.price_rao
    return Standing(
        leader=_ranked(play.maxima)[0].bidder,
        price_rao=price_rao,
        min_next_rao=price_rao + increment(price_rao, terms.increments),
        reserve_met=terms.reserve_rao is None or price_rao >= terms.reserve_rao,
        closes_at=play.closes_at,
    )


def foremost(play: Play) -> Play:
    """Keep the leader's maximum and the runner-up's: no other changes what a bid does or what stands after it.

    A price is made of the first two alone, and whoever is neither states more than both have of them or is refused:
    checking a bid against this play and against the whole one comes to the same, bid after bid.
    """
    return replace(play, maxima=tuple(_ranked(play.maxima)[:2]))


def check_bid(play: Play, *, bidder: UUID, max_rao: int, sequence: int, now: datetime) -> Accepted:
    """Accept a maximum, or say why not.

    sequence: above every earlier one of this auction, given under its lock (R4, R14).
    Raises: AuctionNotOpenYet, AuctionClosed, MaximumNotRaised (the leader), BidTooLow (anybody else).
    """
    _check_open(play, now=now)
    assert all(maximum.sequence < sequence for maximum in play.maxima)
    before = standing(play)
    if bidder == before.leader:
        own_rao = _ranked(play.maxima)[0].max_rao
        if max_rao <= own_rao:
            raise MaximumNotRaised(maximum_rao=own_rao, amount_rao=max_rao)
    elif max_rao < before.min_next_rao:
        raise BidTooLow(minimum_rao=before.min_next_rao, amount_rao=max_rao)

    maximum = Maximum(bidder=bidder, max_rao=max_rao, sequence=sequence)
    maxima = (*(m for m in play.maxima if m.bidder != bidder), maximum)
    moved = replace(play, maxima=maxima, price_rao=_price_after(play, before, maxima))
    after = standing(moved)
    if (after.leader, after.price_rao) != (before.leader, before.price_rao):
        moved = replace(moved, closes_at=_end_after(play, now=now))
        after = standing(moved)
    return Accepted(maximum=maximum, before=before, standing=after, play=moved)


def void(play: Play, *, bidder: UUID) -> Play:
    """Remove a bidder's maximum by an operator's hand; only this can lower a price (R11). The end stays."""
    maxima = tuple(maximum for maximum in play.maxima if maximum.bidder != bidder)
    price_rao = _derived_price(play.terms, maxima) if maxima else None
    return replace(play, maxima=maxima, price_rao=price_rao)


def buy_now_is_offered(play: Play) -> bool:
    """Say whether the buy-now price still stands: until the first bid, or with a reserve until it is met (R9)."""
    if play.terms.buy_now_rao is None:
        return False
    return not play.maxima or not standing(play).reserve_met


def check_buy_now(play: Play, *, bidder: UUID, now: datetime) -> Sold:
    """Sell at the buy-now price at once, or say why not.

    Raises: AuctionNotOpenYet, AuctionClosed, BuyNowGone.
    """
    _check_open(play, now=now)
    if play.terms.buy_now_rao is None or not buy_now_is_offered(play):
        raise BuyNowGone(min_next_rao=standing(play).min_next_rao)
    return Sold(winner=bidder, price_rao=play.terms.buy_now_rao)


def outcome(play: Play, *, now: datetime) -> Outcome:
    """Decide an auction whose end has come (R10).

    Raises: AuctionStillOpen before the present end, which may lie after the original one.
    """
    if now < play.closes_at:
        raise AuctionStillOpen(closes_at=play.closes_at)
    final = standing(play)
    if final.leader is None or final.price_rao is None:
        return Unsold(reason=UnsoldReason.NO_BIDS)
    if not final.reserve_met:
        return Unsold(
            reason=UnsoldReason.RESERVE_NOT_MET,
            high_bidder=final.leader,
            price_rao=final.price_rao,
        )
    return Sold(winner=final.leader, price_rao=final.price_rao)


def _check_open(play: Play, *, now: datetime) -> None:
    """Refuse outside [opens_at, closes_at) (R8)."""
    if now < play.terms.opens_at:
        raise AuctionNotOpenYet(opens_at=play.terms.opens_at)
    if now >= play.closes_at:
        raise AuctionClosed(closes_at=play.closes_at)


def _ranked(maxima: Sequence[Maximum]) -> list[Maximum]:
    """Order maxima, highest first; of equal ones the earlier leads (R4)."""
    return sorted(maxima, key=lambda maximum: (-maximum.max_rao, maximum.sequence))


def _derived_price(terms: Terms, maxima: Sequence[Maximum]) -> int:
    """Return one step above the runner-up, at most the leader's maximum, lifted to a reserve it reaches (R3, R5)."""
    first, *others = _ranked(maxima)
    price_rao = terms.start_rao
    if others:
        runner_up_rao = others[0].max_rao
        step_rao = increment(runner_up_rao, terms.increments)
        price_rao = min(first.max_rao, runner_up_rao + step_rao)
    if terms.reserve_rao is None:
        return price_rao
    if first.max_rao >= terms.reserve_rao:
        return max(price_rao, terms.reserve_rao)
    if terms.reserve_unmet_policy is ReserveUnmetPolicy.JUMP_TO_MAX:
        return first.max_rao
    return price_rao


def _price_after(play: Play, before: Standing, maxima: tuple[Maximum, ...]) -> int:
    """Return the price once the last of maxima is in, by the self-raise policy (R6)."""
    terms, newest = play.terms, maxima[-1]
    raises_self = before.price_rao is not None and newest.bidder == before.leader
    if not raises_self or terms.self_raise_policy is SelfRaisePolicy.RECOMPUTE:
        return _derived_price(terms, maxima)
    assert before.price_rao is not None
    if terms.reserve_rao is not None and newest.max_rao >= terms.reserve_rao:
        return max(before.price_rao, terms.reserve_rao)
    return before.price_rao


def _end_after(play: Play, *, now: datetime) -> datetime:
    """Return the end after a bid at `now` that moved price or leader; never earlier than the present end (R7)."""
    soft_close = play.terms.soft_close
    if soft_close is None or now < play.closes_at - timedelta(seconds=soft_close.window_s):
        return play.closes_at
    extend = timedelta(seconds=soft_close.extend_s)
    match soft_close.mode:
        case SoftCloseMode.RESET_TO:
            closes_at = max(play.closes_at, now + extend)
        case SoftCloseMode.ADD:
            closes_at = play.closes_at + extend
    if soft_close.cap_s is None:
        return closes_at
    latest = play.terms.closes_at + timedelta(seconds=soft_close.cap_s)
    return max(play.closes_at, min(closes_at, latest))

"""Who may do what in a negotiation over a subnet, and what stands after it. Pure.

A buyer offers. Then whoever's turn it is accepts the figure on the table, declines it, or counters with another.
The buyer's newest own amount is the promise: it is set aside while the negotiation is open, and free once it
ended. An owner's counter asks for more than was promised; it binds the buyer to nothing until they accept, and
stands no longer than the promise: nobody's money is set aside past the instant they named themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from ledger.money import MAX_SUPPLY_RAO
from marketplace.errors import (
    NotYourMove,
    OfferChanged,
    OfferEnded,
    OfferLapsed,
    OfferTermsInvalid,
    TooManyMoves,
)

# An owner needs an hour to see an offer at all; longer than a month nobody knows what a subnet will be worth.
VALID_S_MIN = 3600
VALID_S_MAX = 30 * 24 * 3600
# Ten figures of each side: who has not met by then will not, and every figure is a page to read.
FIGURES_MAX = 20


class Side(StrEnum):
    """Whose move it is."""

    BUYER = "buyer"
    OWNER = "owner"


class Act(StrEnum):
    """What somebody does in a negotiation."""

    OFFER = "offer"
    """The buyer's first figure."""
    ACCEPT = "accept"
    """The figure on the table is paid, and the subnet changes hands."""
    COUNTER = "counter"
    """Another figure in place of the one on the table."""
    DECLINE = "decline"
    """No, and no figure in its place."""
    WITHDRAW = "withdraw"
    """The buyer takes the promise back."""


class State(StrEnum):
    """Where a negotiation stands. The words are those of `Offer.State`."""

    OWNERS_TURN = "owners_turn"
    BUYERS_TURN = "buyers_turn"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"

    @property
    def is_open(self) -> bool:
        """Tell whether the buyer's money is set aside, and somebody may still answer."""
        return self in MAY

    @property
    def spoken(self) -> str:
        """Say the state within a sentence."""
        return SPOKEN[self]


SPOKEN = {
    State.OWNERS_TURN: "the owner is to answer",
    State.BUYERS_TURN: "the buyer is to answer",
    State.ACCEPTED: "it was accepted",
    State.DECLINED: "it was declined",
    State.WITHDRAWN: "it was withdrawn",
    State.EXPIRED: "it expired",
    State.SUPERSEDED: "the subnet was sold otherwise",
}

ANSWERS = frozenset({Act.ACCEPT, Act.DECLINE, Act.COUNTER})
MAY: Mapping[State, Mapping[Side, frozenset[Act]]] = MappingProxyType(
    {
        State.OWNERS_TURN: {Side.OWNER: ANSWERS, Side.BUYER: frozenset({Act.WITHDRAW})},
        # An owner may break off at any time; a counter was never more than a question.
        State.BUYERS_TURN: {
            Side.OWNER: frozenset({Act.DECLINE}),
            Side.BUYER: ANSWERS | {Act.WITHDRAW},
        },
    }
)
ENDS = {
    Act.ACCEPT: State.ACCEPTED,
    Act.DECLINE: State.DECLINED,
    Act.WITHDRAW: State.WITHDRAWN,
}
TURN_AFTER = {Side.BUYER: State.OWNERS_TURN, Side.OWNER: State.BUYERS_TURN}


@dataclass(frozen=True, slots=True)
class Figure:
    """An amount that somebody names, and for how long it is good."""

    amount_rao: int
    valid_s: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a negotiation stands.

    amount_rao, expires_at: the figure on the table, and when it lapses.
    promised_rao, promised_until: the buyer's newest own amount, and how long they promised it.
    """

    state: State
    amount_rao: int
    expires_at: datetime
    promised_rao: int
    promised_until: datetime
    figure_count: int = 1

    @property
    def held_rao(self) -> int:
        """Return what is set aside of the buyer's wallet."""
        return self.promised_rao if self.state.is_open else 0


def opened(figure: Figure, *, now: datetime) -> Standing:
    """Return what stands after a first offer. Raises: OfferTermsInvalid."""
    _check(figure)
    until = now + timedelta(seconds=figure.valid_s)
    return Standing(
        state=State.OWNERS_TURN,
        amount_rao=figure.amount_rao,
        expires_at=until,
        promised_rao=figure.amount_rao,
        promised_until=until,
    )


def countered(standing: Standing, *, side: Side, figure: Figure, now: datetime) -> Standing:
    """Return what stands after a counter: of the buyer a new promise, of the owner a higher price.

    Raises: OfferEnded, OfferLapsed, NotYourMove, TooManyMoves, OfferTermsInvalid.
    """
    _require(standing, side=side, act=Act.COUNTER, now=now)
    if standing.figure_count >= FIGURES_MAX:
        raise TooManyMoves(figures_max=FIGURES_MAX)
    _check(figure, against=standing)
    until = now + timedelta(seconds=figure.valid_s)
    after = replace(
        standing,
        state=TURN_AFTER[side],
        amount_rao=figure.amount_rao,
        figure_count=standing.figure_count + 1,
    )
    if side is Side.OWNER:
        return replace(after, expires_at=min(until, standing.promised_until))
    return replace(after, expires_at=until, promised_rao=figure.amount_rao, promised_until=until)


def ended(
    standing: Standing, *, side: Side, act: Act, now: datetime, expected_rao: int | None = None
) -> Standing:
    """Return what stands after an act that ends a negotiation. expected_rao: the figure that is agreed to.

    Raises: OfferEnded, OfferLapsed, NotYourMove, OfferChanged.
    """
    _require(standing, side=side, act=act, now=now)
    if act is Act.ACCEPT and expected_rao != standing.amount_rao:
        raise OfferChanged(expected_rao=expected_rao, amount_rao=standing.amount_rao)
    return replace(standing, state=ENDS[act])


def closed(standing: Standing, state: State) -> Standing:
    """Return what stands after an end that nobody said: the clock's, or another sale's."""
    assert standing.state.is_open
    assert state in {State.EXPIRED, State.SUPERSEDED}
    return replace(standing, state=state)


def may(state: State, side: Side) -> frozenset[Act]:
    """Return what a side may do in a state.

    Example:
        >>> sorted(may(State.OWNERS_TURN, Side.BUYER)), sorted(may(State.ACCEPTED, Side.OWNER))
        ([<Act.WITHDRAW: 'withdraw'>], [])
    """
    return MAY.get(state, {}).get(side, frozenset())


def _require(standing: Standing, *, side: Side, act: Act, now: datetime) -> None:
    """Refuse an act that its side cannot do now. Money is taken back at any hour, lapsed or not."""
    if not standing.state.is_open:
        raise OfferEnded(state=standing.state.spoken)
    if act not in may(standing.state, side):
        raise NotYourMove(act=act.value, state=standing.state.spoken)
    if standing.expires_at <= now and act is not Act.WITHDRAW:
        raise OfferLapsed(expires_at=standing.expires_at)


def _check(figure: Figure, *, against: Standing | None = None) -> None:
    """Refuse a figure that cannot stand, or that says less than yes to the one on the table."""
    rao = figure.amount_rao
    reasons = [
        ("the amount lies above zero and within the supply", 0 < rao <= MAX_SUPPLY_RAO),
        (
            f"it is good for {VALID_S_MIN // 3600} hour to {VALID_S_MAX // 86_400} days",
            VALID_S_MIN <= figure.valid_s <= VALID_S_MAX,
        ),
    ]
    if against is not None and against.state is State.OWNERS_TURN:
        reasons.append(("a counter asks for more than was offered", rao > against.promised_rao))
    elif against is not None:
        reasons.append(("a counter offers less than is asked for", rao < against.amount_rao))
    for reason, is_fine in reasons:
        if not is_fine:
            raise OfferTermsInvalid(reason=reason)

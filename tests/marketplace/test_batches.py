"""A batch of bids is the same bids one by one: what is answered, what stands, what is set aside."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import DomainError, InsufficientFunds
from marketplace import batches, bidding
from marketplace.batches import Request
from marketplace.bidding import Accepted
from tests.marketplace.test_bidding_properties import AMOUNTS, TERMS, A, B, C, D, at

ASKED = st.lists(
    st.tuples(st.sampled_from([A, B, C, D]), AMOUNTS, st.integers(-5, 300)), max_size=25
)
PURSES = st.fixed_dictionaries({who: st.sampled_from([0, 8_000, 30_000, 10**6]) for who in (A, B, C, D)})  # fmt: skip


@dataclass
class House:
    """One auction and the purses of its bidders, kept as the ledger keeps them: one hold, of who leads."""

    play: bidding.Play
    purses: dict
    sequence: int = 0
    hold: tuple = (None, 0)
    said: list = field(default_factory=list)

    def funds_rao(self, bidder):
        """Return what is free with what is held here already, which is the whole purse: nothing is held elsewhere."""
        return self.purses[bidder]

    def place(self, requests):
        """Place bids as the operation does."""
        outcomes = batches.decide(
            self.play, requests, sequence=self.sequence, funds_rao=self.funds_rao
        )
        for request, outcome in zip(requests, outcomes, strict=True):
            match outcome:
                case Accepted():
                    self._take(request, outcome)
                case refusal:
                    self.said.append((refusal.code, refusal.fields))
        holder, held_rao = self.hold
        assert holder is None or held_rao <= self.purses[holder], "the ledger would refuse the hold"

    def _take(self, request, accepted):
        self.play = bidding.foremost(accepted.play)
        self.sequence = accepted.maximum.sequence
        self.said.append((self.sequence, accepted.standing))
        if accepted.leads:
            self.hold = (request.bidder, request.needed_rao)


def requests_of(asked):
    """Make requests, of which some come a little earlier than the one before."""
    t, made = 0, []
    for bidder, amount, gap in asked:
        t += gap
        made.append(Request(bidder, amount, amount, at(t)))
    return made


@given(TERMS, PURSES, ASKED, st.integers(0, 25))
def test_a_batch_is_the_same_bids_one_by_one(terms, purses, asked, head):
    together, one_by_one = (House(bidding.opening(terms), purses) for _ in range(2))
    made = requests_of(asked)
    for house in (together, one_by_one):  # an auction that has bids already, or none
        for request in made[:head]:
            house.place([request])

    together.place(made[head:])
    for request in made[head:]:
        one_by_one.place([request])

    assert together.said == one_by_one.said
    assert (together.play, together.sequence) == (one_by_one.play, one_by_one.sequence)
    assert together.hold == one_by_one.hold


@given(TERMS, ASKED)
def test_the_refusal_of_one_touches_no_other(terms, asked):
    made = requests_of(asked)
    play = bidding.opening(terms)

    def decide(requests):
        return batches.decide(play, requests, sequence=0, funds_rao=lambda _: 10**9)

    outcomes = decide(made)
    kept = [
        (request, outcome)
        for request, outcome in zip(made, outcomes, strict=True)
        if not isinstance(outcome, DomainError)
    ]

    assert decide([request for request, _ in kept]) == [outcome for _, outcome in kept]


def test_who_led_within_a_batch_had_to_have_the_money():
    opened = bidding.opening(
        bidding.Terms(10, None, bidding.TAO_INCREMENTS, opens_at=at(0), closes_at=at(100))
    )
    asked = [
        Request(who, max_rao, max_rao, at(1))
        for who, max_rao in ((A, 10**9), (B, 2 * 10**9), (C, 3 * 10**9))
    ]

    poor = batches.decide(
        opened, asked, sequence=0, funds_rao=lambda who: 0 if who == B else 10**10
    )
    rich = batches.decide(opened, asked, sequence=0, funds_rao=lambda _: 10**10)

    assert isinstance(poor[1], InsufficientFunds)
    assert poor[1].fields == {"needed_rao": 2 * 10**9, "available_rao": 0}
    assert [one.maximum.sequence for one in (poor[0], poor[2], *rich)] == [1, 2, 1, 2, 3]
    assert all(one.leads for one in rich)

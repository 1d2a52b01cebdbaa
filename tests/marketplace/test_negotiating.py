"""Who may do what in a negotiation, and what is set aside meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import DomainError
from marketplace import negotiating
from marketplace.errors import (
    NotYourMove,
    OfferChanged,
    OfferEnded,
    OfferLapsed,
    OfferTermsInvalid,
    TooManyMoves,
)
from marketplace.models import Offer
from marketplace.negotiating import FIGURES_MAX, Act, Figure, Side, State

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY_S = 86_400
DAY = timedelta(days=1)


def offered(rao=100, *, valid_s=DAY_S):
    return negotiating.opened(Figure(rao, valid_s), now=NOW)


def counter(standing, side, rao, *, valid_s=DAY_S, now=NOW):
    return negotiating.countered(standing, side=side, figure=Figure(rao, valid_s), now=now)


def end(standing, side, act, *, now=NOW, expected_rao=None):
    return negotiating.ended(standing, side=side, act=act, now=now, expected_rao=expected_rao)


def test_an_offer_is_promised_and_waits_for_the_owner():
    standing = offered(100)

    assert standing.state is State.OWNERS_TURN
    assert (standing.amount_rao, standing.held_rao) == (100, 100)
    assert standing.expires_at == standing.promised_until == NOW + DAY


def test_an_owners_counter_leaves_the_promise_and_lasts_no_longer_than_it():
    standing = counter(offered(100), Side.OWNER, 150, valid_s=7 * DAY_S)

    assert standing.state is State.BUYERS_TURN
    assert (standing.amount_rao, standing.held_rao) == (150, 100)
    assert standing.expires_at == NOW + DAY


def test_an_owners_counter_may_lapse_before_the_promise():
    standing = counter(offered(100), Side.OWNER, 150, valid_s=3_600)

    assert standing.expires_at == NOW + timedelta(hours=1)
    assert standing.promised_until == NOW + DAY


def test_a_buyers_counter_is_a_new_promise_with_an_end_of_its_own():
    asked = counter(offered(100), Side.OWNER, 150)

    standing = counter(asked, Side.BUYER, 120, valid_s=2 * DAY_S)

    assert standing.state is State.OWNERS_TURN
    assert (standing.amount_rao, standing.held_rao) == (120, 120)
    assert standing.expires_at == standing.promised_until == NOW + 2 * DAY


@pytest.mark.parametrize(
    ("figure", "reason"),
    [
        (Figure(0, DAY_S), "above zero"),
        (Figure(21 * 10**15 + 1, DAY_S), "within the supply"),
        (Figure(1, 3_599), "1 hour to 30 days"),
        (Figure(1, 30 * DAY_S + 1), "1 hour to 30 days"),
    ],
)
def test_an_offer_beyond_its_bounds_is_refused(figure, reason):
    with pytest.raises(OfferTermsInvalid, match=reason):
        negotiating.opened(figure, now=NOW)


@pytest.mark.parametrize("figure", [Figure(1, 3_600), Figure(21 * 10**15, 30 * DAY_S)])
def test_an_offer_at_its_bounds_stands(figure):
    assert negotiating.opened(figure, now=NOW).held_rao == figure.amount_rao


def test_a_counter_that_says_less_than_yes_is_refused():
    standing = offered(100)
    with pytest.raises(OfferTermsInvalid, match="asks for more than was offered"):
        counter(standing, Side.OWNER, 100)
    asked = counter(standing, Side.OWNER, 101)
    with pytest.raises(OfferTermsInvalid, match="offers less than is asked for"):
        counter(asked, Side.BUYER, 101)

    assert counter(asked, Side.BUYER, 100).held_rao == 100


def test_who_agrees_to_another_figure_than_stands_is_refused():
    standing = offered(100)
    with pytest.raises(OfferChanged) as refusal:
        end(standing, Side.OWNER, Act.ACCEPT, expected_rao=99)
    assert refusal.value.fields == {"expected_rao": 99, "amount_rao": 100}

    assert end(standing, Side.OWNER, Act.ACCEPT, expected_rao=100).state is State.ACCEPTED


def test_a_figure_is_good_until_its_end_and_money_is_taken_back_even_after_it():
    standing, last = offered(100), NOW + DAY - timedelta(microseconds=1)
    for act in (Act.ACCEPT, Act.DECLINE):
        assert end(standing, Side.OWNER, act, now=last, expected_rao=100)
        with pytest.raises(OfferLapsed):
            end(standing, Side.OWNER, act, now=NOW + DAY, expected_rao=100)
    with pytest.raises(OfferLapsed):
        counter(standing, Side.OWNER, 150, now=NOW + DAY)

    assert end(standing, Side.BUYER, Act.WITHDRAW, now=NOW + DAY).held_rao == 0


def test_a_negotiation_has_a_bounded_number_of_figures():
    standing = offered(100)
    for number in range(2, FIGURES_MAX + 1):
        if number % 2 == 0:
            standing = counter(standing, Side.OWNER, 1_000)
        else:
            standing = counter(standing, Side.BUYER, 100 + number)
    assert standing.figure_count == FIGURES_MAX

    with pytest.raises(TooManyMoves):
        counter(standing, Side.BUYER, 500)
    assert end(standing, Side.BUYER, Act.ACCEPT, expected_rao=1_000).state is State.ACCEPTED


def test_the_table_says_who_may_do_what():
    said = {
        (state, side): {act for act in Act if act in negotiating.may(state, side)}
        for state in State
        for side in Side
    }

    answers = {Act.ACCEPT, Act.DECLINE, Act.COUNTER}
    assert said.pop((State.OWNERS_TURN, Side.OWNER)) == answers
    assert said.pop((State.OWNERS_TURN, Side.BUYER)) == {Act.WITHDRAW}
    assert said.pop((State.BUYERS_TURN, Side.OWNER)) == {Act.DECLINE}
    assert said.pop((State.BUYERS_TURN, Side.BUYER)) == answers | {Act.WITHDRAW}
    assert set().union(*said.values()) == set()


def test_the_states_are_those_of_the_row():
    assert {state.value for state in State} == set(Offer.State)
    for state, following in Offer.TRANSITIONS.items():
        assert State(state).is_open is bool(following)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.sampled_from([Act.COUNTER, Act.ACCEPT, Act.DECLINE, Act.WITHDRAW]),
        st.integers(1, 200),
        st.integers(3_600, 30 * DAY_S),
        st.integers(0, 2 * DAY_S),
    ),
    max_size=40,
)


@given(first=st.integers(1, 200), acts=ACTS)
def test_what_is_held_is_the_buyers_newest_amount_while_open_and_nothing_after(first, acts):
    standing, newest, now, was_ended = offered(first), first, NOW, False
    for side, act, rao, valid_s, later_s in acts:
        now += timedelta(seconds=later_s)
        before, refusal = standing, None
        try:
            if act is Act.COUNTER:
                standing = counter(standing, side, rao, valid_s=valid_s, now=now)
            else:
                standing = end(standing, side, act, now=now, expected_rao=standing.amount_rao)
        except DomainError as raised:
            refusal = raised
        if refusal:
            assert isinstance(refusal, OfferEnded) is was_ended
            allowed = act in negotiating.may(before.state, side)
            assert was_ended or allowed or isinstance(refusal, NotYourMove)
            continue
        newest = rao if (side, act) == (Side.BUYER, Act.COUNTER) else newest
        assert not was_ended, "nothing follows an end"
        was_ended = not standing.state.is_open
        assert standing.held_rao == (0 if was_ended else newest)
        assert standing.amount_rao >= newest
        assert standing.expires_at <= standing.promised_until

"""Which tunnel gets a request."""

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import numpy as np
import pytest

from compute import routing
from compute.routing import Standing, choose, is_served

CONSUMER = UUID(int=1)


@dataclass
class Lane:
    hotkey: str
    owner: UUID = field(default_factory=uuid4)
    slots: int = 4
    busy: int = 0
    standing: Standing = field(default_factory=Standing)


def lane(name, *, ms=None, **facts):
    made = Lane(name, **facts)
    if ms is not None:
        made.standing.note_success(ms)
    return made


def drawing(seed=1):
    rng = np.random.default_rng(seed)
    return lambda below: int(rng.integers(below))


def chosen(lanes, *, tried=(), now_s=100.0, draw=None):
    found = choose(lanes, tried=tried, payer=CONSUMER, now_s=now_s, draw=draw or drawing())
    return found and found.hotkey


def test_the_faster_of_two_idle_miners_is_asked():
    assert chosen([lane("slow", ms=900), lane("fast", ms=90)]) == "fast"


def test_a_fast_miner_that_is_nearly_full_gives_way_to_a_slower_one_that_is_idle():
    assert chosen([lane("fast", ms=100, busy=3), lane("slow", ms=150)]) == "slow"


def test_a_newcomer_is_tried_before_a_busy_veteran():
    assert chosen([lane("veteran", ms=50, busy=1), lane("newcomer")]) == "newcomer"


@pytest.mark.parametrize(
    "unable",
    [
        lane("full", busy=4),
        lane("failed this request"),
        lane("the consumer's own", owner=CONSUMER),
    ],
    ids=lambda one: one.hotkey,
)
def test_a_miner_that_is_unable_is_not_asked_however_fast(unable):
    unable.standing.note_success(1)
    able = lane("able", ms=10_000)

    assert chosen([unable, able], tried=("failed this request",)) == "able"
    assert chosen([unable], tried=("failed this request",)) is None


def test_a_miner_that_failed_rests_twice_as_long_each_time_and_a_minute_at_most():
    standing, rests = Standing(), []
    for _ in range(9):
        standing.note_failure(100.0)
        rests.append(standing.benched_until_s - 100.0)

    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_miner_at_rest_is_passed_over_until_its_time_is_over():
    fallen, slow = lane("fallen", ms=1), lane("slow", ms=10_000)
    fallen.standing.note_failure(100.0)

    assert chosen([fallen, slow], now_s=100.5) == "slow"
    assert chosen([fallen, slow], now_s=101.5) == "fallen"


def test_when_all_rest_the_one_that_comes_back_first_is_asked():
    twice, once = lane("twice"), lane("once")
    for fallen in (twice, twice, once):
        fallen.standing.note_failure(100.0)

    assert chosen([twice, once], now_s=100.1) == "once"


def test_one_answer_forgives_all_failures_in_a_row():
    standing = Standing()
    for _ in range(6):
        standing.note_failure(0.0)
    standing.note_success(80.0)
    standing.note_failure(100.0)

    assert standing.benched_until_s == 101.0


def test_equals_share_the_work_evenly():
    lanes, draw = [lane(f"miner {n}", ms=100) for n in range(5)], drawing()

    counts = Counter(chosen(lanes, draw=draw) for _ in range(5_000))

    assert len(counts) == 5
    assert min(counts.values()) > 850


def test_of_a_thousand_miners_few_are_looked_at_and_the_slow_half_gets_nearly_nothing():
    lanes = [lane(f"miner {n}", ms=100 if n % 2 else 1_000) for n in range(1_000)]
    draws = []
    draw = drawing()

    def counted(below):
        draws.append(below)
        return draw(below)

    slow = sum(
        int(chosen(lanes, draw=counted).removeprefix("miner ")) % 2 == 0 for _ in range(2_000)
    )

    assert slow < 2_000 * 0.02
    assert len(draws) / 2_000 < routing.DRAWN_MAX + 2


def test_waiting_makes_sense_only_for_a_miner_that_may_be_asked():
    full, own = lane("full", busy=4), lane("own", owner=CONSUMER)

    assert is_served([full], tried=(), payer=CONSUMER)
    assert not is_served([full], tried=("full",), payer=CONSUMER)
    assert not is_served([own], tried=(), payer=CONSUMER)

"""Combining: who comes while somebody works is answered together with all others who came meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from marketplace.combining import Combiner, LineFull

WAIT_S = 60


class Work:
    """Decides by saying each word again, in capitals; the first batch waits until it is let go."""

    def __init__(self, *, fault=None, **limits):
        self.batches, self.begun, self.let_go = [], Event(), Event()
        self.fault = fault
        self.combiner = Combiner(self.decide, **{"batch_max": 10, "waiting_max": 10} | limits)

    def decide(self, words, turn=None):
        self.batches.append(list(words))
        if len(self.batches) == 1:
            self.begun.set()
            assert self.let_go.wait(WAIT_S)
            if self.fault is not None:
                raise self.fault
        return [word.upper() for word in words]

    def ask(self, word, thing="auction"):
        try:
            return self.combiner.ask(thing, word)
        except BaseException as fault:  # noqa: BLE001  an answer like another
            return fault

    def crowd(self, pool, first, others):
        """Let one begin and the others come while it works, in order; then let it go."""
        asking = [pool.submit(self.ask, first)]
        assert self.begun.wait(WAIT_S)
        for waiting, word in enumerate(others, start=1):
            asking.append(pool.submit(self.ask, word))
            self.wait_for(waiting)
        self.let_go.set()
        return [one.result(WAIT_S) for one in asking]

    def wait_for(self, waiting):
        line = self.combiner._lines["auction"]
        while len(line) < waiting:
            Event().wait(0.001)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(12) as pool:
        yield pool


def test_who_comes_alone_is_decided_about_at_once_and_leaves_nothing():
    work = Work()
    work.let_go.set()

    assert [work.ask("a"), work.ask("b")] == ["A", "B"]
    assert work.batches == [["a"], ["b"]]
    assert work.combiner._lines == {}


def test_who_comes_meanwhile_is_decided_about_together_in_the_order_of_coming(pool):
    work = Work()

    assert work.crowd(pool, "a", "bcde") == ["A", "B", "C", "D", "E"]
    assert work.batches == [["a"], ["b", "c", "d", "e"]]
    assert work.combiner._lines == {}


def test_a_batch_is_bounded_and_the_rest_comes_next(pool):
    work = Work(batch_max=2)

    assert work.crowd(pool, "a", "bcde") == ["A", "B", "C", "D", "E"]
    assert work.batches == [["a"], ["b", "c"], ["d", "e"]]


def test_who_would_make_the_line_too_long_is_told_so_at_once(pool):
    work = Work(waiting_max=2)
    asking = [pool.submit(work.ask, "a")]
    assert work.begun.wait(WAIT_S)
    for waiting, word in enumerate("bc", start=1):
        asking.append(pool.submit(work.ask, word))
        work.wait_for(waiting)

    assert isinstance(work.ask("d"), LineFull)

    work.let_go.set()
    assert [one.result(WAIT_S) for one in asking] == ["A", "B", "C"]


def test_another_thing_waits_for_nobody(pool):
    work = Work()
    first = pool.submit(work.ask, "a")
    assert work.begun.wait(WAIT_S)

    assert work.ask("b", thing="another") == "B"

    work.let_go.set()
    assert first.result(WAIT_S) == "A"


def test_what_fails_fails_for_its_own_batch_alone(pool):
    fault = RuntimeError("the database is away")
    work = Work(fault=fault)

    assert work.crowd(pool, "a", "bc") == [fault, "B", "C"]


def test_whoever_waited_for_one_that_was_interrupted_asks_again(pool):
    work = Work(batch_max=3)

    def decide(words, turn):
        work.batches.append(list(words))
        if len(work.batches) == 1:
            work.begun.set()
            assert work.let_go.wait(WAIT_S)
        elif len(work.batches) == 2:
            raise KeyboardInterrupt
        return [word.upper() for word in words]

    work.combiner._decide = decide

    first, led, *others = work.crowd(pool, "a", "bcd")

    assert (first, type(led), others) == ("A", KeyboardInterrupt, ["C", "D"])
    assert work.batches[1] == ["b", "c", "d"]
    assert work.combiner._lines == {}


def test_a_crowd_is_answered_once_each(pool):
    work = Work()
    work.let_go.set()
    words = [f"word {place}" for place in range(500)]

    assert list(pool.map(work.ask, words)) == [word.upper() for word in words]
    assert sorted(word for batch in work.batches for word in batch) == sorted(words)


def test_the_next_may_begin_before_the_answer_and_errands_are_run_after_it(pool):
    said, passed, let_go = [], Event(), Event()

    def decide(words, turn):
        turn.leave(lambda: said.append(f"errand of {words[0]}"))
        turn.pass_on()
        if words == ["a"]:
            passed.set()
            assert let_go.wait(WAIT_S)
        said.append(words[0])
        return words

    combiner = Combiner(decide, batch_max=10, waiting_max=10)
    first = pool.submit(combiner.ask, "auction", "a")
    assert passed.wait(WAIT_S)

    assert combiner.ask("auction", "b") == "b"
    let_go.set()

    assert first.result(WAIT_S) == "a"
    assert said == ["b", "errand of b", "a", "errand of a"]
    assert combiner._lines == {}

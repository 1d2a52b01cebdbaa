"""What cheating earns beside honest work, on the road that pays; docs/verification.md shows the figures."""

import pytest

from tests.compute import cheating

KINDS = ("matmul", "embeddings", "language")
LUCK = 8  # percent: sizes and samples of jobs differ from miner to miner

pytestmark = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize("who", ["random", "copying", "colluding"])
@pytest.mark.parametrize("is_busy", [False, True])
def test_invented_copied_and_agreed_answers_earn_nothing(kind, who, is_busy):
    found = cheating.earned(kind, is_busy=is_busy)[who]

    assert found.epochs_percent < 1
    assert found.jobs_percent < 1


@pytest.mark.parametrize("who", ["lazy", "lazy, knowing canaries"])
def test_doing_half_of_the_work_earns_less_than_half(kind, who):
    found = cheating.earned(kind)[who]

    assert found.epochs_percent < 50
    assert found.jobs_percent < 50 + 2 * LUCK  # consumers pay for the right half


@pytest.mark.parametrize("who", ["lazy", "lazy, knowing canaries"])
def test_where_work_waits_doing_half_of_it_twice_as_fast_still_earns_less_than_half(kind, who):
    found = cheating.earned(kind, is_busy=True)[who]

    if kind == "language" and who == "lazy, knowing canaries":
        # Nobody can know canaries of language: they come as chats. Whoever could would have a little over a half.
        paper = cheating.halves_on_paper(kind)
        assert paper.percent == pytest.approx(53.7, abs=0.1)
        assert found.epochs_percent == pytest.approx(paper.percent, abs=2 * paper.spread)
    else:
        assert found.epochs_percent < 50


def test_a_ring_s_validator_with_thirty_percent_of_the_stake_loses_its_dividends(kind):
    assert cheating.earned(kind)["the ring's validator"].epochs_percent < 1


def test_a_slow_machine_earns_less_and_is_not_failed(kind):
    quiet, busy = (cheating.earned(kind, is_busy=is_busy)["slow"] for is_busy in (False, True))

    assert 20 < busy.epochs_percent < 50
    assert 20 < quiet.epochs_percent < 100 + LUCK
    assert quiet.jobs_percent == pytest.approx(100, abs=LUCK)


def test_an_unreliable_machine_earns_in_proportion_to_what_it_returns(kind):
    found = cheating.earned(kind)["flaky"]

    returned = 100 * (1 - cheating.FLAKY)
    assert found.jobs_percent == pytest.approx(returned, abs=LUCK)
    # Its rate of success counts once more, so that it is worth while to take no more than one can do.
    assert 60 < found.epochs_percent < returned + LUCK

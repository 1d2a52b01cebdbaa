"""Which results are done again, when answers agree, and what each check misses."""

from uuid import UUID

import numpy as np
import pytest

from compute import replication
from compute.replication import Agreement, Answer

SECRET = b"nobody knows it"


def jobs(count, seed=3):
    rng = np.random.default_rng(seed)
    return [UUID(bytes=rng.bytes(16)) for _ in range(count)]


def answers(*said):
    """Return answers in order; said: (owner, output), each by a machine of its own."""
    return [Answer(place, owner, output) for place, (owner, output) in enumerate(said)]


def agreed(*said):
    return replication.agreement(answers(*said), agrees=lambda one, other: one == other)


def test_all_work_of_a_newcomer_is_done_again():
    assert all(replication.is_replicated(job, right_count=0, secret=SECRET) for job in jobs(100))


@pytest.mark.parametrize("right_count", [1, 4, 9, 10_000])
def test_coins_fall_as_often_as_the_record_says(right_count):
    drawn = jobs(20_000)

    repeated = sum(
        replication.is_replicated(j, right_count=right_count, secret=SECRET) for j in drawn
    )

    assert repeated / len(drawn) == pytest.approx(
        replication.replica_ppm(right_count) / 1e6, rel=0.1
    )


def test_no_record_is_so_good_that_nothing_is_looked_at():
    assert replication.replica_ppm(10**9) == replication.REPLICA_LEAST_PPM
    assert 20_000 <= replication.REPLICA_LEAST_PPM <= 50_000


def test_a_better_record_is_never_repeated_more():
    shares = [replication.replica_ppm(count) for count in range(100)]

    assert shares == sorted(shares, reverse=True)


def test_a_jobs_coin_falls_the_same_way_each_time_and_otherwise_under_another_secret():
    drawn = jobs(200)

    assert [replication.drawn_ppm(j, secret=SECRET) for j in drawn] == [
        replication.drawn_ppm(j, secret=SECRET) for j in drawn
    ]
    assert all(
        replication.drawn_ppm(j, secret=SECRET) != replication.drawn_ppm(j, secret=b"x")
        for j in drawn
    )


def test_jobs_of_one_batch_do_not_share_a_fate():
    fates = {replication.is_replicated(j, right_count=1, secret=SECRET) for j in jobs(20)}

    assert fates == {True, False}


def test_one_answer_agrees_with_nobody():
    assert agreed(("ann", 1)) is None


def test_two_owners_who_say_the_same_are_enough():
    assert agreed(("ann", 1), ("ben", 1)) == Agreement(right=(0, 1), wrong=())


def test_two_machines_of_one_owner_are_one_voice():
    assert agreed(("ann", 1), ("ann", 1)) is None
    assert agreed(("ann", 1), ("ann", 1), ("ben", 2)) is None


def test_a_difference_calls_for_a_third_who_decides():
    assert agreed(("ann", 1), ("ben", 2)) is None
    assert agreed(("ann", 1), ("ben", 2), ("cat", 2)) == Agreement(right=(1, 2), wrong=(0,))


def test_half_is_no_majority():
    said = [("ann", 1), ("ben", 1), ("cat", 2), ("dan", 2)]

    assert agreed(*said) is None
    assert agreed(*said, ("eve", 2)) == Agreement(right=(2, 3, 4), wrong=(0, 1))


def test_answers_that_only_resemble_each_other_agree_by_the_work_s_own_measure():
    found = replication.agreement(
        answers(("ann", 1.0), ("ben", 5.0), ("cat", 1.01)), agrees=lambda a, b: abs(a - b) < 0.1
    )

    assert found == Agreement(right=(0, 2), wrong=(1,))


@pytest.mark.parametrize(
    ("colluders", "answers", "missed"),
    # compute markets surveyed for issue 5: exact figures of 200 miners
    [
        (20, 2, 0.0095),
        (20, 3, 0.027),
        (40, 2, 0.039),
        (40, 3, 0.103),
        (66, 2, 0.108),
        (66, 3, 0.254),
    ],
)
def test_a_quorum_misses_what_a_ring_among_two_hundred_agrees_on(colluders, answers, missed):
    found = replication.missed_by_quorum(miners=200, colluders=colluders, answers=answers)

    assert found == pytest.approx(missed, abs=0.0006)


def test_a_ring_passes_a_quorum_as_often_as_draws_say():
    rng = np.random.default_rng(5)
    draws = rng.permuted(np.tile(np.arange(20), (40_000, 1)), axis=1)[:, :3]

    passed = ((draws < 6).sum(axis=1) >= 2).mean()

    expected = replication.missed_by_quorum(miners=20, colluders=6, answers=3)
    assert passed == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(
    ("looked_at", "cheated", "count"),
    [(0.01, 1, 459), (0.05, 1, 90), (0.05, 0.1, 919), (0.1, 1, 44)],
)
def test_after_so_many_jobs_a_cheat_was_seen_almost_surely(looked_at, cheated, count):
    found = replication.jobs_until_found(looked_at=looked_at, cheated=cheated, certainty=0.99)

    assert found == count
    missed = replication.missed_by_samples(count, looked_at=looked_at, cheated=cheated)
    before = replication.missed_by_samples(count - 1, looked_at=looked_at, cheated=cheated)
    assert missed <= 0.01 < before


def test_samples_miss_as_often_as_coins_say():
    rng = np.random.default_rng(6)
    shape = (20_000, 40)
    seen = ((rng.random(shape) < 0.1) & (rng.random(shape) < 0.5)).any(axis=1)

    expected = replication.missed_by_samples(40, looked_at=0.1, cheated=0.5)
    assert 1 - seen.mean() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("chats", "missed"), [(32, 0.377), (152, 0.0098)])
def test_a_good_record_s_invented_chats_are_missed_as_often_as_their_coins_say(chats, missed):
    drawn = jobs(chats * 2_000)
    runs = [drawn[start : start + chats] for start in range(0, len(drawn), chats)]

    unseen = sum(
        not any(replication.is_replicated(j, right_count=10_000, secret=SECRET) for j in run)
        for run in runs
    )

    share = replication.REPLICA_LEAST_PPM / replication.PPM
    expected = replication.missed_by_samples(chats, looked_at=share, cheated=1.0)
    assert expected == pytest.approx(missed, rel=0.01)
    assert unseen / len(runs) == pytest.approx(expected, abs=0.02)


def test_altered_tokens_are_missed_as_often_as_draws_say():
    rng = np.random.default_rng(7)
    looks = rng.random((20_000, 8)) < 0.2

    assert (~looks.any(axis=1)).mean() == pytest.approx(
        replication.missed_by_prefix(altered=0.2, looked_at=8), rel=0.05
    )


def test_what_is_seldom_looked_at_needs_a_hard_penalty():
    assert replication.penalty_to_deter(looked_at=0.05) == pytest.approx(19)
    assert replication.penalty_to_deter(looked_at=1.0) == 0


def test_an_honest_miner_is_looked_at_less_and_less():
    def repeated(count, seed):
        right_count = 0
        for job in jobs(count, seed):
            right_count += replication.is_replicated(job, right_count=right_count, secret=SECRET)
        return right_count / count

    for count in (100, 1_000):
        measured = np.mean([repeated(count, seed) for seed in range(20)])
        assert replication.replicated_share(count) == pytest.approx(measured, rel=0.12)
    assert replication.replicated_share(100_000) == pytest.approx(
        replication.REPLICA_LEAST_PPM / 1e6, rel=0.02
    )


def test_who_turns_bad_is_replicated_before_long_however_good_the_record():
    assert replication.wrong_until_found(0) == 0
    assert replication.wrong_until_found(10**6) < 33

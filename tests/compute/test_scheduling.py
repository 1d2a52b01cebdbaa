"""Which machine gets which job."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from compute import scheduling
from compute.scheduling import Candidate, Wish

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CONSUMER = UUID(int=900)


def machine(number, **facts):
    plain = Candidate(
        machine_id=UUID(int=number),
        hotkey=f"hotkey{number}",
        owner=UUID(int=100 + number),
        netuids=frozenset({1}),
        blueprints=frozenset({"matmul"}),
        open_count=0,
        concurrency=1,
        last_offered_at=NOON,
    )
    return replace(plain, **facts)


def wish(number=1, **facts):
    plain = Wish(
        job_id=UUID(int=500 + number),
        netuid=1,
        blueprint="matmul",
        owner=CONSUMER,
        tried=frozenset(),
    )
    return replace(plain, **facts)


def chosen(wishes, candidates):
    return [match.machine_id.int for match in scheduling.match(wishes, candidates)]


def test_a_job_goes_to_a_machine_that_can_take_it():
    assert chosen([wish()], [machine(1)]) == [1]


def test_a_machine_without_a_free_place_gets_nothing():
    assert chosen([wish()], [machine(1, open_count=1)]) == []


def test_a_machine_that_is_not_on_the_subnet_gets_nothing():
    assert chosen([wish(netuid=2)], [machine(1)]) == []


def test_a_machine_that_cannot_run_the_blueprint_gets_nothing():
    assert chosen([wish(blueprint="embeddings")], [machine(1)]) == []


def test_a_hotkey_that_had_the_job_before_does_not_get_it_again():
    assert chosen([wish(tried=frozenset({"hotkey1"}))], [machine(1), machine(2)]) == [2]


def test_nobody_works_on_what_they_ordered_themselves():
    assert chosen([wish(owner=UUID(int=101))], [machine(1), machine(2)]) == [2]


def test_the_least_loaded_machine_comes_first_whatever_its_size():
    half_full = machine(1, open_count=2, concurrency=4)
    quarter_full = machine(2, open_count=1, concurrency=4)

    assert chosen([wish()], [half_full, quarter_full]) == [2]


def test_among_equals_the_one_that_waited_longest_comes_first():
    earlier = machine(2, last_offered_at=NOON - timedelta(seconds=1))

    assert chosen([wish()], [machine(1), earlier]) == [2]


def test_a_newcomer_has_waited_longest_of_all():
    assert chosen([wish()], [machine(1), machine(2, last_offered_at=None)]) == [2]


def test_a_batch_is_spread_and_what_finds_no_place_stays():
    wishes = [wish(number) for number in range(4)]

    matches = scheduling.match(wishes, [machine(1), machine(2, concurrency=2)])

    assert sorted(match.machine_id.int for match in matches) == [1, 2, 2]
    assert [match.job_id for match in matches] == [each.job_id for each in wishes[:3]]


def test_a_job_nobody_can_take_holds_up_no_other():
    assert chosen([wish(1, netuid=9), wish(2)], [machine(1)]) == [1]

"""Which machine gets which job."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from compute import scheduling
from compute.reliability import ONE, REST, Fault, Record
from compute.scheduling import CANARY_BEHIND, EXPLORED_OF, Candidate, Wish

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CONSUMER = UUID(int=900)
PROVEN = Record(good_milli=50 * ONE, as_of=NOON)
FLAKY = Record(good_milli=20 * ONE, bad_milli=30 * ONE, as_of=NOON)


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
        job_id=UUID(int=5001 + number),
        netuid=1,
        blueprint="matmul",
        owner=CONSUMER,
    )
    return replace(plain, **facts)


def chosen(wishes, candidates):
    return [match.machine_id.int for match in scheduling.match(wishes, candidates, now=NOON)]


def test_a_job_goes_to_a_machine_that_can_take_it():
    assert chosen([wish()], [machine(1)]) == [1]


def test_a_machine_without_a_free_place_gets_nothing():
    assert chosen([wish()], [machine(1, open_count=1)]) == []


def test_a_machine_that_is_not_on_the_subnet_gets_nothing():
    assert chosen([wish(netuid=2)], [machine(1)]) == []


def test_a_machine_that_cannot_run_the_blueprint_gets_nothing():
    assert chosen([wish(blueprint="embeddings")], [machine(1)]) == []


def test_an_owner_that_failed_the_job_does_not_get_it_again_by_any_of_its_hotkeys():
    failed = frozenset({UUID(int=101)})
    sibling = machine(3, owner=UUID(int=101))

    assert chosen([wish(failed=failed)], [machine(1), machine(2), sibling]) == [2]
    assert chosen([wish(failed=failed)], [machine(1), sibling]) == []


def test_an_owner_that_had_the_job_without_fault_gets_it_again_only_where_nobody_else_can():
    had = frozenset({UUID(int=101)})

    assert chosen([wish(had=had)], [machine(1), machine(2)]) == [2]
    assert chosen([wish(had=had)], [machine(1)]) == [1]


def test_nobody_works_on_what_they_ordered_themselves():
    assert chosen([wish(owner=UUID(int=101))], [machine(1), machine(2)]) == [2]


def test_the_least_loaded_machine_comes_first_whatever_its_size():
    half_full = machine(1, open_count=2, concurrency=4)
    quarter_full = machine(2, open_count=1, concurrency=4)

    assert chosen([wish()], [half_full, quarter_full]) == [2]


def test_among_equals_the_one_that_waited_longest_comes_first():
    earlier = machine(2, last_offered_at=NOON - timedelta(seconds=1))

    assert chosen([wish()], [machine(1), earlier]) == [2]


def proven(number, record=PROVEN, **facts):
    return machine(number, records={"matmul": record}, **facts)


def test_the_more_reliable_of_two_machines_comes_first():
    assert chosen([wish()], [proven(1, FLAKY), proven(2)]) == [2]


def test_a_reliable_machine_that_is_half_full_comes_before_an_idle_flaky_one():
    half_full = proven(2, open_count=1, concurrency=2)

    assert chosen([wish()], [proven(1, FLAKY), half_full]) == [2]


def test_the_owner_who_got_less_for_its_places_comes_first():
    busy = replace(PROVEN, busy_ms=60_000)
    idle = replace(PROVEN, busy_ms=30_000)
    twice_the_size = replace(PROVEN, busy_ms=80_000)

    assert chosen([wish()], [proven(1, busy), proven(2, idle)]) == [2]
    assert chosen([wish()], [proven(1, busy), proven(2, twice_the_size, concurrency=2)]) == [2]


def test_an_unproven_machine_comes_behind_the_proven_and_before_the_bad():
    bad = Record(good_milli=ONE, bad_milli=20 * ONE, as_of=NOON)

    assert chosen([wish()], [machine(1, last_offered_at=None), proven(2)]) == [2]
    assert chosen([wish()], [machine(1, last_offered_at=None), proven(2, bad)]) == [1]


def test_one_paid_job_in_so_many_goes_to_a_newcomer_first():
    newcomer = machine(1, last_offered_at=None)

    assert chosen([wish(explores=True)], [newcomer, proven(2)]) == [1]


def test_no_more_than_its_share_of_paid_work_goes_to_newcomers_while_others_are_free():
    wishes = [wish(number, explores=number % EXPLORED_OF == 0) for number in range(100)]
    newcomers = [machine(number, last_offered_at=None) for number in range(50)]

    matches = chosen(wishes, [*newcomers, proven(99, concurrency=200)])

    assert sum(number != 99 for number in matches) == 100 // EXPLORED_OF


def test_one_job_in_so_many_explores_and_without_the_secret_nobody_can_tell_which():
    ids = [UUID(int=number) for number in range(20_000)]
    mine, others = (
        [scheduling.is_explorer(job, secret=secret) for job in ids] for secret in (b"a", b"b")
    )

    assert abs(sum(mine) / len(ids) - 1 / EXPLORED_OF) < 0.01
    both = sum(one and other for one, other in zip(mine, others, strict=True))
    assert abs(both / len(ids) - 1 / EXPLORED_OF**2) < 0.005


def test_a_newcomer_proves_itself_on_one_job_at_a_time():
    wishes = [wish(number, explores=True) for number in range(1, 4)]

    assert chosen(wishes, [machine(1, concurrency=8), proven(2, concurrency=8)]) == [1, 2, 2]


def test_a_known_answer_job_goes_to_whoever_waited_longest_however_bad():
    earlier = proven(1, FLAKY, last_offered_at=NOON - timedelta(seconds=1))

    assert chosen([wish(owner=None)], [earlier, proven(2)]) == [1]


def test_a_machine_that_failed_twice_in_a_row_rests_from_that_kind_alone():
    failed = PROVEN
    for _ in range(2):
        failed = failed.after(Fault.MINER, busy=timedelta(), now=NOON)
    tired = machine(1, blueprints=frozenset({"matmul", "language"}), records={"language": failed})

    assert chosen([wish(blueprint="language")], [tired]) == []
    assert chosen([wish()], [tired]) == [1]
    rested = scheduling.match([wish(blueprint="language")], [tired], now=NOON + REST)
    assert len(rested) == 1


def test_known_answer_jobs_stand_behind_paid_ones_and_pass_them_in_time():
    canary = scheduling.turn_at(queued_at=NOON, is_canary=True)

    assert scheduling.turn_at(queued_at=NOON, is_canary=False) < canary
    later = NOON + CANARY_BEHIND + timedelta(seconds=1)
    assert canary < scheduling.turn_at(queued_at=later, is_canary=False)


def test_a_job_waits_twice_as_long_after_each_attempt_up_to_half_a_minute():
    waits = [scheduling.back_off(count).total_seconds() for count in (1, 2, 3, 6, 60)]

    assert waits == [1, 2, 4, 32, 32]


def test_a_batch_is_spread_and_what_finds_no_place_stays():
    wishes = [wish(number) for number in range(4)]

    matches = scheduling.match(wishes, [machine(1), machine(2, concurrency=2)], now=NOON)

    assert sorted(match.machine_id.int for match in matches) == [1, 2, 2]
    assert [match.job_id for match in matches] == [each.job_id for each in wishes[:3]]


def test_a_job_nobody_can_take_holds_up_no_other():
    assert chosen([wish(1, netuid=9), wish(2)], [machine(1)]) == [1]

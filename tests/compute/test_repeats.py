"""Chats at temperature 0 are asked of another owner once more, when the consumer has the answer, and never otherwise."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from compute import operations, queries, replication
from compute.gateway.repeats import Repeats
from compute.models import Repeat
from compute.operations.repeats import Repeated
from tests.compute.gateway_world import House, answers_whole, piece, tells_a_story
from tests.make import NOW


class MemoryDesk:
    """Keeps what was found. right: what every miner's record says."""

    def __init__(self, right=0):
        self.right, self.found = right, []

    async def right_count(self, hotkey):
        return self.right

    async def record(self, found, *, netuid, model):
        self.found += found


async def tells_another(miner, call_id):
    datas = [piece(word) for word in ["Never", " before", " was", " this", " said", "."]]
    await miner.speak(call_id, datas)
    miner.end(call_id, datas)


@pytest.fixture
def run(tmp_path, settings):
    """Run a story on a new gateway whose every coin falls on `drawn_ppm`."""
    settings.REPEAT_CHATS = True

    def play(story, *, drawn_ppm=0, right=0):
        async def whole():
            house = House(tmp_path)
            desk = MemoryDesk(right)
            house.app.repeats = Repeats(house.hub, desk, drawn_ppm=lambda _: drawn_ppm)
            house.app.open(house.app.till)
            async with asyncio.timeout(120):
                await story(house)
                for task in list(house.app.repeats.under_way):
                    await task
            return {line.hotkey: line for line in desk.found}

        return asyncio.run(whole())

    return play


def asked(*miners):
    return sorted(len(miner.asked) for miner in miners)


@pytest.mark.parametrize(
    ("behaviour", "is_streamed"), [(tells_a_story, True), (answers_whole, False)]
)
def test_a_chat_is_asked_of_another_owner_and_both_are_right(run, behaviour, is_streamed):
    miners = []

    async def story(house):
        miners.extend([house.miner(behaviour), house.miner(behaviour)])
        await house.ask(temperature=0, stream=is_streamed)
        # The consumer has the last byte, and nobody else was asked yet.
        assert asked(*miners) == [0, 1]

    found = run(story)

    assert asked(*miners) == [1, 1]
    assert [line.is_right for line in found.values()] == [True, True]
    assert sorted(line.is_first for line in found.values()) == [False, True]
    assert {line.completion_tokens for line in found.values()} == {4}
    # One chat, asked in one spelling under ids of their own.
    one, other = (miner.asked[0] for miner in miners)
    assert one["body"] == other["body"]
    assert one["id"] != other["id"]


def test_nobody_pays_for_a_repeat(run):
    async def story(house):
        house.miner(tells_a_story)
        house.miner(tells_a_story)
        await house.ask(temperature=0, stream=True)
        for task in list(house.app.repeats.under_way):
            await task
        assert await house.charged() == [18]

    assert len(run(story)) == 2


def test_where_two_differ_a_third_is_asked_and_the_one_alone_is_wrong_and_rests(run):
    liar = []

    async def story(house):
        liar.append(house.miner(tells_another))
        await house.ask(temperature=0, stream=True)
        house.miner(tells_a_story)
        house.miner(tells_a_story)

    found = run(story)

    hotkey = liar[0].keypair.ss58_address
    assert len(found) == 3
    assert [line.is_right for line in found.values() if line.hotkey != hotkey] == [True, True]
    assert (found[hotkey].is_first, found[hotkey].is_right) == (True, False)
    assert liar[0].tunnel.standing.failures_in_a_row == 1


def test_where_nobody_is_left_to_be_asked_nothing_is_decided(run):
    async def story(house):
        house.miner(tells_another)
        house.miner(tells_a_story)
        await house.ask(temperature=0, stream=True)

    assert [line.is_right for line in run(story).values()] == [None, None]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.7},
        {},
        {"temperature": 0, "tools": [{"type": "function", "function": {"name": "f"}}]},
        {"temperature": 0, "stop": ["."]},
    ],
)
def test_what_a_model_may_say_otherwise_is_not_repeated(run, options):
    miners = []

    async def story(house):
        miners.extend([house.miner(tells_a_story), house.miner(tells_a_story)])
        await house.ask(stream=True, **options)

    assert run(story) == {}
    assert asked(*miners) == [0, 1]


def test_no_place_that_a_consumer_may_want_soon_is_taken(run):
    async def story(house):
        house.miner(tells_a_story)
        await house.ask(temperature=0, stream=True)
        busy = house.miner(tells_a_story)
        busy.tunnel.calls |= {str(n): None for n in range(2)}  # of four places

    assert run(story) == {}


def test_two_machines_of_one_owner_are_one_voice(run):
    async def story(house):
        first, second = house.miner(tells_a_story), house.miner(tells_a_story)
        second.tunnel.owner = first.tunnel.owner
        await house.ask(temperature=0, stream=True)

    assert run(story) == {}


def test_who_was_right_for_long_is_repeated_seldom_and_never_not_at_all(run):
    async def story(house):
        house.miner(tells_a_story)
        house.miner(tells_a_story)
        await house.ask(temperature=0, stream=True)

    least = replication.REPLICA_LEAST_PPM
    assert run(story, drawn_ppm=least, right=10_000) == {}
    assert len(run(story, drawn_ppm=least - 1, right=10_000)) == 2


def line(hotkey, *, is_right=True, is_first=True):
    return Repeated(uuid4(), hotkey, is_first, is_right, 10, 4, "0" * 64)


@pytest.mark.django_db
def test_a_record_counts_back_to_the_last_wrong_answer():
    for minute, is_right in enumerate((True, False, True, None, True)):
        now = NOW + timedelta(minutes=minute)
        operations.record_repeat([line("A", is_right=is_right)], netuid=1, model="m", now=now)

    assert queries.right_chats_count("A") == 2
    assert queries.right_chats_count("nobody") == 0


@pytest.mark.django_db
def test_the_same_finding_again_is_written_once():
    found = [line("A"), line("B", is_first=False)]

    for _ in range(2):
        operations.record_repeat(found, netuid=1, model="m", now=NOW)

    assert Repeat.objects.count() == 2

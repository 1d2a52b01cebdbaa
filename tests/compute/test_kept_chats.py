"""A gateway remembers conversations in memory, for a while and within bounds, and hands over those that reports ask for."""

import asyncio
from uuid import UUID

import pytest

from compute.gateway import kept
from compute.gateway.kept import KeptChats
from neurons import protocol
from tests.compute.gateway_world import (
    House,
    answers_whole,
    is_lost_in_the_middle,
    tells_a_story,
)


class MemoryDesk:
    """Asks for what it is told to, and keeps what it got."""

    def __init__(self):
        self.wanted, self.got = [], []

    async def awaited(self, limit):
        return self.wanted[:limit]

    async def hand_over(self, chat):
        self.got.append(chat)


@pytest.fixture
def desk():
    return MemoryDesk()


@pytest.fixture
def run(tmp_path, desk):
    """Run a story on a new gateway; return what it remembers."""

    def play(story):
        async def whole():
            house = House(tmp_path)
            house.app.kept = KeptChats(desk)
            house.app.open(house.app.till)
            async with asyncio.timeout(120):
                await story(house)
            return house.app.kept

        return asyncio.run(whole())

    return play


@pytest.mark.parametrize(
    ("behaviour", "is_streamed"), [(tells_a_story, True), (answers_whole, False)]
)
def test_what_a_report_asks_for_is_handed_over_as_the_miner_had_and_signed_it(
    run, desk, behaviour, is_streamed
):
    async def story(house):
        house.miner(behaviour)
        await house.ask(stream=is_streamed, temperature=0.9)
        await house.ask(stream=is_streamed)
        await house.charged()
        desk.wanted = [house.records[0].id]
        await house.app.kept.step()
        [chat] = desk.got
        assert protocol.answer_digest(chat.pieces) == house.records[0].answer_digest

    run(story)

    [chat] = desk.got
    assert chat.call_id == chat.request_id == desk.wanted[0]
    assert chat.body["messages"] == [{"content": "Tell", "role": "user"}]
    assert chat.body["temperature"] == 0.9
    assert (chat.prompt_tokens, chat.completion_tokens) == (10, 4)


def test_what_nobody_signed_is_not_kept(run):
    async def story(house):
        house.miner(is_lost_in_the_middle)
        await house.ask(stream=True)

    assert len(run(story)) == 0


def test_what_is_old_or_long_is_forgotten_and_what_is_new_makes_room(run, desk, monkeypatch):
    async def story(house):
        house.miner(tells_a_story)
        await house.ask(stream=True)
        size = house.app.kept._bytes
        monkeypatch.setattr(kept, "KEPT_MAX_BYTES", size)
        await house.ask(stream=True)
        assert len(house.app.kept) == 1
        monkeypatch.setattr(kept, "CHAT_MAX_BYTES", size - 1)
        await house.ask(stream=True)
        assert len(house.app.kept) == 1
        monkeypatch.setattr(kept.time, "monotonic", lambda: float("inf"))
        await house.app.kept.step()

    remembered = run(story)

    assert (len(remembered), remembered._bytes) == (0, 0)


def test_what_another_gateway_passed_on_is_left_to_it(run, desk):
    async def story(house):
        house.miner(tells_a_story)
        await house.ask(stream=True)
        desk.wanted = [UUID(int=1)]
        await house.app.kept.step()

    run(story)

    assert desk.got == []

"""The gateway's one promise to consumers: an answer is whole or said not to be, and charged once or not at all."""

import asyncio
import json

import orjson
import pytest

from compute.errors import ModelBusy, NoMiner
from compute.gateway import attempts, tunnels
from tests.compute.gateway_world import (
    House,
    answers_whole,
    fails,
    is_lost_before_a_word,
    is_lost_in_the_middle,
    piece,
    says_it_is_busy,
    says_nothing,
    signs_something_else,
    tells_a_story,
)


@pytest.fixture
def run(tmp_path):
    """Run a story in a loop of its own, on a new gateway."""

    def play(story):
        async def whole():
            return await asyncio.wait_for(story(House(tmp_path)), 120)

        return asyncio.run(whole())

    return play


def test_a_stream_arrives_piece_by_piece_and_is_charged_for_its_tokens(run):
    async def story(house):
        miner = house.miner(tells_a_story)

        reply = await house.ask(stream=True)

        assert reply.status == 200
        assert reply.text == "Once upon a time"
        assert reply.events[-1] == "[DONE]"
        assert reply.headers["x-miner"] == miner.tunnel.hotkey
        assert (reply.headers["x-subnet"], reply.headers["x-attempts"]) == ("3", "1")
        assert await house.charged() == [10 * 1 + 4 * 2]
        assert miner.tunnel.calls == {}

    run(story)


def test_an_answer_in_one_piece_says_its_price(run):
    async def story(house):
        house.miner(answers_whole)

        reply = await house.ask()

        assert orjson.loads(reply.body)["choices"][0]["message"]["content"] == "Once upon a time"
        assert reply.headers["x-price-rao"] == "18"
        assert await house.charged() == [18]

    run(story)


@pytest.mark.parametrize(
    "failing", [says_it_is_busy, fails, is_lost_before_a_word], ids=lambda one: one.__name__
)
def test_before_the_first_token_another_miner_takes_over(run, failing):
    async def story(house):
        first = house.miner(failing)
        first.tunnel.standing.note_success(1.0)  # the fastest known, so that it is asked first
        second = house.miner(tells_a_story)
        second.tunnel.standing.note_success(500.0)

        reply = await house.ask(stream=True)

        assert reply.text == "Once upon a time"
        assert reply.headers["x-attempts"] == "2"
        assert reply.headers["x-miner"] == second.tunnel.hotkey
        assert await house.charged() == [18]

    run(story)


@pytest.mark.parametrize(
    "breaking", [is_lost_in_the_middle, signs_something_else], ids=lambda one: one.__name__
)
def test_after_the_first_token_nobody_takes_over_and_nothing_is_charged(run, breaking):
    async def story(house):
        first = house.miner(breaking)
        first.tunnel.standing.note_success(1.0)
        second = house.miner(tells_a_story)
        second.tunnel.standing.note_success(500.0)

        reply = await house.ask(stream=True)

        assert json.loads(reply.events[-1])["error"]["code"] == "answer_broke_off"
        assert "[DONE]" not in reply.events
        assert second.asked == []
        assert await house.charged() == [0]

    run(story)


def test_an_answer_in_one_piece_that_nobody_signed_is_not_handed_out(run):
    async def story(house):
        house.miner(signs_something_else)

        reply = await house.ask()

        assert (reply.status, reply.error["code"]) == (502, "miners_failed")
        assert await house.charged() == []

    run(story)


def test_after_three_miners_that_fail_the_consumer_is_told_and_pays_nothing(run):
    async def story(house):
        miners = [house.miner(fails) for _ in range(5)]

        reply = await house.ask(stream=True)

        assert (reply.status, reply.error["code"]) == (502, "miners_failed")
        assert sum(len(miner.asked) for miner in miners) == attempts.ATTEMPTS_MAX
        assert await house.charged() == []

    run(story)


def test_a_consumer_who_leaves_pays_for_what_was_sent_and_the_miner_stops(run):
    async def story(house):
        async def goes_on(miner, call_id):
            await miner.speak(call_id, [piece("word")] * 10)

        miner = house.miner(goes_on)

        await house.ask(stream=True, leaves_after=1)

        [price] = await house.charged()
        assert 0 < price <= 64 * 2 + 4_096
        assert miner.cancelled == [miner.asked[0]["id"]]
        assert house.records[0].outcome == "cut"

    run(story)


def test_a_miner_cannot_count_more_tokens_than_were_asked_for_or_sent(run):
    async def story(house):
        async def exaggerates(miner, call_id):
            datas = [piece("a")]
            await miner.speak(call_id, datas)
            miner.end(call_id, datas, prompt_tokens=10**6, completion_tokens=10**6)

        house.miner(exaggerates)

        await house.ask(stream=True, max_tokens=5)

        await house.charged()
        [record] = house.records
        assert record.completion_tokens == 5
        assert record.prompt_tokens < 300

    run(story)


def test_an_empty_wallet_is_told_before_any_miner_works(run):
    async def story(house):
        miner = house.miner(tells_a_story)
        house.books.wallet_rao = 0

        reply = await house.ask(stream=True)

        assert (reply.status, reply.error["type"]) == (402, "insufficient_quota")
        assert miner.asked == []

    run(story)


def test_a_model_that_no_miner_serves_is_told_with_when_to_come_back(run):
    async def story(house):
        reply = await house.ask()

        assert (reply.status, reply.error["code"]) == (503, NoMiner.code)
        assert reply.headers["retry-after"] == str(tunnels.NO_MINER_RETRY_S)

    run(story)


def test_when_all_places_are_taken_a_request_waits_for_one(run):
    async def story(house):
        async def takes_a_moment(miner, call_id):
            await asyncio.sleep(0.05)
            await tells_a_story(miner, call_id)

        house.miner(takes_a_moment, slots=1)

        replies = await asyncio.gather(*(house.ask(stream=True) for _ in range(4)))

        assert [reply.text for reply in replies] == ["Once upon a time"] * 4

    run(story)


def test_when_no_place_comes_free_the_limit_is_said_to_be_the_miners(run, monkeypatch):
    monkeypatch.setattr(tunnels, "WAIT_S", 0.05)

    async def story(house):
        miner = house.miner(says_nothing, slots=1)
        asked = [asyncio.create_task(house.ask()) for _ in range(2)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        [refused] = [task.result() for task in done]
        house.hub.leave(miner.tunnel)
        await asyncio.gather(*asked)

        assert (refused.status, refused.error["code"]) == (429, ModelBusy.code)
        assert "not your limit" in refused.error["message"]

    run(story)


def test_the_same_key_gives_the_same_answer_and_is_charged_once(run):
    async def story(house):
        miner = house.miner(tells_a_story)

        first = await house.ask(stream=True, key="once")
        again, at_once = await asyncio.gather(
            house.ask(stream=True, key="once"), house.ask(stream=True, key="once")
        )

        assert first.body == again.body == at_once.body
        assert again.headers["idempotent-replayed"] == "true"
        assert len(miner.asked) == 1
        assert await house.charged() == [18]

    run(story)


def test_two_requests_at_once_under_one_key_are_one(run):
    async def story(house):
        miner = house.miner(answers_whole)

        replies = await asyncio.gather(*(house.ask(key="once") for _ in range(3)))

        assert len({reply.body for reply in replies}) == 1
        assert len(miner.asked) == 1

    run(story)


def test_another_question_under_the_same_key_is_refused(run):
    async def story(house):
        house.miner(tells_a_story)
        await house.ask(stream=True, key="once")

        other = await house.ask(stream=True, key="once", temperature=1)

        assert (other.status, other.error["code"]) == (422, "idempotency_key_reused")

    run(story)


def test_an_answer_that_failed_is_asked_anew_under_its_key(run):
    async def story(house):
        broken = house.miner(is_lost_in_the_middle)
        await house.ask(stream=True, key="once")
        house.miner(tells_a_story)

        again = await house.ask(stream=True, key="once")

        assert again.text == "Once upon a time"
        assert len(broken.asked) == 1

    run(story)


def test_a_line_end_in_a_chunk_ends_the_tunnel_before_it_can_forge_an_event(run):
    async def story(house):
        miner = house.miner(tells_a_story)

        with pytest.raises(tunnels.FrameInvalid):
            miner.say(type="chunk", id="x", data='{}\n\ndata: {"forged": true}')

    run(story)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/images/generations", 404, "path_unknown"),
        ("/", 404, "path_unknown"),
        ("/v1/models", 405, "method_refused"),
    ],
)
def test_what_is_not_served_is_said_in_openais_form(run, path, status, code):
    async def story(house):
        reply = await house.ask(path=path)

        assert (reply.status, reply.error["code"]) == (status, code)

    run(story)

"""The model server without a model: the API's forms, and the way from a job and from a gateway to it."""

import asyncio
import json
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from compute.blueprints.language import make_canary
from neurons.checking import OK, model_server, work
from neurons.echo import Echo, vector
from neurons.model_server import Unanswered, generator, language_of
from neurons.upstream import Counted, Upstream, UpstreamFailed
from neurons.workloads import language, workloads
from tests.neurons.fake_gateway import application_served

HELLO = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "one two  three"}]


@contextmanager
def echoing(**options):
    """Serve an echo in a thread; yields an upstream to it."""
    started, ended, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()
    found = []

    async def serve():
        async with application_served(Echo(**options).application()) as url:
            found.append(url)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait(5)
    try:
        yield Upstream(f"{found[0]}/v1", {"said": "echo"})
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(5)
        loop.close()


def answered(upstream, path="chat/completions", **body):
    async def asked():
        async with upstream.session() as session:
            pieces = upstream.answer(session, path=path, model="said", body=body)
            return [piece async for piece in pieces]

    *texts, counted = asyncio.run(asked())
    assert isinstance(counted, Counted)
    return [json.loads(text) for text in texts], counted


def test_the_last_message_is_said_back_whole_and_streamed():
    with echoing() as upstream:
        (whole,), counted = answered(upstream, messages=HELLO, max_tokens=2)
        pieces, streamed = answered(upstream, messages=HELLO, stream=True)

    assert whole["choices"][0]["message"]["content"] == "one two"
    assert whole["choices"][0]["finish_reason"] == "length"
    assert (counted.prompt_tokens, counted.completion_count) == (5, 2)
    said = [piece["choices"][0]["delta"]["content"] for piece in pieces]
    assert said == ["one", " two", "  three"]
    assert pieces[-1]["choices"][0]["finish_reason"] == "stop"
    assert (streamed.prompt_tokens, streamed.completion_count) == (5, 3)


def test_texts_are_completed_and_embedded():
    with echoing() as upstream:
        (text,), _ = answered(upstream, "completions", prompt="to be or not")
        (vectors,), _ = answered(upstream, "embeddings", input=["a", "b"])

    assert text["choices"][0]["text"] == "to be or not"
    assert [each["embedding"] for each in vectors["data"]] == [vector("a"), vector("b")]
    assert np.linalg.norm(vector("a")) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("body", [{}, {"messages": "x"}, {"messages": HELLO, "max_tokens": 0.5}])
def test_a_wrong_request_is_the_consumers_fault(body):
    with echoing() as upstream, pytest.raises(UpstreamFailed) as failure:
        answered(upstream, **body)

    assert (failure.value.fault, failure.value.status) == ("consumer", 400)
    assert "must be" in failure.value.message


def test_a_miner_and_a_validator_with_the_same_model_agree():
    rng = np.random.default_rng(6)
    with echoing() as upstream:
        workload = workloads(model=language_of(upstream))[language.KIND]
        for _ in range(5):
            payload, _ = make_canary(rng)
            output = workload.run(payload)
            points, _ = workload.check(payload=payload, output=output, known_answer=None, rng=rng)
            assert points == 1_000_000
        assert model_server(upstream).state == OK
        assert work(language.KIND, workload).state == OK


def test_a_model_that_is_not_there_is_told_with_those_that_are():
    with echoing() as upstream:
        found = model_server(Upstream(upstream.url, {"m": "llama"}))

    assert found.detail == "it has no llama"
    assert "It serves echo" in found.next_step


def test_a_server_that_is_down_gives_no_output():
    with pytest.raises(Unanswered):
        generator(Upstream("http://127.0.0.1:9/v1", {"m": "m"}))(HELLO, max_tokens=1, seed=1)

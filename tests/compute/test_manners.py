"""Every chat reaches miners in one spelling, and a job in the manner of some chat."""

import itertools
import json

import orjson
import pytest

from compute import manners
from compute.manners import MANNERS, REMEMBERED_LEAST, Manner, Manners, asked, manner_of, spelled

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = {"model": "gemma", "messages": HELLO, "max_tokens": 64, "temperature": 0}
PAYLOAD = {"messages": HELLO, "max_tokens": 64, "temperature": 0, "seed": 99}


def test_requests_that_mean_the_same_are_spelled_the_same():
    python = CHAT | {"stream": False, "n": 1, "user": "u-17", "temperature": 0.0}
    node = {
        "stream": None,
        "max_tokens": 64,
        "temperature": 0,
        "stream_options": {"include_usage": False},
        "messages": [{"content": "Hello", "role": "user"}],
        "model": "gemma",
    }

    assert list(spelled(python).items()) == list(spelled(node).items())
    assert list(spelled(node)["messages"][0]) == ["content", "role"]


def test_what_the_model_reads_is_left_as_it_is():
    given = CHAT | {"temperature": 0.7, "stop": ["\n"], "tools": [{"b": 1, "a": 2}], "seed": 0}

    assert spelled(given) == given | {"stream": False}


@pytest.mark.parametrize("number", [1e300, -1e30, 10**30, 0.5], ids=str)
def test_a_number_that_is_no_64_bits_wide_can_still_be_sent(number):
    given = orjson.loads(json.dumps(CHAT | {"seed": number}))

    sent = orjson.loads(orjson.dumps(spelled(given)))

    assert sent["seed"] == float(number)


@pytest.mark.parametrize("manner", MANNERS, ids=str)
def test_a_job_is_spelled_as_a_chat_of_its_manner(manner):
    chat = CHAT | {"stream": manner.is_streamed}
    chat |= {"seed": 42} if manner.has_seed else {}
    chat |= {"stream_options": {"include_usage": True}} if manner.wants_usage else {}

    job = asked(PAYLOAD, model="gemma", manner=manner, seed=42)

    assert list(job.items()) == list(spelled(chat).items())
    assert manner_of(job) == manner


@pytest.mark.parametrize(
    "odd", [{"temperature": 0.7}, {"tools": []}, {"top_p": 0.123}, {"stop": "x"}], ids=str
)
def test_a_manner_of_its_own_is_imitated_by_no_job(odd):
    kept = Manners()
    for _ in range(REMEMBERED_LEAST):
        kept.note(spelled(CHAT | odd))

    assert {kept.draw() for _ in range(200)} == set(MANNERS)


def test_jobs_are_asked_as_consumers_asked_lately():
    kept = Manners()
    chat = spelled(CHAT | {"stream": True, "stream_options": {"include_usage": True}})
    for _ in range(REMEMBERED_LEAST):
        kept.note(chat)

    assert {kept.draw() for _ in range(50)} == {Manner(True, True, False)}


def test_a_jobs_seed_is_one_that_people_write_or_its_own():
    drawn = {Manners().draw_seed(99) for _ in itertools.repeat(None, 300)}

    assert drawn == {*manners.SEEDS, 99}

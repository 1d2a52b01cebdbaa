"""What the gateway reads of OpenAI's requests, and how it refuses."""

import json
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute import openai
from compute.errors import FieldInvalid, KeyBusy, ModelKindWrong, ModelNotFound, RequestMalformed
from compute.openai import Path, problem, read_ask
from compute.serving import Kind, ModelTerms
from ledger.errors import InsufficientFunds

CHAT = ModelTerms("gemma", 3, Kind.CHAT, 4_096, 512, 100, 400, 0)
VECTORS = ModelTerms("minilm", 4, Kind.EMBEDDINGS, 256, 0, 50, 0, 0)
MODELS = {"gemma": CHAT, "minilm": VECTORS}
HELLO = [{"role": "user", "content": "Hello"}]


def read(path=Path.CHAT, **body):
    body = {"model": "minilm" if path is Path.EMBEDDINGS else "gemma"} | body
    return read_ask(path, orjson.dumps(body), terms_of=MODELS.get)


def test_what_the_gateway_does_not_know_is_passed_on_as_it_came():
    ask = read(messages=HELLO, temperature=0.3, seed=7, tools=[], logit_bias={"5": 1})

    assert ask.body["messages"] == HELLO
    assert (ask.body["temperature"], ask.body["seed"], ask.body["tools"]) == (0.3, 7, [])
    assert ask.body["logit_bias"] == {"5": 1}


@pytest.mark.parametrize(
    ("asked", "bound"),
    [
        ({}, 512),
        ({"max_tokens": 20}, 20),
        ({"max_tokens": 100_000}, 512),
        ({"max_completion_tokens": 30}, 30),
        ({"max_completion_tokens": 30, "max_tokens": 20}, 30),
        ({"max_tokens": None}, 512),
    ],
)
def test_an_answer_is_bounded_by_what_was_asked_for_and_by_what_the_model_gives(asked, bound):
    ask = read(messages=HELLO, **asked)

    assert ask.output_tokens == bound
    assert ask.body["max_tokens"] == bound
    assert "max_completion_tokens" not in ask.body


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (Path.CHAT, {}, "messages"),
        (Path.CHAT, {"messages": []}, "messages"),
        (Path.CHAT, {"messages": "Hello"}, "messages"),
        (Path.CHAT, {"messages": [{"content": "Hello"}]}, "messages[0]"),
        (Path.CHAT, {"messages": [*HELLO, {"role": "user", "content": 5}]}, "messages[1].content"),
        (Path.CHAT, {"messages": HELLO, "stream": "yes"}, "stream"),
        (Path.CHAT, {"messages": HELLO, "max_tokens": 0}, "max_tokens"),
        (Path.CHAT, {"messages": HELLO, "max_tokens": True}, "max_tokens"),
        (Path.CHAT, {"messages": HELLO, "max_completion_tokens": "9"}, "max_completion_tokens"),
        (Path.CHAT, {"messages": HELLO, "n": 2}, "n"),
        (Path.CHAT, {"messages": HELLO, "model": 5}, "model"),
        (Path.COMPLETIONS, {"prompt": [1, 2, 3]}, "prompt"),
        (Path.COMPLETIONS, {"prompt": "Hello", "best_of": 3}, "best_of"),
        (Path.EMBEDDINGS, {"input": []}, "input"),
        (Path.EMBEDDINGS, {"input": [[1, 2]]}, "input"),
        (Path.EMBEDDINGS, {"input": ["word"] * 257}, "input"),
    ],
)
def test_a_member_with_a_value_it_cannot_have_is_named(path, body, field):
    with pytest.raises(FieldInvalid) as refused:
        read(path, **body)

    assert refused.value.fields["field"] == field


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"text"', b"\xff", b'{"a": NaN}'])
def test_a_body_that_is_no_json_object_is_said_so(raw):
    with pytest.raises(RequestMalformed):
        read_ask(Path.CHAT, raw, terms_of=MODELS.get)


def test_a_model_that_nobody_serves_or_that_does_other_work_is_said_so():
    with pytest.raises(ModelNotFound):
        read(messages=HELLO, model="gpt-4")
    with pytest.raises(ModelKindWrong):
        read(messages=HELLO, model="minilm")


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["model", "messages", "prompt", "stream", "n"]), inner
            )
        ),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_is_sent_is_read_or_refused(raw):
    for path in Path:
        with suppress(RequestMalformed, FieldInvalid, ModelNotFound, ModelKindWrong):
            read_ask(path, raw, terms_of=MODELS.get)


def test_a_refusal_has_the_form_that_openais_clients_read():
    said = orjson.loads(problem(FieldInvalid(field="n", problem="one answer a request")))

    assert said == {
        "error": {
            "message": "n: one answer a request.",
            "type": "invalid_request_error",
            "param": "n",
            "code": "field_invalid",
        }
    }


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (KeyBusy(limit=64, retry_after_s=1), "rate_limit_error"),
        (InsufficientFunds(needed_rao=5, available_rao=0), "insufficient_quota"),
    ],
)
def test_limits_and_empty_wallets_have_the_types_that_clients_act_on(refusal, kind):
    assert orjson.loads(problem(refusal))["error"]["type"] == kind


def test_the_list_of_models_says_what_each_costs():
    page = orjson.loads(openai.models_page(MODELS))

    assert [model["id"] for model in page["data"]] == ["gemma", "minilm"]
    assert page["data"][0]["owned_by"] == "subnet-3"
    assert page["data"][0]["pricing"]["output_rao_per_million_tokens"] == "400"

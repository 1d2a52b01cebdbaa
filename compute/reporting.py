"""What becomes of a reported answer: which conversations can be judged, how long they are kept, how many reports one makes.

A report alone moves nothing. Where its consumer agrees that validators read the conversation, and the conversation is one
that a job could have been, it stands before them as a job's result does; their scores are the verdict. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from compute import manners
from neurons.workloads import language

REASON_LENGTH_MAX = 500
# Each may cost every validator of a subnet a run of its model, and the reporter nothing.
REPORTS_PER_DAY_MAX = 20  # of one account
REPORTS_OF_MINER_PER_DAY_MAX = 5  # of one account on one miner: a rival has no more to say
CHECKED_AT_ONCE_MAX = 100  # of one subnet; beyond, validators read a conversation and repeat none
CHAT_MAX_BYTES = 256 * 2**10  # prompt and answer; 512 tokens in OpenAI's pieces are about 150 kB
CHAT_AWAITED = timedelta(minutes=1)  # gateways look every two seconds
CHAT_KEPT = timedelta(days=7)  # a validator that was away for a week-end still reads it
CHECKED_WITHIN = timedelta(hours=1)  # nobody's money waits for this verdict


class Unchecked(StrEnum):
    """Why nobody repeats a conversation that validators may read."""

    OPTIONS = "options"
    """It had a temperature, tools or other options under which a model does not say the same again."""
    SUBNET = "subnet"
    """The subnet's validators judge other work, or another model."""
    OWN = "own"
    """The miner is the reporter's own: nobody adds to a miner's results by reporting themselves."""
    CROWDED = "crowded"
    """As many reported answers as a subnet takes at once wait for its validators."""


class Standing(StrEnum):
    """What a consumer is told of a report."""

    TOLD = "told"
    """Validators read its words; the conversation was not to be shown."""
    AWAITED = "awaited"
    """The gateway that answered is asked for the conversation."""
    GONE = "gone"
    """No gateway had the conversation any more; validators read the words."""
    SHOWN = "shown"
    """Validators read the conversation; it is none that can be repeated."""
    CHECKING = "checking"
    """Validators repeat the conversation."""
    UPHELD = "upheld"
    """Validators found the answer wrong; it counts among the miner's results."""
    NOT_UPHELD = "not_upheld"
    """Validators found that the model says just that."""
    UNJUDGED = "unjudged"
    """No validator judged it in time; nobody is blamed."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation as the gateway that passed it on remembers it.

    call_id: what the miner signed for.  body: the request as the miner had it.  pieces: the answer as it was signed.
    """

    request_id: UUID
    call_id: UUID
    body: Mapping[str, Any]
    pieces: Sequence[str]
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A conversation in the form of a language job."""

    payload: dict[str, Any]
    output: dict[str, Any]


def repeatable(chat: Chat) -> Repeatable | None:
    """Return a conversation as a validator repeats one; None where a model need not say the same again."""
    body = chat.body
    if "messages" not in body or manners.manner_of(body) is None:
        return None
    payload = {
        "messages": list(body["messages"]),
        "max_tokens": min(body["max_tokens"], language.TOKENS_MAX),
        "temperature": 0,
        "seed": body.get("seed", 0),
    }
    try:
        text, finish_reason = language.spoken(chat.pieces)
    except ValueError:
        return None
    output = {
        "text": text,
        "finish_reason": finish_reason,
        "prompt_tokens": chat.prompt_tokens,
        # What came beyond the longest job's answer is behind everything that is compared.
        "completion_tokens": min(chat.completion_tokens, payload["max_tokens"]),
    }
    if language.payload_problem(payload) or language.output_problem(payload, output):
        return None
    return Repeatable(payload, output)


def without_words(found: Repeatable) -> Repeatable:
    """Return the same in length and without a word: what is kept when the conversation is forgotten.

    An epoch measures work by the length of what was asked; who audits it later gets the same figure.
    """
    messages = [
        message | {"content": "·" * len(message["content"])}
        for message in found.payload["messages"]
    ]
    return Repeatable(found.payload | {"messages": messages}, found.output | {"text": ""})

"""How a chat is asked: the one spelling in which miners get every request, and the manners of those that can be imitated.

A miner must not know a language job from a consumer's chat. So every request is spelled anew, whoever sends it: members
in one order, nothing in it that says which program wrote it. And a job, whose answer the model gives at temperature 0
whatever the other options, takes on the manner in which some consumer asked lately at temperature 0.

Pure. The manners are few (MANNERS), so that nobody can mark the jobs by asking in a manner of their own.
"""

import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

# They say who asks, or what is to be kept of it, and nothing to the model.
OF_THE_CALLER = frozenset(
    {
        *("user", "metadata", "store", "safety_identifier", "prompt_cache_key"),
        *("service_tier", "prompt_cache_retention"),
    }
)
ONE_ANSWER = ("n", "best_of")  # always 1 here
LIKE_A_JOBS = frozenset(
    {"model", "messages", "max_tokens", "temperature", "stream", "stream_options", "seed"}
)
# At temperature 0 a seed changes nothing; these are what people write.
SEEDS = (0, 1, 7, 42, 123, 1234)
REMEMBERED_MAX = 256  # chats: the last minutes of a busy gateway
REMEMBERED_LEAST = 16  # below, a single consumer would be imitated
WHOLE_MAX = (
    2**53
)  # up to here a float says a whole number exactly; what is far above, JSON's writers refuse as one


@dataclass(frozen=True, slots=True)
class Manner:
    """Options that do not change what a model says at temperature 0."""

    is_streamed: bool
    wants_usage: bool
    has_seed: bool


MANNERS = tuple(
    Manner(is_streamed, wants_usage, has_seed)
    for is_streamed, wants_usage, has_seed in product((True, False), repeat=3)
    if is_streamed or not wants_usage
)


def spelled(body: Mapping[str, Any]) -> dict[str, Any]:
    """Write a request as every request is written: sorted, without the caller's own words, nothing left to default."""
    kept: dict[str, Any] = {
        name: _plain(value)
        for name, value in sorted(body.items())
        if value is not None and name not in OF_THE_CALLER and name not in ONE_ANSWER
    }
    if "messages" in kept:
        kept["messages"] = [dict(sorted(message.items())) for message in kept["messages"]]
    if "input" not in kept:
        kept["stream"] = bool(kept.get("stream"))
    options = kept.get("stream_options")
    if isinstance(options, Mapping):
        options = {name: value for name, value in sorted(options.items()) if value}
        if options and kept.get("stream"):
            kept["stream_options"] = options
        else:
            del kept["stream_options"]
    return dict(sorted(kept.items()))


def _plain(value: Any) -> Any:  # noqa: ANN401  any JSON value
    """Write 0.0 as 0: both are one number, written by different programs."""
    is_whole = isinstance(value, float) and abs(value) <= WHOLE_MAX and value.is_integer()
    return int(value) if is_whole else value


def manner_of(body: Mapping[str, Any]) -> Manner | None:
    """Return the manner of a chat, spelled; None where a job could not have been asked so."""
    if body.get("temperature") != 0 or not body.keys() <= LIKE_A_JOBS:
        return None
    options = body.get("stream_options", {})
    if options not in ({}, {"include_usage": True}):
        return None
    return Manner(body["stream"], bool(options), "seed" in body)


def asked(payload: Mapping[str, Any], *, model: str, manner: Manner, seed: int) -> dict[str, Any]:
    """Write a language job as a chat of this manner."""
    body = {"model": model, "messages": payload["messages"], "temperature": 0}
    body |= {"max_tokens": payload["max_tokens"], "stream": manner.is_streamed}
    if manner.wants_usage:
        body["stream_options"] = {"include_usage": True}
    if manner.has_seed:
        body["seed"] = seed
    return spelled(body)


class Manners:
    """The manners of the last chats at temperature 0."""

    def __init__(self) -> None:
        self._seen: deque[Manner] = deque(maxlen=REMEMBERED_MAX)

    def note(self, body: Mapping[str, Any]) -> None:
        """Remember how a consumer asked."""
        manner = manner_of(body)
        if manner is not None:
            self._seen.append(manner)

    def draw(self) -> Manner:
        """Return the manner of some chat; of any, while there were few."""
        known: Sequence[Manner] = self._seen
        return secrets.choice(known if len(known) >= REMEMBERED_LEAST else MANNERS)

    def draw_seed(self, seed: int) -> int:
        """Return what stands for a job's seed: what people write, or the job's own."""
        return secrets.choice((*SEEDS, seed))

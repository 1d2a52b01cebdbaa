"""Answer a conversation with a language model at temperature 0; check the beginning and a later stretch by doing them again.

payload  {"messages": [1..32 of {"role": system|user|assistant, "content": text}], "max_tokens": 1..512,
          "temperature": 0, "seed": 0..2**31-1}, and to validators "model": which of the subnet's answered
output   {"text", "finish_reason": stop|length, "prompt_tokens", "completion_tokens"}

Which model answers is a subnet's own: whoever mines or judges there runs the one that its owner names.

What the check can tell. At temperature 0 two runs of one model say the same, until two tokens are so near each
other that the rounding of another processor picks the other one; from there on the texts have nothing in common.
So the first CHECKED_CHARACTERS are compared, and a text that parts from the validator's earlier is worth as much as
it shared, and nothing below SHARED_MIN. Another model, another prompt and invented text part within a few words.

What lies behind is looked at too: one stretch of WINDOW_CHARACTERS, drawn when the miner has signed the text. The
validator's model goes on from the text before it as it was given, so that it does not matter where two machines parted
before; the lesser of the two scores counts. Whether a server goes on from a given beginning is tried with its own
answers: one that does not is asked for beginnings alone.

What it cannot tell: a change to the weights too small to change a word in what is compared. That needs logits, which
OpenAI's API does not give for a text that was said.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

from neurons.workloads import texts

KIND = "language"
ROLES = ("system", "user", "assistant")
MESSAGES_MAX = 32
CHARACTERS_MAX = 16_000  # Of all messages together: about 4 000 tokens, what small models hold.
TOKENS_MAX = 512
SEED_MAX = 2**31 - 1  # The largest that every server takes.
TEXT_MAX = (
    64 * TOKENS_MAX
)  # No token of a common vocabulary is longer than 64 characters but for runs of spaces.
MODEL_MAX = 80
PROMPT_TOKENS_MAX = 2**20
FINISHES = ("stop", "length")
CHECKED_CHARACTERS = 160  # About 40 tokens.
WINDOW_CHARACTERS = 80
WORD_CHARACTERS_MAX = 40
WINDOW_TOKENS = 64  # Enough for the window in languages that have few characters to a token.
TRIALS_MAX = 3  # A near tie may part a server from itself once, not three times in a row.
SHARED_MIN = 0.25
ALIKE_PPM = 500_000  # Half of what is checked: other models part within a few words.
RIGHT_PPM = 1_000_000
_FIELDS = {"messages", "max_tokens", "temperature", "seed"}
_OUTPUT_FIELDS = {"text", "finish_reason", "prompt_tokens", "completion_tokens"}


@dataclass(frozen=True, slots=True)
class Generated:
    """What a model said."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


class Generate(Protocol):
    """Ask the model beside this program, at temperature 0. Where the assistant has the last word, it is to go on from it."""

    def __call__(
        self, messages: Sequence[Mapping[str, str]], *, max_tokens: int, seed: int
    ) -> Generated:
        """Answer. Raises: when the model server does not."""


def payload_problem(payload: object) -> str | None:
    """Say what is wrong with a payload, or None."""
    if not isinstance(payload, dict) or set(payload) - {"model"} != _FIELDS:
        return (
            "A language payload has exactly the fields messages, max_tokens, temperature and seed."
        )
    if "model" in payload and not texts.is_storable(payload["model"], length_max=MODEL_MAX):
        return f"model must be a name of at most {MODEL_MAX} characters."
    if not _is_whole(payload["max_tokens"], 1, TOKENS_MAX):
        return f"max_tokens must be a whole number from 1 to {TOKENS_MAX}."
    if not _is_whole(payload["temperature"], 0, 0):
        return "temperature must be 0: another answer could not be checked."
    if not _is_whole(payload["seed"], 0, SEED_MAX):
        return f"seed must be a whole number from 0 to {SEED_MAX}."
    return _messages_problem(payload["messages"])


def _messages_problem(messages: object) -> str | None:
    if not isinstance(messages, list) or not 1 <= len(messages) <= MESSAGES_MAX:
        return f"messages must be a list of 1 to {MESSAGES_MAX}."
    problems = (_message_problem(place, each) for place, each in enumerate(messages))
    problem = next((problem for problem in problems if problem), None)
    if problem is not None:
        return problem
    if sum(len(message["content"]) for message in messages) > CHARACTERS_MAX:
        return f"The messages must have at most {CHARACTERS_MAX} characters together."
    return None if messages[-1]["role"] == "user" else "The last message must be the user's."


def _message_problem(position: int, message: object) -> str | None:
    if not isinstance(message, dict) or set(message) != {"role", "content"}:
        return f"Message {position} must have exactly the fields role and content."
    if message["role"] not in ROLES:
        return f"The role of message {position} must be system, user or assistant."
    is_text = texts.is_storable(message["content"], length_max=CHARACTERS_MAX)
    if not is_text or not message["content"].strip():
        return f"Message {position} must hold text, not only spaces."
    return None


def spoken(pieces: Iterable[str]) -> tuple[str, str]:
    """Read text and finish_reason from the pieces of a chat completion, streamed or whole, as OpenAI writes them.

    Raises: ValueError for a piece that is no JSON object or says no text where there should be some.
    """
    said: list[str] = []
    finish = "stop"
    for piece in pieces:
        match json.loads(piece):
            case {"choices": [{"message": {"content": str(text)}, **rest}]}:
                said.append(text)
            case {"choices": [{"delta": {"content": str(text)}, **rest}]}:
                said.append(text)
            case {"choices": [{"delta": dict(), **rest}]}:
                pass  # a role, or the end
            case {"choices": []}:
                continue  # what was used
            case _:
                raise ValueError("A piece of the answer is none of a chat completion.")
        finish = str(rest.get("finish_reason") or finish)
    return "".join(said), finish if finish in FINISHES else "stop"


def output_problem(payload: dict[str, Any], output: object) -> str | None:
    """Say what is wrong with the form of an output, or None. `payload` must be a right one."""
    if not isinstance(output, dict) or set(output) != _OUTPUT_FIELDS:
        return f"A language output has exactly the fields {', '.join(sorted(_OUTPUT_FIELDS))}."
    if not texts.is_storable(output["text"], length_max=TEXT_MAX):
        return f"text must be text of at most {TEXT_MAX} characters, without zero bytes."
    if output["finish_reason"] not in FINISHES:
        return "finish_reason must be stop or length."
    if not _is_whole(output["prompt_tokens"], 0, PROMPT_TOKENS_MAX):
        return "prompt_tokens must be a whole number."
    if not _is_whole(output["completion_tokens"], 0, payload["max_tokens"]):
        return "completion_tokens must be a whole number, and no more than max_tokens."
    return None


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


@dataclass(slots=True)
class Language:
    """The workload over one model. It learns from the model's own answers whether it goes on from a given beginning.

    named: the same over each of the models that a payload may name, by the name on the network.
    """

    generate: Generate
    named: "Mapping[str, Language]" = field(default_factory=dict)
    KIND: str = KIND
    _continues: bool | None = field(default=None, init=False)
    _trials_count: int = field(default=0, init=False)

    def run(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Ask the model. Raises: ValueError when the payload is malformed, and what `generate` raises."""
        problem = payload_problem(payload)
        if problem is not None:
            raise ValueError(problem)
        if "model" in payload:
            return self._over(payload["model"]).run(without_model(payload))
        answer = self.generate(
            payload["messages"], max_tokens=payload["max_tokens"], seed=payload["seed"]
        )
        output = asdict(answer)
        # A server that counts otherwise than it was asked must not cost its miner the job.
        output["completion_tokens"] = min(answer.completion_tokens, payload["max_tokens"])
        problem = output_problem(payload, output)
        if problem is not None:
            raise ValueError(problem)
        return output

    def check(
        self,
        *,
        payload: dict[str, Any],
        output: object,
        known_answer: dict[str, Any] | None,
        rng: np.random.Generator,
    ) -> tuple[int, str]:
        """Score a text by how far its beginning, and a stretch behind it that rng draws, go along with the model.

        Raises: ValueError when the payload, not the output, is malformed; what `generate` raises: a validator
        whose own model is down gives no score, nor one that has not the model that was asked (LookupError).
        """
        problem = payload_problem(payload)
        if problem is not None:
            raise ValueError(problem)
        if "model" in payload:
            return self._over(payload["model"]).check(
                payload=without_model(payload), output=output, known_answer=known_answer, rng=rng
            )
        problem = output_problem(payload, output)
        if problem is not None:
            return 0, problem
        assert isinstance(output, dict)
        answer = known_answer if known_answer is not None else self.run(payload)
        ppm, reason = compared(output, answer)
        place = window(output["text"], rng) if ppm else None
        if place is None or not self._goes_on(payload, str(answer["text"]), rng):
            return ppm, reason
        later_ppm, found = self._compared_later(payload, output["text"], place)
        if later_ppm < ppm:
            return later_ppm, f"from character {place} on, {found}"
        return ppm, reason

    def _over(self, name: str) -> "Language":
        if name not in self.named:
            raise LookupError(f"no model {name} is beside this program")
        return self.named[name]

    def _goes_on(self, payload: dict[str, Any], own: str, rng: np.random.Generator) -> bool:
        """Say whether the model goes on from a given beginning, by an answer of its own, once that can be told."""
        if self._continues is not None:
            return self._continues
        place = window(own, rng)
        # Where it says the same again and again, beginning anew would pass for going on.
        if place is None or parted(own[place:], own, WINDOW_CHARACTERS)[0] >= ALIKE_PPM:
            return False
        ppm, _ = self._compared_later(payload, own, place)
        self._trials_count += 1
        if ppm >= ALIKE_PPM:
            self._continues = True
        elif self._trials_count >= TRIALS_MAX:
            self._continues = False
        return bool(self._continues)

    def _compared_later(self, payload: dict[str, Any], text: str, place: int) -> tuple[int, str]:
        """Score a stretch of a text against what the model says after the text before it."""
        before, given = text[:place], text[place:].strip()
        messages = [*payload["messages"], {"role": "assistant", "content": before}]
        answer = self.generate(messages, max_tokens=WINDOW_TOKENS, seed=payload["seed"])
        # Some servers say what they were given as well.
        expected = answer.text.removeprefix(before).strip()
        # The model was stopped, or the text was: what one of them has not is no difference.
        is_cut = answer.finish_reason == "length"
        length = min(len(given), len(expected)) if is_cut else len(given)
        return parted(given, expected, min(WINDOW_CHARACTERS, length))


def without_model(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a payload as the workload over one model reads it."""
    return {name: value for name, value in payload.items() if name != "model"}


def window(text: str, rng: np.random.Generator) -> int | None:
    """Draw where a stretch behind the beginning starts; None where the text is too short for one.

    Every place is as likely; it moves back to the end of the word before, as models take a word with the space in
    front, but never far: else what is written without spaces would not be looked at. Where the stretch was said before,
    it moves to the first time: any model goes on with what is said again and again.
    """
    first = len(text) - len(text.lstrip()) + CHECKED_CHARACTERS
    last = len(text) - WINDOW_CHARACTERS
    if last < first:
        return None
    drawn = int(rng.integers(first, last, endpoint=True))
    ends = (
        at
        for at in range(drawn, max(first, drawn - WORD_CHARACTERS_MAX), -1)
        if text[at].isspace() and not text[at - 1].isspace()
    )
    place = next(ends, drawn)
    return text.find(text[place : place + WINDOW_CHARACTERS // 2], first)


def compared(output: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[int, str]:
    """Score a well-formed output against an answer: (score_ppm, reason)."""
    return parted(str(output["text"]), str(answer["text"]), CHECKED_CHARACTERS)


def parted(one: str, other: str, length: int) -> tuple[int, str]:
    """Score how far a text goes along with another, of both so many characters: (score_ppm, reason)."""
    # Surrounding space is the server's, not the model's.
    given, expected = one.strip()[:length], other.strip()[:length]
    if not expected and not given:
        return RIGHT_PPM, "both are empty"
    pairs = zip(given, expected, strict=False)
    shared = next((n for n, (mine, theirs) in enumerate(pairs) if mine != theirs), None)
    if shared is None:
        shared = min(len(given), len(expected))
    # A text that stops where the answer goes on, or goes on where it stops, parts from it there.
    total = max(len(expected), len(given))
    found = f"the first {shared} of {total} characters checked are equal"
    if shared == total:
        return RIGHT_PPM, found
    if shared < SHARED_MIN * total:
        return 0, f"only {found}"
    return RIGHT_PPM * shared // total, found

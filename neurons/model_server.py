"""Ask the model server beside this program one whole answer: what the workload `language` needs."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from neurons.upstream import Upstream
from neurons.workloads.language import FINISHES, Generate, Generated, Language

TIMEOUT_S = 300.0  # A small processor writes 512 tokens in about a minute.
ANSWER_MAX_BYTES = 2**20


class Unanswered(Exception):
    """The model server gave no answer that can be used."""


def language_of(upstream: Upstream) -> Language:
    """Return the workload over a server's models: by their names on the network, the first where none is named."""
    named = {name: Language(generator(upstream, name)) for name in upstream.models}
    return Language(generator(upstream), named)


def generator(upstream: Upstream, model: str = "") -> Generate:
    """Return what asks a model of a server, the first where none is named, at temperature 0."""
    name = upstream.models[model] if model else next(iter(upstream.models.values()))
    headers = {"Authorization": f"Bearer {upstream.api_key}"} if upstream.api_key else {}

    def generate(messages: Sequence[Mapping[str, str]], *, max_tokens: int, seed: int) -> Generated:
        asked = {
            "model": name,
            "messages": [dict(message) for message in messages],
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": seed,
            "stream": False,
        }
        if messages[-1]["role"] == "assistant":
            # vLLM's words for going on; llama.cpp and Ollama do so by themselves.
            asked |= {"continue_final_message": True, "add_generation_prompt": False}
        try:
            # A connection a job: a job takes seconds, and nothing has to be closed at the end.
            response = httpx.post(
                f"{upstream.url}/chat/completions",
                json=asked,
                headers=headers,
                timeout=TIMEOUT_S,
                trust_env=False,
                # Loading the authorities' certificates takes longer than a small model's answer.
                verify=upstream.url.startswith("https://"),
            )
            answer = response.json() if len(response.content) <= ANSWER_MAX_BYTES else None
        except (httpx.HTTPError, ValueError) as error:
            raise Unanswered(
                f"The model server does not answer ({type(error).__name__})."
            ) from None
        if response.status_code != 200:
            raise Unanswered(f"The model server answered {response.status_code}.")
        return _generated(answer)

    return generate


def _generated(answer: object) -> Generated:
    """Read a chat completion. Raises: Unanswered."""
    match answer:
        case {"choices": [{"message": {"content": str(text)}, **choice}, *_], **rest}:
            usage = rest.get("usage")
            finish = choice.get("finish_reason")
            return Generated(
                text=text,
                finish_reason=finish if finish in FINISHES else "stop",
                prompt_tokens=_count(usage, "prompt_tokens"),
                completion_tokens=_count(usage, "completion_tokens"),
            )
    raise Unanswered("The model server's answer holds no text.")


def _count(usage: Any, name: str) -> int:  # noqa: ANN401  any JSON value
    count = usage.get(name) if isinstance(usage, Mapping) else None
    return count if type(count) is int and count >= 0 else 0

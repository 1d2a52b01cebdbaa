"""OpenAI's requests as far as the gateway has to understand them; everything else is the upstream's business.

Pure. Read are: which model, whether the answer streams, how many tokens it may have, and how large the prompt
is. What the gateway does not know is passed on, in the one spelling of compute.manners.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from compute import manners
from compute.errors import FieldInvalid, ModelKindWrong, ModelNotFound, RequestMalformed
from compute.serving import ModelTerms
from ledger.errors import DomainError

BODY_MAX_BYTES = (
    4 * 2**20
)  # 128 000 tokens of text are about half a megabyte; pictures are not served yet
INPUTS_MAX = 256  # sentences of one embeddings request
MESSAGES_MAX = 2_048


class Path(StrEnum):
    """What consumers call, below /v1/."""

    CHAT = "chat/completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"

    @property
    def kind(self) -> str:
        """Return the kind of model it takes."""
        return "embeddings" if self is Path.EMBEDDINGS else "chat"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, checked.

    body: what goes to the miner, with the bound on output made explicit.  output_tokens: that bound.
    prompt_bytes: of the whole request as it came, which bounds the number of prompt tokens.
    """

    path: Path
    terms: ModelTerms
    body: dict[str, Any]
    is_streamed: bool
    output_tokens: int
    prompt_bytes: int


def read_ask(path: Path, raw: bytes, *, terms_of: Callable[[str], ModelTerms | None]) -> Ask:
    """Read a request. Raises: RequestMalformed, FieldInvalid, ModelNotFound, ModelKindWrong."""
    body = _object(raw)
    name = body.get("model")
    if not isinstance(name, str):
        raise FieldInvalid(
            field="model", problem="name one of the models that GET /v1/models lists"
        )
    terms = terms_of(name)
    if terms is None:
        raise ModelNotFound(model=name[:80])
    if terms.kind != path.kind:
        raise ModelKindWrong(model=name, kind=terms.kind, path=path.value)
    if path is Path.EMBEDDINGS:
        _check_input(body)
        body = manners.spelled(body)
        return Ask(path, terms, body, is_streamed=False, output_tokens=0, prompt_bytes=len(raw))
    if path is Path.CHAT:
        _check_messages(body)
    else:
        _check_prompt(body)
    _refuse_several(body)
    is_streamed = _flag(body, "stream")
    output_tokens = _bound_output(body, path, terms)
    body = manners.spelled(body)
    return Ask(path, terms, body, is_streamed, output_tokens, prompt_bytes=len(raw))


def job_ask(terms: ModelTerms, body: dict[str, Any]) -> Ask:
    """Make a chat of a job, spelled; nobody is charged for its tokens here."""
    return Ask(Path.CHAT, terms, body, body["stream"], body["max_tokens"], prompt_bytes=0)


def problem(refusal: DomainError) -> bytes:
    """Write a refusal as OpenAI's clients read one."""
    status = refusal.http_status
    kind = "invalid_request_error" if status < 500 else "server_error"
    if status == 429:
        kind = "rate_limit_error"
    elif status == 402:
        kind = "insufficient_quota"
    return orjson.dumps(
        {
            "error": {
                "message": str(refusal),
                "type": kind,
                "param": refusal.fields.get("field"),
                "code": refusal.code,
            }
        }
    )


def models_page(models: Mapping[str, ModelTerms]) -> bytes:
    """Write GET /v1/models: OpenAI's members first, then what each costs, in rao as decimal strings."""
    return orjson.dumps(
        {"object": "list", "data": [model_entry(models[name]) for name in sorted(models)]}
    )


def model_entry(terms: ModelTerms) -> dict[str, Any]:
    """Describe one model."""
    return {
        "id": terms.name,
        "object": "model",
        "created": 0,
        "owned_by": f"subnet-{terms.netuid}",
        "kind": terms.kind,
        "context_length": terms.context_tokens_max,
        "max_output_tokens": terms.output_tokens_max,
        "pricing": {
            "input_rao_per_million_tokens": str(terms.input_rao_per_mtok),
            "output_rao_per_million_tokens": str(terms.output_rao_per_mtok),
            "free_tokens_per_day": terms.free_tokens_per_day,
        },
    }


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise RequestMalformed(problem=f"the body is no JSON ({error.msg})") from None
    if not isinstance(body, dict):
        raise RequestMalformed(problem="the body is no JSON object")
    return body


def _check_messages(body: dict[str, Any]) -> None:
    messages = body.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MESSAGES_MAX:
        raise FieldInvalid(field="messages", problem=f"give a list of 1 to {MESSAGES_MAX} messages")
    for at, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise FieldInvalid(field=f"messages[{at}]", problem="give an object with a role")
        content = message.get("content")
        if not (content is None or isinstance(content, str | list)):
            raise FieldInvalid(
                field=f"messages[{at}].content", problem="give text or a list of parts"
            )


def _check_prompt(body: dict[str, Any]) -> None:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        body["prompt"] = prompt = prompt[0]
    if not isinstance(prompt, str):
        raise FieldInvalid(field="prompt", problem="give one text; lists of tokens are not taken")


def _check_input(body: dict[str, Any]) -> None:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not 1 <= len(texts) <= INPUTS_MAX:
        raise FieldInvalid(field="input", problem=f"give a text, or a list of 1 to {INPUTS_MAX}")
    if not all(isinstance(text, str) and text for text in texts):
        raise FieldInvalid(field="input", problem="give texts; lists of tokens are not taken")


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise FieldInvalid(field=name, problem="give true or false")
    return value


def _refuse_several(body: dict[str, Any]) -> None:
    for name in ("n", "best_of"):
        if body.get(name) not in (None, 1):
            raise FieldInvalid(field=name, problem="one answer a request; ask again for another")


def _bound_output(body: dict[str, Any], path: Path, terms: ModelTerms) -> int:
    """Return how many tokens the answer may have, and say so to the upstream in both spellings it may know."""
    names = ("max_completion_tokens", "max_tokens") if path is Path.CHAT else ("max_tokens",)
    asked = next((name for name in names if body.get(name) is not None), None)
    bound = terms.output_tokens_max
    if asked is not None:
        value = body[asked]
        if type(value) is not int or value < 1:
            raise FieldInvalid(field=asked, problem="give a whole number from 1 on")
        bound = min(bound, value)
    # Servers older than max_completion_tokens know max_tokens alone; the newer read it as well.
    body["max_tokens"] = bound
    body.pop("max_completion_tokens", None)
    return bound

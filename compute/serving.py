"""What a served model costs: terms, the price of an answer, the most that one can cost, and what is kept of it. Pure.

Prices are rao per million tokens, those of the prompt and those of the answer apart, as everybody quotes them.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from compute.errors import ModelTermsInvalid
from ledger.money import MAX_RAO

MTOK = 1_000_000  # the tokens that a price is named for

NAME_LENGTH_MAX = 80
NAME = re.compile(r"[a-z0-9][a-z0-9._/-]*", re.ASCII)

# One TAO for a million tokens is a hundred times what the dearest models cost; more is a slip of the keyboard.
PRICE_RAO_PER_MTOK_MAX = 10**9
CONTEXT_TOKENS_MAX = 2**21  # twice the longest context that is on offer anywhere
FREE_TOKENS_PER_DAY_MAX = 10**9

# What a chat template adds that is not in the request: a default system prompt, the marks that open the answer. The
# marks of each message are fewer than the bytes of its JSON ({"role":"","content":""}), which are counted as prompt.
TEMPLATE_TOKENS = 64

# A tab is opened for so many requests of the dearest kind, so that the books are asked once in hundreds of answers.
REQUESTS_PER_TAB = 50

COUNT_MAX = 2**31 - 1
LENGTHS_MAX = {
    "payer": 16,
    "model": NAME_LENGTH_MAX,
    "hotkey": 48,
    "answer_digest": 64,
    "signature": 130,
}


class Kind(StrEnum):
    """What a model answers."""

    CHAT = "chat"
    """Text to text: chat/completions and completions."""
    EMBEDDINGS = "embeddings"
    """Text to vectors: embeddings. There are no tokens of an answer."""


class Outcome(StrEnum):
    """How a request ended that a miner was at work on."""

    DONE = "done"
    """Answered in full."""
    CUT = "cut"
    """The consumer went away before the end; what was sent by then is paid."""
    FAILED = "failed"
    """No answer, or one that broke off: it costs nothing."""


@dataclass(frozen=True, slots=True)
class ModelTerms:
    """What a subnet's owner offers a model at. A request is priced by the terms it began under."""

    name: str
    netuid: int
    kind: Kind
    context_tokens_max: int
    output_tokens_max: int
    input_rao_per_mtok: int
    output_rao_per_mtok: int
    free_tokens_per_day: int

    @property
    def is_gratis(self) -> bool:
        """Tell whether no answer of it can cost anything."""
        return not (self.input_rao_per_mtok or self.output_rao_per_mtok)


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One request and what it came to: a line of the journal, then a row of the books.

    tab: what it is paid from; none where it is free.  payer: the id of the API key.  answer_digest, signature: what
    the miner signed, empty unless the outcome is done.  first_token_ms: none where no token came.
    """

    id: UUID
    tab: UUID | None
    owner: UUID
    payer: str
    model: str
    netuid: int
    hotkey: str
    outcome: Outcome
    prompt_tokens: int
    completion_tokens: int
    price_rao: int
    attempts_count: int
    first_token_ms: int | None
    duration_ms: int
    began_at: datetime
    answer_digest: str
    signature: str

    def __post_init__(self) -> None:
        """Refuse what no row could hold, before it is promised to anybody. Raises: ValueError."""
        counts = (
            self.prompt_tokens,
            self.completion_tokens,
            self.attempts_count,
            self.duration_ms,
            self.first_token_ms or 0,
        )
        if not (min(counts) >= 0 and max(counts) <= COUNT_MAX and 0 <= self.price_rao <= MAX_RAO):
            raise ValueError("a count or the price is out of bounds")
        if self.price_rao and (self.is_free or self.outcome is Outcome.FAILED):
            raise ValueError("what is free or failed costs nothing")
        for name, length_max in LENGTHS_MAX.items():
            if len(getattr(self, name)) > length_max:
                raise ValueError(f"{name} has more than {length_max} characters")
        if self.began_at.tzinfo is None:
            raise ValueError("an instant carries its time zone")

    @property
    def is_free(self) -> bool:
        """Tell whether nobody pays for it."""
        return self.tab is None

    def to_json(self) -> str:
        """Write it as one line."""
        return json.dumps(asdict(self), separators=(",", ":"), default=_plain)

    @classmethod
    def from_json(cls, line: str | bytes) -> "UsageRecord":
        """Read a line back. Raises: ValueError for anything that `to_json` did not write."""
        try:
            said: dict[str, Any] = json.loads(line)
            said["id"] = UUID(said["id"])
            said["tab"] = said["tab"] and UUID(said["tab"])
            said["owner"] = UUID(said["owner"])
            said["outcome"] = Outcome(said["outcome"])
            said["began_at"] = datetime.fromisoformat(said["began_at"])
            return cls(**said)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError("the line is no record of a usage") from error


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def is_name(text: str) -> bool:
    """Tell whether a model can be called so.

    Example:
        >>> is_name("google/gemma-3-270m"), is_name("Gemma 3")
        (True, False)
    """
    return len(text) <= NAME_LENGTH_MAX and NAME.fullmatch(text) is not None


def check_terms(terms: ModelTerms) -> None:
    """Refuse terms that no model can be served at. Raises: ModelTermsInvalid."""
    prices = (terms.input_rao_per_mtok, terms.output_rao_per_mtok)
    is_chat = terms.kind is Kind.CHAT
    problem = None
    if not is_name(terms.name):
        problem = (
            f"a name has 1 to {NAME_LENGTH_MAX} of a to z, 0 to 9, dot, dash, underscore and slash, "
            "and begins with a letter or digit."
        )
    elif not 1 <= terms.context_tokens_max <= CONTEXT_TOKENS_MAX:
        problem = f"its context has 1 to {CONTEXT_TOKENS_MAX} tokens."
    elif is_chat and not 1 <= terms.output_tokens_max <= terms.context_tokens_max:
        problem = "an answer has at least one token, and at most as many as the context."
    elif not is_chat and (terms.output_tokens_max or terms.output_rao_per_mtok):
        problem = "embeddings have no tokens of an answer: their number and their price are 0."
    elif not all(0 <= price <= PRICE_RAO_PER_MTOK_MAX for price in prices):
        problem = f"a million tokens cost 0 to {PRICE_RAO_PER_MTOK_MAX} rao."
    elif not 0 <= terms.free_tokens_per_day <= FREE_TOKENS_PER_DAY_MAX:
        problem = f"0 to {FREE_TOKENS_PER_DAY_MAX} tokens a day can be free."
    if problem is not None:
        raise ModelTermsInvalid(problem=problem)


def price_rao(terms: ModelTerms, *, prompt_tokens: int, completion_tokens: int) -> int:
    """Return what so many tokens cost; the sum is rounded up once, so that no answer is too short to be paid.

    Example:
        >>> terms = ModelTerms("m", 1, Kind.CHAT, 2**13, 2**12, 857_142, 3_428_571, 0)
        >>> price_rao(terms, prompt_tokens=12, completion_tokens=9)
        42
    """
    assert prompt_tokens >= 0 <= completion_tokens, "tokens are counted from zero"
    parts = prompt_tokens * terms.input_rao_per_mtok + completion_tokens * terms.output_rao_per_mtok
    return -(-parts // MTOK)


def prompt_tokens_max(terms: ModelTerms, *, prompt_bytes: int) -> int:
    """Return how many tokens a prompt can have: one a byte, and what a template adds, within the model's context.

    prompt_bytes: of all that reaches the model, as JSON: messages with their punctuation, tools, schemas.
    """
    return min(prompt_bytes + TEMPLATE_TOKENS, terms.context_tokens_max)


def ceiling_rao(terms: ModelTerms, *, prompt_bytes: int, output_tokens: int) -> int:
    """Return the highest price that a request can come to. output_tokens: as many as were asked for."""
    return price_rao(
        terms,
        prompt_tokens=prompt_tokens_max(terms, prompt_bytes=prompt_bytes),
        completion_tokens=output_tokens,
    )


def tab_size_rao(*, need_rao: int, available_rao: int, left_rao: int | None) -> int:
    """Return how much to set aside for a key whose next request may cost need_rao.

    Half of what the wallet has at most, while that is enough, so that another gateway, and a bid, find some too.
    left_rao: what the key may still spend this month, none where it has no limit.
    """
    size_rao = max(need_rao, min(need_rao * REQUESTS_PER_TAB, available_rao // 2))
    return size_rao if left_rao is None else max(need_rao, min(size_rao, left_rao))


MODELS_MEASURED_MAX = (
    8  # of a subnet, the first by name; each takes its part of the same number of planted jobs
)


@dataclass(frozen=True, slots=True, order=True)
class Served:
    """The subnets whose language jobs a tunnel can answer.

    ordered: those whose first model it serves, of which orders and replicas are asked.  measured: those of whose models
    it serves some; planted jobs are asked of any of these.
    """

    ordered: tuple[int, ...] = ()
    measured: tuple[int, ...] = ()


def measured_models(models: Iterable[ModelTerms]) -> dict[int, list[ModelTerms]]:
    """Return subnet → its chat models that are measured, by name; the first is the one that orders are asked of."""
    found: dict[int, list[ModelTerms]] = {}
    for terms in sorted(models, key=lambda terms: terms.name):
        if terms.kind is Kind.CHAT:
            found.setdefault(terms.netuid, []).append(terms)
    return {netuid: own[:MODELS_MEASURED_MAX] for netuid, own in found.items()}

"""The incentive-rule document: read it, say everything that is wrong with it, write it canonically.

    {"format": 1, "title": "Fast and right",
     "gates": [{"if": "sample_count >= 3", "reason": "Too few results were checked."}],
     "score": "quality * math.least(1.0, 500.0 / latency_ms)",
     "shaping": {"kind": "power", "exponent_ppm": 2000000},
     "smoothing": {"ema_alpha_ppm": 300000},
     "one_per_owner": true, "max_share_ppm": 250000, "floor_ppm": 1000,
     "burn_bps": 0}

Every number of the document is a whole number, so its canonical form is the same bytes everywhere.
Only format, title, score and shaping must be there. The rule and its parts are frozen. docs/rules.md says
what each member does; what came after the first published rules is left out of the canonical form at its
default, so those rules keep their digests.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from subnets import cel_sandbox, rule_expression
from subnets.errors import RuleInvalid
from subnets.shaping import PPM, SHAPINGS, UNBOUND, Bounds, Shaping

FORMAT = 1
DOCUMENT_BYTES_MAX = 16_384  # eight gates and a score at full length fit, with room for the words
GATES_MAX = 8  # a miner must be able to read why it is not paid
TITLE_CHARACTERS_MAX = 120  # one line of a table
REASON_CHARACTERS_MAX = 200  # two lines beside a miner's name
BURN_BPS_MAX = 5_000  # half: whoever buys or mines a subnet is owed at least the other half
MAX_SHARE_PPM_MIN = 10_000  # a hundredth: a hundred miners are more than most subnets pay
FLOOR_PPM_MAX = 3_906  # 256 miners, a full subnet, still fit: 256 * 3906 is below a million
PROBLEMS_MAX = 50  # enough to mend a document in one go, bounded whatever is sent

# Unsampled miners keep nine tenths of their smoothed score an epoch: not sampled is not failed, yet a
# miner that left is not paid for ever (half after 6.6 epochs).
IDLE_KEEP_PPM = 900_000


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition a miner must meet to be paid at all, and the sentence it reads when it does not."""

    condition: str
    reason: str


@dataclass(frozen=True, slots=True)
class Smoothing:
    """An exponential moving average over epochs, in millionths.

    ema_alpha_ppm: the share of the newest score. idle_keep_ppm: what a miner without a valid score
    keeps of its smoothed score from one epoch to the next. is_bias_corrected: average a newcomer's first
    scores alike instead of letting the very first count most.
    """

    ema_alpha_ppm: int
    idle_keep_ppm: int = IDLE_KEEP_PPM
    is_bias_corrected: bool = False

    def document(self) -> dict[str, object]:
        """Return the smoothing as it stands in a rule document."""
        document: dict[str, object] = {
            "ema_alpha_ppm": self.ema_alpha_ppm,
            "idle_keep_ppm": self.idle_keep_ppm,
        }
        return document | ({"bias_corrected": True} if self.is_bias_corrected else {})


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked incentive rule: it reads known metrics, its types fit and its cost is bounded."""

    title: str
    gates: tuple[Gate, ...]
    score: str
    shaping: Shaping
    smoothing: Smoothing | None
    burn_bps: int
    one_per_owner: bool = False
    bounds: Bounds = UNBOUND

    def document(self) -> dict[str, object]:
        """Return the rule as a document with every default written out; `parse` takes it back."""
        document: dict[str, object] = {
            "format": FORMAT,
            "title": self.title,
            "gates": [{"if": gate.condition, "reason": gate.reason} for gate in self.gates],
            "score": self.score,
            "shaping": self.shaping.document(),
            "burn_bps": self.burn_bps,
        }
        if self.smoothing is not None:
            document["smoothing"] = self.smoothing.document()
        if self.one_per_owner:
            document["one_per_owner"] = True
        if self.bounds.max_share_ppm != PPM:
            document["max_share_ppm"] = self.bounds.max_share_ppm
        if self.bounds.floor_ppm:
            document["floor_ppm"] = self.bounds.floor_ppm
        return document

    def expressions(self) -> tuple[str, ...]:
        """Return the gates' conditions in order, then the score."""
        return (*(gate.condition for gate in self.gates), self.score)


class _Findings:
    """The problems found so far, each at a JSON pointer (RFC 6901)."""

    def __init__(self) -> None:
        self.problems: list[dict[str, str]] = []

    def add(self, pointer: str, detail: str) -> None:
        """Record a sentence about the value at the pointer."""
        self.problems.append({"pointer": pointer, "detail": detail})

    def raise_any(self) -> None:
        """Raise RuleInvalid when anything was found."""
        if self.problems:
            raise RuleInvalid(problems=self.problems[:PROBLEMS_MAX])


def parse(document: str | bytes | Mapping[str, object]) -> Rule:
    """Read and check a rule document: JSON text, or a mapping of JSON values.

    Raises: RuleInvalid with every problem found; RuleTooCostly and RuleEvaluatorUnavailable from the
    type check, which runs CEL in a child process (answers are remembered by expression).
    """
    findings = _Findings()
    value = _loaded(document, findings)
    findings.raise_any()
    fields = _fields(
        value,
        "",
        findings,
        required=("format", "title", "score", "shaping"),
        optional=(
            "gates",
            "smoothing",
            "one_per_owner",
            "max_share_ppm",
            "floor_ppm",
            "burn_bps",
        ),
    )
    if "format" in fields:
        _whole(fields["format"], "/format", findings, low=FORMAT, high=FORMAT)
    title = _text(fields.get("title", "-"), "/title", findings, longest=TITLE_CHARACTERS_MAX)
    gates = _gates(fields.get("gates", []), findings)
    score = _expression(fields.get("score", "0.0"), "/score", findings)
    shaping = _shaping(fields["shaping"], findings) if "shaping" in fields else None
    smoothing = _smoothing(fields["smoothing"], findings) if "smoothing" in fields else None
    burn_bps = _whole(fields.get("burn_bps", 0), "/burn_bps", findings, low=0, high=BURN_BPS_MAX)
    one_per_owner = _flag(fields.get("one_per_owner", False), "/one_per_owner", findings)
    bounds = _bounds(fields, shaping, findings)
    _check_types(gates, score, findings)
    findings.raise_any()
    assert shaping is not None
    return Rule(title, gates, score, shaping, smoothing, burn_bps, one_per_owner, bounds)


def canonical(rule: Rule) -> bytes:
    """Return the rule's one canonical text: sorted keys, no spaces, UTF-8 (RFC 8785 for whole numbers)."""
    return json.dumps(
        rule.document(), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


def digest(rule: Rule) -> str:
    """Return the SHA-256 of the canonical text, in hex; spelling and spacing of the source do not count."""
    return hashlib.sha256(canonical(rule)).hexdigest()


def _loaded(document: str | bytes | Mapping[str, object], findings: _Findings) -> object:
    """Read the document as JSON, whatever it came as, so that one road checks both."""
    try:
        text = json.dumps(document, allow_nan=False) if isinstance(document, Mapping) else document
        size_bytes = len(text.encode() if isinstance(text, str) else text)
        if size_bytes > DOCUMENT_BYTES_MAX:
            findings.add(
                "", f"The rule has {size_bytes} bytes; at most {DOCUMENT_BYTES_MAX} are allowed."
            )
            return None
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        findings.add("", "The rule is nested too deep to be read.")
    except (ValueError, TypeError) as error:  # JSONDecodeError and UnicodeError are ValueErrors
        findings.add("", f"The rule is not valid JSON: {error}.")
    return None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build an object and refuse a key that stands twice: which one counts would be a guess."""
    built: dict[str, object] = {}
    for key, value in pairs:
        if key in built:
            raise ValueError(f"the key {key[:40]!r} stands twice in one object")
        built[key] = value
    return built


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(f"{name} is not a JSON number")


def _fields(
    value: object,
    pointer: str,
    findings: _Findings,
    *,
    required: tuple[str, ...],
    optional: tuple[str, ...] = (),
) -> dict[str, object]:
    """Return the known fields of an object; report what is missing, unknown, or not an object."""
    if not isinstance(value, dict):
        findings.add(pointer, f"{pointer[1:] or 'The rule'} must be a JSON object.")
        return {}
    known = (*required, *optional)
    for name in value:
        if name not in known:
            escaped = name.replace("~", "~0").replace("/", "~1")
            allowed = ", ".join(known)
            findings.add(f"{pointer}/{escaped}", f"Unknown field {name[:40]!r}; known: {allowed}.")
    for name in required:
        if name not in value:
            findings.add(f"{pointer}/{name}", f"The field {name!r} is missing.")
    return {name: value[name] for name in known if name in value}


def _whole(value: object, pointer: str, findings: _Findings, *, low: int, high: int) -> int:
    """Return a whole number within bounds, both inclusive."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    bounds = f"exactly {low}" if low == high else f"a whole number from {low} to {high}"
    findings.add(pointer, f"{pointer[1:]} must be {bounds}.")
    return low


def _flag(value: object, pointer: str, findings: _Findings) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        findings.add(pointer, f"{pointer[1:]} must be true or false.")
    return value is True


def _text(value: object, pointer: str, findings: _Findings, *, longest: int) -> str:
    """Return one printable line of text that says something."""
    if not isinstance(value, str) or not value.strip():
        findings.add(pointer, f"{pointer[1:]} must be text and not empty.")
    elif len(value) > longest:
        findings.add(
            pointer, f"{pointer[1:]} has {len(value)} characters; at most {longest} are allowed."
        )
    elif not value.isprintable():
        findings.add(pointer, f"{pointer[1:]} must be one line of printable characters.")
    else:
        return value
    return ""


def _expression(value: object, pointer: str, findings: _Findings) -> str:
    """Return an expression whose words are all allowed; its types are checked later, all at once."""
    longest = rule_expression.EXPRESSION_CHARACTERS_MAX
    if not isinstance(value, str) or not value.strip():
        findings.add(pointer, f"{pointer[1:]} must be an expression in quotes and not empty.")
        return ""
    if len(value) > longest:
        findings.add(
            pointer, f"{pointer[1:]} has {len(value)} characters; at most {longest} are allowed."
        )
        return ""
    problems = rule_expression.word_problems(value)
    for problem in problems:
        findings.add(pointer, problem)
    return "" if problems else value


def _gates(value: object, findings: _Findings) -> tuple[Gate, ...]:
    """Return the gates, in order."""
    if not isinstance(value, list) or len(value) > GATES_MAX:
        findings.add("/gates", f"gates must be a list of at most {GATES_MAX} gates.")
        return ()
    gates = []
    for number, item in enumerate(value):
        pointer = f"/gates/{number}"
        fields = _fields(item, pointer, findings, required=("if", "reason"))
        condition = _expression(fields.get("if", "true"), f"{pointer}/if", findings)
        reason = _text(
            fields.get("reason", "-"), f"{pointer}/reason", findings, longest=REASON_CHARACTERS_MAX
        )
        gates.append(Gate(condition, reason))
    return tuple(gates)


def _shaping(value: object, findings: _Findings) -> Shaping | None:
    """Return the shaping of the named kind with its parameters."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in SHAPINGS:
        findings.add("/shaping/kind", f"shaping needs a kind: one of {', '.join(SHAPINGS)}.")
        return None
    shaping = SHAPINGS[kind]
    parameters = shaping.parameters
    given = _fields(
        value,
        "/shaping",
        findings,
        required=("kind", *(name for name, item in parameters.items() if item.default is None)),
        optional=tuple(name for name, item in parameters.items() if item.default is not None),
    )
    numbers = {
        name: _whole(
            given.get(name, parameter.low if parameter.default is None else parameter.default),
            f"/shaping/{name}",
            findings,
            low=parameter.low,
            high=parameter.high,
        )
        for name, parameter in parameters.items()
    }
    return cast("Callable[..., Shaping]", shaping)(**numbers)


def _bounds(fields: Mapping[str, object], shaping: Shaping | None, findings: _Findings) -> Bounds:
    """Return the cap and the floor of one miner's part of the weight."""
    bounds = Bounds(
        max_share_ppm=_whole(
            fields.get("max_share_ppm", PPM),
            "/max_share_ppm",
            findings,
            low=MAX_SHARE_PPM_MIN,
            high=PPM,
        ),
        floor_ppm=_whole(
            fields.get("floor_ppm", 0), "/floor_ppm", findings, low=0, high=FLOOR_PPM_MAX
        ),
    )
    if shaping is not None and shaping.pays_one and bounds.max_share_ppm < PPM:
        findings.add(
            "/max_share_ppm",
            f"{shaping.kind} pays one miner, which no cap can divide; leave the cap out.",
        )
    return bounds


def _smoothing(value: object, findings: _Findings) -> Smoothing:
    """Return the smoothing; an alpha of 0 would never learn and is refused."""
    fields = _fields(
        value,
        "/smoothing",
        findings,
        required=("ema_alpha_ppm",),
        optional=("idle_keep_ppm", "bias_corrected"),
    )
    return Smoothing(
        ema_alpha_ppm=_whole(
            fields.get("ema_alpha_ppm", PPM), "/smoothing/ema_alpha_ppm", findings, low=1, high=PPM
        ),
        idle_keep_ppm=_whole(
            fields.get("idle_keep_ppm", IDLE_KEEP_PPM),
            "/smoothing/idle_keep_ppm",
            findings,
            low=0,
            high=PPM,
        ),
        is_bias_corrected=_flag(
            fields.get("bias_corrected", False), "/smoothing/bias_corrected", findings
        ),
    )


def _check_types(gates: tuple[Gate, ...], score: str, findings: _Findings) -> None:
    """Compile the expressions that read well and report those that do not fit their place."""
    places = [(f"/gates/{number}/if", gate.condition) for number, gate in enumerate(gates)]
    places = [(pointer, text) for pointer, text in [*places, ("/score", score)] if text]
    if not places:
        return
    checked = _compiled(tuple(text for _, text in places))
    for (pointer, _), outcome in zip(places, checked, strict=True):
        if outcome.error:
            findings.add(pointer, rule_expression.compile_problem(outcome.error))
        elif pointer != "/score" and outcome.type_name != "BOOL":
            findings.add(pointer, "A gate must be a condition that is true or false.")
        elif pointer == "/score" and outcome.type_name == "DYN":
            findings.add(pointer, "The score mixes whole numbers and decimals; write 2 as 2.0.")
        elif pointer == "/score" and outcome.type_name not in {"DOUBLE", "INT"}:
            findings.add(pointer, "The score must be a number.")


# A rule is parsed anew for every epoch and request; 256 rules' expressions stay checked in memory.
@lru_cache(maxsize=256)
def _compiled(expressions: tuple[str, ...]) -> tuple[cel_sandbox.Compiled, ...]:
    """Compile in the child, once for the same expressions: compiling is a pure function of them."""
    return cel_sandbox.compile_expressions(expressions)

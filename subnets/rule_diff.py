"""What changed between two versions of a rule: in words, and as JSON pointers into the documents.

Works on documents, not on parsed rules, so that a version that can no longer be read is compared, too.
What is left out counts as its default; a change of spelling alone is none.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, TypeAlias

from subnets.rule_document import IDLE_KEEP_PPM
from subnets.shaping import PPM, SHAPINGS

Document: TypeAlias = Mapping[str, Any]

_DEFAULTS: Document = {
    "gates": [],
    "smoothing": None,
    "one_per_owner": False,
    "max_share_ppm": PPM,
    "floor_ppm": 0,
    "burn_bps": 0,
}
_SMOOTHING_DEFAULTS: Document = {"idle_keep_ppm": IDLE_KEEP_PPM, "bias_corrected": False}
_LABELS: Mapping[str, str] = {
    "title": "The title",
    "score": "The score",
    "shaping": "Scores become weights",
    "smoothing": "Smoothing",
    "one_per_owner": "One miner of each owner is paid",
    "max_share_ppm": "The most that one miner gets of the weight",
    "floor_ppm": "The least that a miner with a score gets of the weight",
    "burn_bps": "The burned part of what miners earn",
    "ema_alpha_ppm": "The share of the newest score",
    "idle_keep_ppm": "What a miner without a score keeps of its average",
    "bias_corrected": "A newcomer’s first scores count alike",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. pointer: into the newer document, or into the older for what is gone.

    before, after: JSON values; None for what was not or is no longer there.
    """

    pointer: str
    before: Any
    after: Any
    words: str


def changes(before: Document, after: Document) -> tuple[Change, ...]:
    """List what differs, in the order in which a rule is read; empty when both say the same."""
    old, new = {**_DEFAULTS, **before}, {**_DEFAULTS, **after}
    found = [*_members(old, new, ("title",)), *_gates(old["gates"], new["gates"])]
    found += _members(old, new, ("score",))
    found += _smoothing(old["smoothing"], new["smoothing"])
    found += _shaping(old.get("shaping"), new.get("shaping"))
    found += _members(old, new, ("one_per_owner", "max_share_ppm", "floor_ppm", "burn_bps"))
    known = {*_LABELS, "gates"}
    others = [name for name in sorted(old.keys() | new.keys()) if name not in known]
    return (*found, *_members(old, new, others))


def _members(old: Document, new: Document, names: Sequence[str]) -> Iterator[Change]:
    for name in names:
        before, after = old.get(name), new.get(name)
        if before != after:
            words = (
                f"{_LABELS.get(name, name)}: {_shown(name, after)}; before: {_shown(name, before)}."
            )
            yield Change(f"/{_escaped(name)}", before, after, words)


def _gates(old: Sequence[Any], new: Sequence[Any]) -> Iterator[Change]:
    """Compare gates in order: those that are alike stand; between them some went and some came."""
    if not isinstance(old, list) or not isinstance(new, list):
        if old != new:
            yield Change("/gates", old, new, "The gates are others.")
        return
    was, now = ([json.dumps(gate, sort_keys=True) for gate in gates] for gates in (old, new))
    steps = SequenceMatcher(None, was, now, autojunk=False).get_opcodes()
    for step, old_start, old_stop, new_start, new_stop in steps:
        if step == "equal":
            continue
        pairs = min(old_stop - old_start, new_stop - new_start)
        for offset in range(pairs):
            before, after = old[old_start + offset], new[new_start + offset]
            words = f"Gate {new_start + offset + 1}: {_gate(after)}; before: {_gate(before)}."
            yield Change(f"/gates/{new_start + offset}", before, after, words)
        for place in range(old_start + pairs, old_stop):
            yield Change(f"/gates/{place}", old[place], None, f"Gate gone: {_gate(old[place])}.")
        for place in range(new_start + pairs, new_stop):
            yield Change(f"/gates/{place}", None, new[place], f"New gate: {_gate(new[place])}.")


def _smoothing(old: Any, new: Any) -> Iterator[Change]:  # noqa: ANN401 — a JSON value
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _under(
            "smoothing", {**_SMOOTHING_DEFAULTS, **old}, {**_SMOOTHING_DEFAULTS, **new}
        )
    elif old != new:
        told = "Scores are no longer smoothed."
        if isinstance(new, dict):
            parts = "; ".join(
                f"{_LABELS.get(name, name)}: {_shown(name, value)}"
                for name, value in ({**_SMOOTHING_DEFAULTS, **new}).items()
            )
            told = f"Scores are smoothed now. {parts}."
        yield Change("/smoothing", old, new, told)


def _shaping(old: Any, new: Any) -> Iterator[Change]:  # noqa: ANN401 — a JSON value
    kind, before = (item.get("kind") if isinstance(item, dict) else None for item in (new, old))
    if isinstance(kind, str) and kind == before and kind in SHAPINGS:
        defaults = {
            name: parameter.default
            for name, parameter in SHAPINGS[kind].parameters.items()
            if parameter.default is not None
        }
        yield from _under("shaping", {**defaults, **old}, {**defaults, **new})
    elif old != new:
        words = f"{_LABELS['shaping']} by {_kind(new)}; before: by {_kind(old)}."
        yield Change("/shaping", old, new, words)


def _under(parent: str, old: Document, new: Document) -> Iterator[Change]:
    """Compare the members of an object that both versions have."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before != after:
            label = _LABELS.get(name, f"{parent.capitalize()}, {_plain(name)}")
            words = f"{label}: {_shown(name, after)}; before: {_shown(name, before)}."
            yield Change(f"/{parent}/{_escaped(name)}", before, after, words)


def _gate(gate: Any) -> str:  # noqa: ANN401 — a JSON value
    if isinstance(gate, dict) and {"if", "reason"} <= gate.keys():
        return f"{gate['if']} (else: “{gate['reason']}”)"
    return json.dumps(gate, ensure_ascii=False)


def _kind(shaping: Any) -> str:  # noqa: ANN401 — a JSON value
    if not isinstance(shaping, dict) or "kind" not in shaping:
        return "nothing known"
    numbers = ", ".join(
        f"{_plain(name)} {_shown(name, value)}" for name, value in shaping.items() if name != "kind"
    )
    return f"{_plain(str(shaping['kind']))}{f' ({numbers})' if numbers else ''}"


def _shown(name: str, value: Any) -> str:  # noqa: ANN401 — a JSON value
    """Write a value in its unit: millionths as a decimal, basis points as a percentage."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_whole and name.endswith("_ppm"):
        return _decimal(value, 6)
    if is_whole and name.endswith("_bps"):
        return f"{_decimal(value, 2)} %"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _decimal(value: int, places: int) -> str:
    whole, part = divmod(abs(value), 10**places)
    digits = f"{part:0{places}d}".rstrip("0")
    return f"{'-' if value < 0 else ''}{whole}{f'.{digits}' if digits else ''}"


def _plain(name: str) -> str:
    return name.removesuffix("_ppm").replace("_", " ")


def _escaped(name: str) -> str:
    """Escape a member's name for a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")

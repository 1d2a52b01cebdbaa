"""The shape of a public bundle: its members, their types and their ranges, in one table. Pure.

`first_misshapen` names the first member that is missing, unknown, or not what it should be. The payroll
is held against the recomputed one, member by member and type by type, and needs no table; how many
neurons there may be, and which uids, `bundle.record_read` knows.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Any  # what strangers wrote
Place: TypeAlias = tuple[str, str]  # a JSON pointer, and what is wrong there
Check: TypeAlias = Callable[[Json, str], Place | None]

INTEGER_MAX = 2**53 - 1  # greater ones are decimal strings
U16_MAX = 65_535
NETUID_MAX = 128  # subtensor: the network holds 128 subnets besides root
PPM = 1_000_000
DIGITS_MAX = 30
SMOOTHED_MAX = (
    2**63 - 1
)  # the greatest score is below 2**31, on a scale of 2**32 (subnets.rule_scores)
DECIMAL = re.compile(r"0|-?[1-9][0-9]*")
SPOKEN_MAX = 200  # characters of a value in a sentence
TOP = ("digest", "format", "payroll", "previous_digest", "record")


def escaped(name: str) -> str:
    """Write a name as a step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def text(value: Json, pointer: str) -> Place | None:
    """Take a string."""
    return None if isinstance(value, str) else _wrong(value, pointer, "text")


def flag(value: Json, pointer: str) -> Place | None:
    """Take true or false."""
    return None if isinstance(value, bool) else _wrong(value, pointer, "true or false")


def document(value: Json, pointer: str) -> Place | None:
    """Take an object whose members are checked elsewhere."""
    return None if isinstance(value, dict) else _wrong(value, pointer, "an object")


def integer(low: int = 0, high: int = INTEGER_MAX) -> Check:
    """Take an integer from `low` to `high`; true, false and 2.0 are none."""

    def check(value: Json, pointer: str) -> Place | None:
        if type(value) is int and low <= value <= high:
            return None
        return _wrong(value, pointer, f"an integer from {low} to {high}")

    return check


def decimal(*, low: int | None = 0, high: int | None = None) -> Check:
    """Take an integer from `low` to `high`, written as a decimal string in its one spelling."""

    def check(value: Json, pointer: str) -> Place | None:
        is_decimal = (
            isinstance(value, str) and len(value) <= DIGITS_MAX and DECIMAL.fullmatch(value)
        )
        if (
            is_decimal
            and (low is None or int(value) >= low)
            and (high is None or int(value) <= high)
        ):
            return None
        return _wrong(value, pointer, "an integer in decimal digits, within its range")

    return check


def absent_or(check: Check) -> Check:
    """Take null, or what another check takes."""
    return lambda value, pointer: None if value is None else check(value, pointer)


def members(checks: Mapping[str, Check]) -> Check:
    """Take an object with exactly these members."""

    def check(value: Json, pointer: str) -> Place | None:
        if not isinstance(value, dict):
            return _wrong(value, pointer, "an object")
        for name in sorted(checks.keys() | value.keys()):
            place = f"{pointer}/{escaped(name)}"
            if name not in checks:
                return place, "no such member in this format"
            if name not in value:
                return place, "the member is missing"
            found = checks[name](value[name], place)
            if found is not None:
                return found
        return None

    return check


def entries(of: Check, *, keys: Check = text) -> Check:
    """Take an object of any names, each of which `keys` takes, whose values are alike."""

    def check(value: Json, pointer: str) -> Place | None:
        if not isinstance(value, dict):
            return _wrong(value, pointer, "an object")
        for name, inner in value.items():
            place = f"{pointer}/{escaped(name)}"
            found = keys(name, place) or of(inner, place)
            if found is not None:
                return found
        return None

    return check


def rows(of: Check) -> Check:
    """Take a list of alike entries."""

    def check(value: Json, pointer: str) -> Place | None:
        if not isinstance(value, list):
            return _wrong(value, pointer, "a list")
        found = (of(inner, f"{pointer}/{place}") for place, inner in enumerate(value))
        return next((one for one in found if one is not None), None)

    return check


def _wrong(value: Json, pointer: str, expected: str) -> Place:
    return pointer, f"{repr(value)[:SPOKEN_MAX]} stated, and it should be {expected}"


_RULE = members({"version": integer(1), "digest": text, "document": document})
_NEURON = members(
    {
        "uid": integer(),
        "hotkey": text,
        "owner": text,
        "registered_block": integer(),
        "last_update_block": integer(),
        "has_permit": flag,
        "bonds": entries(integer(0, U16_MAX), keys=decimal(low=None)),
        "stakes": rows(members({"owner": text, "amount_rao": decimal()})),
    }
)
_SIGNED: dict[str, Check] = {
    "result_id": text,
    "validator": text,
    "score_ppm": integer(0, PPM),
    "reason": text,
    "signature": text,
}
_TOLD: dict[str, Check] = {
    "miner": text,
    "latency_ms": integer(),
    "work_units": integer(),
    "is_canary": flag,
    "output_digest": text,
}
_DELIVERY = members(
    {
        "miner": text,
        "offered_count": integer(),
        "returned_count": integer(),
        "expired_count": integer(),
    }
)
_FIRST_FORMAT: dict[str, Check] = {
    "netuid": integer(1, NETUID_MAX),
    "number": integer(1),
    "start_block": integer(),
    "end_block": integer(),
    "last_step_block": integer(),
    "owner": text,
    "emission_rao": decimal(),
    "hyperparameters": entries(decimal(low=None)),
    "rules": rows(_RULE),
    "neurons": rows(_NEURON),
    "scores": rows(members(_SIGNED | _TOLD)),
    "deliveries": rows(_DELIVERY),
    "smoothed": entries(entries(decimal(high=SMOOTHED_MAX))),
    "incumbents": entries(text),
}
_PROOF: dict[str, Check] = {
    "results": rows(
        members({"result_id": text, "lease_id": text, "job_id": text, "signature": text})
    ),
    "commitments": entries(
        members({"before": text, "before_count": integer(), "count": integer(), "after": text})
    ),
}
_TENURES: dict[str, Check] = {"tenures": rows(members({"owner": text, "held_ms": integer(1)}))}
_HEAD: dict[str, Check] = {"ledger_head": absent_or(members({"seal": integer(1), "hash": text}))}
_TOLD_ONCE: dict[str, Check] = {
    "scores": rows(members(_SIGNED)),
    "scored": rows(members({"result_id": text} | _TOLD)),
}
_RECORDS = {
    1: members(_FIRST_FORMAT),
    2: members(_FIRST_FORMAT | _PROOF),
    3: members(_FIRST_FORMAT | _PROOF | _TENURES),
    4: members(_FIRST_FORMAT | _PROOF | _TENURES | _HEAD),
    5: members(_FIRST_FORMAT | _PROOF | _TENURES | _HEAD | _TOLD_ONCE),
}


def is_bundle(value: Json) -> bool:
    """Tell whether a JSON value has the outline of a bundle; what lies within may still be wrong."""
    return (
        isinstance(value, dict)
        and all(name in value for name in TOP)
        and isinstance(value["record"], dict)
        and isinstance(value["payroll"], dict)
    )


def first_misshapen(bundle: Json) -> Place | None:
    """Return the first member that is unknown, missing, or of a wrong type or range; None when all are right.

    bundle: of a format that can be read.
    """
    return members(
        {
            "digest": text,
            "format": integer(min(_RECORDS), max(_RECORDS)),
            "payroll": document,
            "previous_digest": text,
            "record": _RECORDS[bundle["format"]],
        }
    )(bundle, "")

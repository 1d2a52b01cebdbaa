"""The public bundle of an epoch: its record and its payroll as JSON, bound by a digest to the one before.

    {"format": 5, "record": {…}, "payroll": {…}, "previous_digest": "…", "digest": "…"}

Format 2 added to the record what the miners signed (`results`) and what validators were committed to
before their scores were readable (`commitments`); format 3, who owned the subnet for how long where it was
sold in the epoch (`tenures`); format 4, the head of the sealed ledger (`ledger_head`). Format 5 tells of a result once
(`scored`) what stood in each validator's score of it. Bundles of earlier formats stay as they are, and readable.
Rao and other integers that may pass 2**53 are decimal strings; everything else is plain. The digest is
the SHA-256 of the canonical JSON of the other members.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import orjson

from neurons.protocol import canonical_json
from subnets.commitments import Commitment, continued
from subnets.grids import Grid
from subnets.metrics import Delivery
from subnets.payroll import Payroll
from subnets.record import Backing, LedgerHead, Record, RuleVersion, Seat, Tenure
from subnets.signed_scores import SignedScores, signed, together, told

FORMAT = 5
FORMATS_READ = (1, 2, 3, 4, FORMAT)
# As many neurons as a subnet holds, which the database enforces. What consensus computes grows with the
# square of them: a file of strangers' making has to stop here.
SEATS_MAX = 256
# What an epoch hands on to the next, of its payroll.
HANDED_ON = ("smoothed", "incumbents")
# Nearly all of a bundle but its scores: rows that are made here, of text, truth values and whole numbers of 64 bits, by
# names that are text or uids. orjson spells them as `canonical_json` does, without a look at each value before.
ROWS = frozenset({"neurons", "deliveries", "weights", "terms"})
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS

ByUid: TypeAlias = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Spelled:
    """A bundle's canonical JSON without its digest, the opening brace the first of its parts; handed_on as in Written."""

    parts: tuple[bytes, ...]
    handed_on: bytes


@dataclass(frozen=True, slots=True)
class Written:
    """A bundle as it is published: its canonical JSON, of megabytes and so in parts, and its digest.

    handed_on: the part of its payroll that the next epoch takes up, as JSON of its own.
    """

    parts: tuple[bytes, ...]
    digest: str
    handed_on: bytes

    @property
    def text(self) -> bytes:
        """Return the whole JSON."""
        return b"".join(self.parts)


def made(record: Record, payroll: Payroll, *, previous_digest: str) -> dict[str, Any]:
    """Return the bundle of an epoch."""
    public: dict[str, Any] = json.loads(
        written(record, payroll, previous_digest=previous_digest).text
    )
    return public


def written(record: Record, payroll: Payroll, *, previous_digest: str) -> Written:
    """Write the bundle of an epoch."""
    return bound(spelled(record, payroll, previous_digest=previous_digest))


def bound(spelled: Spelled) -> Written:
    """Bind a bundle by the digest of all its other members. Nearly all of it lets the interpreter go on meanwhile."""
    brace, *rest = spelled.parts
    hashed = hashlib.sha256(brace)
    for part in rest:
        hashed.update(part)
    stated = hashed.hexdigest()
    return Written(
        parts=(brace, f'"digest":"{stated}",'.encode(), *rest),
        digest=stated,
        handed_on=spelled.handed_on,
    )


def spelled(
    record: Record, payroll: Payroll, *, previous_digest: str, smoothed_text: bytes | None = None
) -> Spelled:
    """Spell the bundle of an epoch, member by member: each is spelled once, and scores from their columns.

    smoothed_text: the canonical JSON of the record's smoothed scores, where the epoch before has spelled it.
    """
    paid = _spelled(_paid_json(payroll, by_uid=dict) | {"smoothed": Grid.of(payroll.smoothed)})
    facts = _spelled(
        _first_format(record, by_uid=dict)
        | _proof_json(record)
        | _tenures_json(record)
        | _head_json(record)
        | {
            "scores": record.scores
            if isinstance(record.scores, SignedScores)
            else [signed(score) for score in record.scores],
            "scored": told(record.scores),
            "smoothed": Grid.of(record.smoothed) if smoothed_text is None else smoothed_text,
        }
    )
    body = _spelled({"format": FORMAT, "previous_digest": previous_digest})
    assert min(body) > "digest", "the digest comes first among the sorted names"
    return Spelled(
        parts=tuple(_object(body | {"record": _object(facts), "payroll": _object(paid)})),
        handed_on=b"".join(_object({name: paid[name] for name in HANDED_ON})),
    )


def _spelled(members: Mapping[str, Any]) -> dict[str, list[bytes]]:
    """Spell each member of an object canonically."""
    return {name: _member(name, value) for name, value in members.items()}


def _member(name: str, value: Any) -> list[bytes]:  # noqa: ANN401  whatever a bundle holds
    if isinstance(value, SignedScores):
        return value.spelled()
    if isinstance(value, Grid):
        return [value.spelled()]
    if isinstance(value, bytes):
        return [value]
    return [orjson.dumps(value, option=_SORTED) if name in ROWS else canonical_json(value)]


def _object(members: Mapping[str, list[bytes]]) -> list[bytes]:
    """Put members that are spelled already into an object, canonically: sorted by name, no spaces.

    In parts, the opening brace alone: they have megabytes, and each copy of them takes milliseconds.
    """
    parts = [b"{"]
    for place, name in enumerate(sorted(members)):
        parts += [b"," if place else b"", canonical_json(name), b":", *members[name]]
    return [*parts, b"}"]


def digest(bundle: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of a bundle without its own digest."""
    body = {name: value for name, value in bundle.items() if name != "digest"}
    return hashlib.sha256(canonical_json(body)).hexdigest()


def _by_text(row: ByUid) -> dict[str, int]:
    """Return numbers by uid as JSON has them: there names are text."""
    return dict(zip(map(str, row), row.values(), strict=True))


def record_json(record: Record, *, form: int = FORMAT) -> dict[str, Any]:
    """Write a record as JSON, in one of the formats that can be read."""
    assert form in FORMATS_READ
    written = _first_format(record) | {"smoothed": _smoothed_json(record.smoothed)}
    if form > 4:
        written |= {"scores": [*map(signed, record.scores)], "scored": told(record.scores)}
    else:
        written |= {"scores": [dict(score) for score in record.scores]}
    if form > 1:
        written |= _proof_json(record)
    if form > 2:
        written |= _tenures_json(record)
    if form > 3:
        written |= _head_json(record)
    return written


def _proof_json(record: Record) -> dict[str, Any]:
    """Write what format 2 added."""
    committed = record.commitments
    if committed is None:
        committed = continued(record.netuid, record.scores)
    return {
        "results": [dict(result) for result in record.results],
        "commitments": {
            validator: asdict(commitment) for validator, commitment in sorted(committed.items())
        },
    }


def _tenures_json(record: Record) -> dict[str, Any]:
    """Write what format 3 added."""
    return {"tenures": [asdict(tenure) for tenure in record.tenures]}


def _head_json(record: Record) -> dict[str, Any]:
    """Write what format 4 added."""
    return {"ledger_head": asdict(record.ledger_head) if record.ledger_head else None}


def _first_format(
    record: Record, *, by_uid: Callable[[ByUid], Mapping[Any, int]] = _by_text
) -> dict[str, Any]:
    """Write what every format has, but what is told of pairs. by_uid: how numbers by uid are written."""
    return {
        "netuid": record.netuid,
        "number": record.number,
        "start_block": record.start_block,
        "end_block": record.end_block,
        "last_step_block": record.last_step_block,
        "owner": record.owner,
        "emission_rao": str(record.emission_rao),
        "hyperparameters": {name: str(value) for name, value in record.hyperparameters.items()},
        "rules": [
            {"version": item.version, "digest": item.digest, "document": dict(item.document)}
            for item in record.versions
        ],
        "neurons": [_seat_json(seat, by_uid) for seat in record.seats],
        "deliveries": [_delivery_json(delivery) for delivery in record.deliveries],
        "incumbents": dict(record.incumbents),
    }


def _seat_json(seat: Seat, by_uid: Callable[[ByUid], Mapping[Any, int]]) -> dict[str, Any]:
    return {
        "uid": seat.uid,
        "hotkey": seat.hotkey,
        "owner": seat.owner,
        "registered_block": seat.registered_block,
        "last_update_block": seat.last_update_block,
        "has_permit": seat.has_permit,
        "bonds": by_uid(seat.bonds),
        "stakes": [{"owner": b.owner, "amount_rao": str(b.amount_rao)} for b in seat.backing],
    }


def _delivery_json(delivery: Delivery) -> dict[str, Any]:
    return {
        "miner": delivery.miner,
        "offered_count": delivery.offered_count,
        "returned_count": delivery.returned_count,
        "expired_count": delivery.expired_count,
    }


def _smoothed_json(smoothed: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, str]]:
    return {
        validator: {miner: str(score) for miner, score in scores.items()}
        for validator, scores in smoothed.items()
    }


def payroll_json(payroll: Payroll) -> dict[str, Any]:
    """Write a payroll as JSON."""
    return _paid_json(payroll) | {"smoothed": _smoothed_json(payroll.smoothed)}


def _paid_json(
    payroll: Payroll, *, by_uid: Callable[[ByUid], Mapping[Any, int]] = _by_text
) -> dict[str, Any]:
    """Write a payroll but what it hands on of pairs. by_uid: how numbers by uid are written."""
    return {
        "rule_version": payroll.rule_version,
        "rule_fault": payroll.rule_fault,
        "weights": {str(uid): by_uid(row) for uid, row in payroll.weights.items()},
        "terms": [
            {
                "uid": term.uid,
                "hotkey": term.hotkey,
                "owner": term.owner,
                "stake_rao": str(term.stake_rao),
                "is_active": term.is_active,
                "has_permit": term.has_permit,
                "consensus_u16": term.consensus_u16,
                "incentive_u16": term.incentive_u16,
                "dividends_u16": term.dividends_u16,
                "validator_trust_u16": term.validator_trust_u16,
                "miner_rao": str(term.miner_rao),
                "validator_rao": str(term.validator_rao),
                "last_update_block": term.last_update_block,
                "bonds": by_uid(term.bonds),
            }
            for term in payroll.terms
        ],
        "owner_rao": str(payroll.owner_rao),
        "miners_rao": str(payroll.miners_rao),
        "validators_rao": str(payroll.validators_rao),
        "burned_rao": str(payroll.burned_rao),
        "miner_burned_u16": payroll.miner_burned_u16,
        "payouts": {owner: str(amount_rao) for owner, amount_rao in payroll.payouts.items()},
        "incumbents": dict(payroll.incumbents),
        "reasons": {miner: list(said) for miner, said in payroll.reasons.items()},
    }


def record_read(written: Mapping[str, Any]) -> Record:
    """Read a record back. Raises: KeyError, ValueError, TypeError, AssertionError when it is no record."""
    seats = _seats_read(written["neurons"])
    return Record(
        netuid=written["netuid"],
        number=written["number"],
        start_block=written["start_block"],
        end_block=written["end_block"],
        last_step_block=written["last_step_block"],
        owner=written["owner"],
        emission_rao=int(written["emission_rao"]),
        hyperparameters={name: int(v) for name, v in written["hyperparameters"].items()},
        versions=tuple(
            RuleVersion(item["version"], item["digest"], item["document"])
            for item in written["rules"]
        ),
        seats=seats,
        scores=tuple(scores_read(written)),
        deliveries=tuple(Delivery(**delivery) for delivery in written["deliveries"]),
        smoothed=Grid.read(written["smoothed"]),
        incumbents=written["incumbents"],
        results=tuple(written.get("results", ())),
        commitments=_commitments_read(written["commitments"]) if "commitments" in written else None,
        tenures=tuple(Tenure(**tenure) for tenure in written.get("tenures", ())),
        ledger_head=LedgerHead(**head) if (head := written.get("ledger_head")) else None,
    )


def scores_read(written: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a record's scores, each with what was told of its result. Raises: KeyError where nothing was."""
    if "scored" not in written:
        return list(written["scores"])
    return [*together(written["scores"], written["scored"])]


def _commitments_read(written: Mapping[str, Any]) -> dict[str, Commitment]:
    return {validator: Commitment(**fields) for validator, fields in written.items()}


def _seats_read(written: Sequence[Mapping[str, Any]]) -> tuple[Seat, ...]:
    """Read the seats. Raises: ValueError for too many, for uids out of order, for bonds with nobody."""
    count = len(written)
    if count > SEATS_MAX:
        raise ValueError(f"{count} neurons; a subnet has at most {SEATS_MAX}")
    if [seat["uid"] for seat in written] != list(range(count)):
        raise ValueError(f"the neurons' uids are not 0 to {count - 1}, in order")
    seats = tuple(_seat_read(seat) for seat in written)
    for seat in seats:
        if not all(0 <= uid < count for uid in seat.bonds):
            raise ValueError(f"uid {seat.uid} has a bond with a uid that no neuron has")
    return seats


def _seat_read(written: Mapping[str, Any]) -> Seat:
    return Seat(
        uid=written["uid"],
        hotkey=written["hotkey"],
        owner=written["owner"],
        registered_block=written["registered_block"],
        last_update_block=written["last_update_block"],
        has_permit=written["has_permit"],
        bonds={int(uid): value for uid, value in written["bonds"].items()},
        backing=tuple(Backing(b["owner"], int(b["amount_rao"])) for b in written["stakes"]),
    )

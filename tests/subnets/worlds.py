"""A small world for the payroll, without a database: two validators, three miners, an owner, a rule.

first = worlds.record()                              # epoch 1: nobody holds a permit yet
paid = payroll.settle(first)
second = worlds.following(first, paid, scores=...)   # what one epoch hands on, the next takes up
"""

import json
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock
from uuid import UUID, uuid5

from neurons import protocol
from neurons.keys import Keypair
from subnets import cel_sandbox, cel_worker, commitments, hyperparameters, rules
from subnets.metrics import Delivery
from subnets.record import Backing, Record, RuleVersion, Seat

TAO = 10**9
EMISSION_RAO = 359 * TAO + 7
TEMPO = 360

OWNER = str(UUID(int=1))
ALICE, BOB = str(UUID(int=11)), str(UUID(int=12))  # answer for the validators
MINERS = tuple(str(UUID(int=21 + n)) for n in range(3))  # answer for the miners

VALIDATOR_KEYS = tuple(Keypair.from_seed(f"0x{n:064x}") for n in (1, 2))
MINER_KEYS = tuple(Keypair.from_seed(f"0x{n:064x}") for n in (3, 4, 5))
VALIDATORS = tuple(key.ss58_address for key in VALIDATOR_KEYS)
HOTKEYS = tuple(key.ss58_address for key in MINER_KEYS)

DOCUMENT = {"format": 1, "title": "Plain", "score": "quality", "shaping": {"kind": "linear"}}


def version(number=1, **changes):
    document = DOCUMENT | changes
    return RuleVersion(number, rules.digest(rules.parse(document)), document)


def broken_version(number):
    """Return a version that was published once and can no longer be read."""
    return RuleVersion(number, "0" * 64, DOCUMENT | {"shaping": {"kind": "forgotten"}})


def seats(*, owners=MINERS, stakes=((ALICE, 3_000), (BOB, 2_000))):
    """Seat the validators as uids 0 and 1 and the miners as 2, 3, 4; stakes in TAO, each its owner's own."""
    judging = [
        seat(uid, VALIDATORS[uid], owner, backing=(Backing(owner, tao * TAO),) if tao else ())
        for uid, (owner, tao) in enumerate(stakes)
    ]
    mining = [seat(2 + n, HOTKEYS[n], owner) for n, owner in enumerate(owners)]
    return (*judging, *mining)


def seat(uid, hotkey, owner, *, backing=(), **changes):
    fields = {
        "registered_block": 5,
        "last_update_block": 5,
        "has_permit": False,
        "bonds": {},
        "backing": tuple(backing),
    }
    return Seat(uid=uid, hotkey=hotkey, owner=owner, **fields | changes)


def score(validator, miner, ppm, *, serial=0, work_units=10, latency_ms=100, is_canary=False):
    """Sign a score; validator and miner are numbers."""
    key = VALIDATOR_KEYS[validator]
    result_id = str(UUID(int=1_000_000 * (miner + 1) + serial))
    digest = protocol.output_digest({"miner": miner, "serial": serial})
    reason = "right" if ppm == 1_000_000 else "not quite"
    message = protocol.score_message(
        result_id=result_id, digest=digest, score_ppm=ppm, reason=reason
    )
    return {
        "result_id": result_id,
        "validator": key.ss58_address,
        "miner": HOTKEYS[miner],
        "score_ppm": ppm,
        "latency_ms": latency_ms,
        "work_units": work_units,
        "is_canary": is_canary,
        "reason": reason,
        "output_digest": digest,
        "signature": key.sign(message),
    }


def scores(*rows, serial=0):
    """Return every validator's scores: one row a validator, one figure in ppm a miner, None for none."""
    return tuple(
        score(validator, miner, ppm, serial=serial)
        for validator, row in enumerate(rows)
        for miner, ppm in enumerate(row)
        if ppm is not None
    )


def results(scores):
    """Sign the results that are scored, each by its miner."""
    keys = {key.ss58_address: key for key in MINER_KEYS}
    found = []
    for score in {score["result_id"]: score for score in scores}.values():
        lease_id, job_id = (str(uuid5(UUID(score["result_id"]), name)) for name in ("lease", "job"))
        message = protocol.result_message(
            lease_id=lease_id, job_id=job_id, digest=score["output_digest"]
        )
        signature = keys[score["miner"]].sign(message)
        found.append(
            {
                "result_id": score["result_id"],
                "lease_id": lease_id,
                "job_id": job_id,
                "signature": signature,
            }
        )
    return tuple(found)


def proven(record, before=None):
    """Add what proves a record's scores, in a chain with those of the record before."""
    return replace(
        record,
        results=results(record.scores),
        commitments=commitments.continued(
            record.netuid, record.scores, before.commitments if before else None
        ),
    )


AGREED = (1_000_000, 500_000, 250_000)


def record(**changes):
    """Return the record of a first epoch in which both validators agree about the miners."""
    fields = {
        "netuid": 3,
        "number": 1,
        "start_block": 2,
        "end_block": 2 + TEMPO,
        "last_step_block": 0,
        "owner": OWNER,
        "emission_rao": EMISSION_RAO,
        "hyperparameters": hyperparameters.defaults(),
        "versions": (version(),),
        "seats": seats(),
        "scores": scores(AGREED, AGREED),
        "deliveries": tuple(Delivery(hotkey, 4, 3, 1) for hotkey in HOTKEYS),
    }
    return Record(**fields | changes)


def following(before, paid, **changes):
    """Return the next epoch's record: the same world, with what the last epoch handed on."""
    terms = {term.hotkey: term for term in paid.terms}
    carried = tuple(
        replace(
            seat,
            has_permit=terms[seat.hotkey].has_permit,
            bonds=terms[seat.hotkey].bonds,
            last_update_block=terms[seat.hotkey].last_update_block,
        )
        for seat in before.seats
    )
    fields = {
        "number": before.number + 1,
        "start_block": before.end_block,
        "end_block": before.end_block + TEMPO,
        "last_step_block": before.end_block,
        "seats": carried,
        "scores": scores(AGREED, AGREED, serial=before.number),
        "smoothed": paid.smoothed,
        "incumbents": paid.incumbents,
    }
    return replace(before, **fields | changes)


def permuted(before, order):
    """Return the same world with its seats in another order: order[new uid] = old uid."""
    new_uid = {old: new for new, old in enumerate(order)}
    moved = [
        replace(
            before.seats[old],
            uid=new,
            bonds={new_uid[uid]: bond for uid, bond in before.seats[old].bonds.items()},
        )
        for new, old in enumerate(order)
    ]
    return replace(before, seats=tuple(moved))


@contextmanager
def quick_cel():
    """Evaluate rules in this process: for many worlds at once, whose rules are known to be harmless."""

    def converse(text):
        lines = iter(text.splitlines())
        return "\n".join(json.dumps(answer) for answer in cel_worker.answers(lines))

    with mock.patch.object(cel_sandbox, "_converse", converse):
        yield

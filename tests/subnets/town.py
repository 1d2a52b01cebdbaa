"""A subnet in the database with people on it: two validators, some miners, and scores as they are signed.

place = town.founded()
epoch = town.closed(place, scores=town.scores(place, [(1_000_000, 0, None), …]))
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from ledger import queries as books
from ledger.chart import wallet
from neurons import protocol
from subnets import commitments, operations, queries
from subnets.models import Epoch, IncentiveRule, Subnet
from tests import make
from tests.make import NOW, TAO

BLOCK = timedelta(seconds=12)
TEMPO = 360
FIRST_END = (
    TEMPO - 1
)  # epochs are staggered by netuid, and the towns of most tests have the first slot


@dataclass(frozen=True, slots=True)
class Town:
    netuid: int
    owner: UUID
    validators: tuple[make.Neuron, ...]
    miners: tuple[make.Neuron, ...]

    @property
    def people(self):
        return {self.owner, *(neuron.owner for neuron in (*self.validators, *self.miners))}

    @property
    def row(self):
        return Subnet.objects.get(pk=self.netuid)


def at_block(block: int) -> datetime:
    """Return the instant at which a block opens."""
    return NOW + block * BLOCK


def founded(*, stakes_tao=(3_000, 2_000), miner_count=3, now=NOW) -> Town:
    """Buy a slot, and register validators with their stake and miners."""
    make.network()
    owner = make.rich_owner(now=now)
    netuid = make.subnet(owner, now=now)
    validators = tuple(make.validator(netuid, stake_tao=tao, now=now) for tao in stakes_tao)
    miners = tuple(make.miner(netuid, now=now) for _ in range(miner_count))
    return Town(netuid, owner, validators, miners)


def scores(place: Town, rows, *, serial=0):
    """Sign scores: one row a validator, one figure in ppm a miner, None for none."""
    return [
        score(validator, miner, ppm, serial=serial)
        for validator, row in zip(place.validators, rows, strict=True)
        for miner, ppm in zip(place.miners, row, strict=True)
        if ppm is not None
    ]


def score(validator, miner, ppm, *, serial=0):
    result_id = str(uuid5(miner.owner, f"{miner.uid} {serial}"))
    digest = protocol.output_digest({"result": result_id})
    message = protocol.score_message(
        result_id=result_id, digest=digest, score_ppm=ppm, reason="looked at"
    )
    return {
        "result_id": result_id,
        "validator": validator.hotkey,
        "miner": miner.hotkey,
        "score_ppm": ppm,
        "latency_ms": 100,
        "work_units": 1_000_000,
        "is_canary": False,
        "reason": "looked at",
        "output_digest": digest,
        "signature": validator.key.sign(message),
    }


def proof(place: Town, scores) -> commitments.Proof:
    """Sign the scored results, and commit to the scores where the last epoch's commitments ended."""
    keys = {miner.hotkey: miner.key for miner in place.miners}
    earlier = Epoch.objects.filter(subnet=place.netuid).order_by("number")
    last = {
        validator: commitments.Commitment(**said)
        for epoch in earlier
        for validator, said in epoch.bundle["record"]["commitments"].items()
    }
    found = []
    for scored in {score["result_id"]: score for score in scores}.values():
        result_id, digest = scored["result_id"], scored["output_digest"]
        message = protocol.result_message(lease_id=result_id, job_id=result_id, digest=digest)
        signature = keys[scored["miner"]].sign(message)
        ids = {"result_id": result_id, "lease_id": result_id, "job_id": result_id}
        found.append(ids | {"signature": signature})
    return commitments.Proof(
        results=tuple(found),
        commitments=commitments.continued(place.netuid, scores, last),
    )


# Above what the default rule asks for at least.
AGREED = [(1_000_000, 980_000, 960_000), (1_000_000, 980_000, 960_000)]


def closed(place: Town, *, rows=AGREED, now=None) -> Epoch:
    """Close the next epoch at its end, with these scores."""
    number = queries.last_epoch_number(place.netuid) + 1
    given = scores(place, rows, serial=number)
    epoch = operations.run_epoch(
        netuid=place.netuid,
        number=number,
        scores=given,
        deliveries=(),
        proof=proof(place, given),
        now=now or at_block(place.row.next_epoch_block),
    )
    assert epoch is not None
    return epoch


def wallets(people):
    """Return what each of these accounts has on its wallet, in rao."""
    found = books.balances([wallet(owner) for owner in people])
    return {str(address.owner): balance.posted_rao for address, balance in found.items()}


def published(place: Town, document, *, version, from_epoch=1):
    """Write a published version past every check, as if it had been sound when it was published."""
    return IncentiveRule.objects.create(
        subnet_id=place.netuid,
        version=version,
        state=IncentiveRule.State.PUBLISHED,
        document=document,
        digest="0" * 64,
        author=place.owner,
        created_at=NOW,
        published_at=NOW,
        from_epoch=from_epoch,
    )


__all__ = ["AGREED", "FIRST_END", "NOW", "TAO", "TEMPO", "Town"]

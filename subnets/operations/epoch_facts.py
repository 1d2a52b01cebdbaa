"""The rows of a closed epoch: itself, a term a neuron, what a replay needs. Facts, written once.

The ORM would write a bundle of megabytes into its statement as text of twice the length, and make a row of every
neuron. Here PostgreSQL gets the bytes as they are, and the terms as an array a column (`ledger.prepared`), which unlike
COPY need not be waited for. Constraints and triggers hold for both as for any row.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from ledger import prepared
from subnets.payroll import Term

WRITE_EPOCH = """
WITH epoch AS (
    INSERT INTO subnets_epoch (
        id, subnet_id, number, start_block, end_block, closed_at, rule_id, emission_rao, owner_rao,
        miners_rao, validators_rao, burned_rao, rule_fault, bundle, handed_on, digest
    )
    VALUES (
        %(id)s::uuid, %(subnet_id)s::int, %(number)s::int, %(start_block)s::bigint, %(end_block)s::bigint,
        %(closed_at)s::timestamptz, %(rule_id)s::bigint, %(emission_rao)s::bigint, %(owner_rao)s::bigint,
        %(miners_rao)s::bigint, %(validators_rao)s::bigint, %(burned_rao)s::bigint, %(rule_fault)s::text,
        %(bundle)s::bytea, %(handed_on)s::bytea, %(digest)s::text
    )
    RETURNING id
)
INSERT INTO subnets_epochevidence (epoch_id, packed) SELECT id, %(evidence)s::bytea FROM epoch
"""

WRITE_TERMS = """
INSERT INTO subnets_epochterm (
    epoch_id, uid, hotkey, owner, stake_rao, is_active, has_permit, consensus_u16, incentive_u16,
    dividends_u16, validator_trust_u16, miner_rao, validator_rao
)
SELECT %(epoch_id)s::uuid, term.*
FROM unnest(
    %(uid)s::smallint[], %(hotkey)s::text[], %(owner)s::uuid[], %(stake_rao)s::bigint[],
    %(is_active)s::bool[], %(has_permit)s::bool[], %(consensus_u16)s::int[], %(incentive_u16)s::int[],
    %(dividends_u16)s::int[], %(validator_trust_u16)s::int[], %(miner_rao)s::bigint[], %(validator_rao)s::bigint[]
) AS term
"""
# What a row says of its neuron, by the names that terms and columns share.
NUMBERS = (
    "uid", "stake_rao", "consensus_u16", "incentive_u16", "dividends_u16", "validator_trust_u16", "miner_rao",
    "validator_rao",
)  # fmt: skip
TEXTS = ("hotkey", "owner", "is_active", "has_permit")


@dataclass(frozen=True, slots=True)
class EpochFacts:
    """A closed epoch as its row says it. bundle, handed_on, evidence: packed, as they lie in the database."""

    id: UUID
    subnet_id: int
    number: int
    start_block: int
    end_block: int
    closed_at: datetime
    rule_id: int
    emission_rao: int
    owner_rao: int
    miners_rao: int
    validators_rao: int
    burned_rao: int
    rule_fault: str
    bundle: bytes
    handed_on: bytes
    digest: str
    evidence: bytes


def write_epoch(facts: EpochFacts, terms: Sequence[Term]) -> None:
    """Write the epoch and its terms, with the bundle that proves them and what a replay needs."""
    prepared.send(WRITE_EPOCH, asdict(facts))
    prepared.push()  # PostgreSQL stores the bundle while the terms are put into words
    numbers = {name: prepared.numbers(getattr(term, name) for term in terms) for name in NUMBERS}
    texts = {name: prepared.texts(getattr(term, name) for term in terms) for name in TEXTS}
    prepared.send(WRITE_TERMS, {"epoch_id": facts.id} | numbers | texts)
    prepared.push()

"""The rows of a closed epoch: itself, a term a neuron, what a replay needs. Facts, written once.

The ORM would write a bundle of megabytes into its statement as text of twice the length, and make a row of every
neuron. Here PostgreSQL gets the bytes as they are (`ledger.prepared`), and the terms by COPY. Constraints and
triggers hold for both as for any row.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

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

# What a row says of its neuron, by the names that terms and columns share.
SAID = (
    "uid", "hotkey", "owner", "stake_rao", "is_active", "has_permit", "consensus_u16", "incentive_u16",
    "dividends_u16", "validator_trust_u16", "miner_rao", "validator_rao",
)  # fmt: skip
COPY_TERMS = f"COPY subnets_epochterm (epoch_id, {', '.join(SAID)}) FROM STDIN"


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
    with connection.cursor() as cursor, cursor.copy(COPY_TERMS) as rows:
        for term in terms:
            rows.write_row((facts.id, *(getattr(term, name) for name in SAID)))

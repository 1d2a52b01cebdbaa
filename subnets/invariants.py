"""What must always hold between epochs, owners and the ledger, asked of the database in one statement.

The newest bundles are read and unpacked before, by another: a bundle never changes. It runs after every
database test and every night, so it reads bundles of the newest epochs only; any bundle can be recomputed
whole by `python -m subnets.audit`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from ledger.chart import BURNED, Code
from ledger.invariants import asked
from subnets.hyperparameters import BY_NAME, EMISSION_FLAGS
from subnets.models import Epoch

# A fault seldom comes alone; the first twenty of a kind say where to look.
FAULTS_SHOWN = 20

# Bundles are large; those before were looked at when they were new, and facts do not change.
BUNDLES_READ = 50

# A flag that a subnet was stored without reads as its default, here as everywhere.
FLAGS = ", ".join(f"('{name}', {BY_NAME[name].default})" for name in EMISSION_FLAGS)

# Each query returns the faults of its claim as (subject, what differs).
CLAIMS = {
    "an epoch's parts sum to its emission": """
        SELECT name, format('%%s emitted, the parts sum to %%s', emission_rao,
               owner_rao + miners_rao + validators_rao + burned_rao)
        FROM epoch
        WHERE emission_rao <> owner_rao + miners_rao + validators_rao + burned_rao
    """,
    "an epoch's terms sum to what miners and validators got": """
        SELECT epoch.name, format('miners %%s, terms say %%s; validators %%s, terms say %%s',
               epoch.miners_rao, coalesce(sum(term.miner_rao), 0),
               epoch.validators_rao, coalesce(sum(term.validator_rao), 0))
        FROM epoch LEFT JOIN subnets_epochterm AS term ON term.epoch_id = epoch.id
        GROUP BY epoch.id, epoch.name, epoch.miners_rao, epoch.validators_rao
        HAVING coalesce(sum(term.miner_rao), 0) <> epoch.miners_rao
            OR coalesce(sum(term.validator_rao), 0) <> epoch.validators_rao
    """,
    "an epoch's entry moves its emission, and burns or recycles what the epoch burned": """
        SELECT epoch.name, format('%%s emitted, the entry moves %%s; %%s burned, the entry burns %%s',
               epoch.emission_rao, coalesce(moved.rao, 0), epoch.burned_rao, coalesce(moved.burned_rao, 0))
        FROM epoch LEFT JOIN (
            SELECT entry.epoch_key AS key, sum(transfer.amount_rao) AS rao,
                   sum(transfer.amount_rao) FILTER (WHERE credit.code = %(burned)s) AS burned_rao
            FROM payment AS entry
            JOIN ledger_transfer AS transfer ON transfer.entry_id = entry.id
            JOIN ledger_account AS credit ON credit.id = transfer.credit_id
            GROUP BY entry.epoch_key
        ) AS moved ON moved.key = epoch.key
        -- What a subnet recycles is not issued: the entry leaves it out.
        WHERE (coalesce(moved.rao, 0), coalesce(moved.burned_rao, 0)) NOT IN (
            (epoch.emission_rao, epoch.burned_rao), (epoch.emission_rao - epoch.burned_rao, 0)
        )
    """,
    "an epoch's entry belongs to an epoch": """
        SELECT entry.key, 'there is no such epoch'
        FROM payment AS entry LEFT JOIN epoch ON epoch.key = entry.epoch_key
        WHERE epoch.id IS NULL
    """,
    "an epoch's entry pays every account what the bundle says": """
        SELECT recent.name, format('%%s: the bundle says %%s, the entry %%s',
               line.code, coalesce(line.stated_rao, 0), coalesce(line.moved_rao, 0))
        FROM recent CROSS JOIN LATERAL (
            SELECT coalesce(stated.code, moved.code) AS code,
                   stated.rao AS stated_rao, moved.rao AS moved_rao
            FROM (
                SELECT 'wallet:' || payout.key AS code, payout.value::bigint AS rao
                FROM jsonb_each_text(recent.payouts) AS payout
            ) AS stated
            FULL JOIN (
                SELECT credit.code, sum(transfer.amount_rao) AS rao
                FROM payment AS entry
                JOIN ledger_transfer AS transfer ON transfer.entry_id = entry.id
                JOIN ledger_account AS credit ON credit.id = transfer.credit_id
                WHERE entry.epoch_key = recent.key AND credit.code <> %(burned)s
                GROUP BY credit.code
            ) AS moved ON moved.code = stated.code
        ) AS line
        WHERE line.stated_rao IS DISTINCT FROM line.moved_rao
    """,
    "the epochs of a subnet follow each other without a gap": """
        SELECT epoch.name, format('starts at block %%s, the one before ended at %%s',
               epoch.start_block, coalesce(before.end_block::text, 'no block'))
        FROM epoch
        LEFT JOIN epoch AS before
               ON before.subnet_id = epoch.subnet_id AND before.number = epoch.number - 1
        WHERE epoch.number > 1 AND before.end_block IS DISTINCT FROM epoch.start_block
    """,
    "a bundle carries its epoch's digest, and names that of the one before": """
        SELECT recent.name, format('%%s, bundle %%s; before %%s, bundle %%s', recent.digest,
               recent.stated_digest, coalesce(before.digest, ''), recent.previous_digest)
        FROM recent
        LEFT JOIN epoch AS before
               ON before.subnet_id = recent.subnet_id AND before.number = recent.number - 1
        WHERE recent.stated_digest IS DISTINCT FROM recent.digest
           OR recent.previous_digest IS DISTINCT FROM coalesce(before.digest, '')
    """,
    "the seal that a bundle published still stands in the ledger": """
        SELECT recent.name, format('published seal %%s as %%s, it stands as %%s', recent.head_seal, recent.head_hash,
               coalesce(encode(seal.hash, 'hex'), 'nothing'))
        FROM recent LEFT JOIN ledger_seal AS seal ON seal.number = recent.head_seal
        WHERE recent.head_seal IS NOT NULL AND encode(seal.hash, 'hex') IS DISTINCT FROM recent.head_hash
    """,
    "an epoch hands on what its bundle says": """
        SELECT recent.name, 'the scores or incumbents kept for the next epoch differ'
        FROM recent WHERE NOT recent.hands_on_its_own
    """,
    "a subnet's bucket stands at the end of its last epoch": """
        SELECT 'subnet ' || subnet.netuid, format('waits from block %%s, the last epoch ended at %%s',
               subnet.last_epoch_block, last.end_block)
        FROM subnets_subnet AS subnet
        JOIN (SELECT subnet_id, max(end_block) AS end_block FROM epoch GROUP BY subnet_id) AS last
             ON last.subnet_id = subnet.netuid
        WHERE last.end_block <> subnet.last_epoch_block
    """,
    "what waits for an epoch is not negative": """
        SELECT 'subnet ' || netuid, format('%%s rao wait', pending_rao)
        FROM subnets_subnet WHERE pending_rao < 0
    """,
    "a subnet has one owner, the one of its open ownership": """
        SELECT 'subnet ' || subnet.netuid, format('%%s, open ownerships: %%s', subnet.owner,
               coalesce(string_agg(ownership.owner::text, ', '), 'none'))
        FROM subnets_subnet AS subnet
        LEFT JOIN subnets_ownership AS ownership
               ON ownership.subnet_id = subnet.netuid AND ownership.ends_at IS NULL
        GROUP BY subnet.netuid, subnet.owner
        HAVING count(ownership.id) <> 1 OR bool_or(ownership.owner <> subnet.owner)
    """,
    # What a subnet opened with is written nowhere, and the defaults of today are not those of then: a value
    # that has no log has nothing to be held against.
    "a hyperparameter that has a log stands where its last change left it": """
        SELECT 'subnet ' || last.subnet_id, format('%%s is %%s, the log says %%s', last.name,
               coalesce(subnet.hyperparameters ->> last.name, 'missing'), last.new_value)
        FROM (
            SELECT DISTINCT ON (subnet_id, name) subnet_id, name, new_value
            FROM subnets_hyperparameterchange ORDER BY subnet_id, name, id DESC
        ) AS last
        JOIN subnets_subnet AS subnet ON subnet.netuid = last.subnet_id
        WHERE (subnet.hyperparameters ->> last.name)::bigint IS DISTINCT FROM last.new_value
    """,
    "a logged change of a hyperparameter starts from what the one before left": """
        SELECT 'change ' || id, format('%%s of subnet %%s changed from %%s, but stood at %%s',
               name, subnet_id, old_value, stood)
        FROM (
            SELECT id, subnet_id, name, old_value,
                   lag(new_value) OVER (PARTITION BY subnet_id, name ORDER BY id) AS stood
            FROM subnets_hyperparameterchange
        ) AS step
        WHERE old_value <> stood
    """,
    "emission flows to a subnet just where its flags let it": """
        SELECT 'subnet ' || netuid, format('emission is %%s', CASE WHEN emission_enabled THEN 'on' ELSE 'off' END)
        FROM subnets_subnet
        WHERE emission_enabled <> NOT EXISTS (
            SELECT 1 FROM flag WHERE coalesce((hyperparameters ->> flag.name)::bigint, flag.value) = 0
        )
    """,
}

EPOCHS = f"""
WITH flag (name, value) AS (
    VALUES {FLAGS}
), epoch AS (
    SELECT id, subnet_id, number, start_block, end_block, digest,
           emission_rao, owner_rao, miners_rao, validators_rao, burned_rao,
           format('epoch %%s of subnet %%s', number, subnet_id) AS name,
           format('epoch:%%s:%%s', subnet_id, number) AS key
    FROM subnets_epoch
), payment AS MATERIALIZED (
    SELECT id, key, substring(key FROM '^(epoch:[0-9]+:[0-9]+)(?::[0-9]+)?$') AS epoch_key
    FROM ledger_entry WHERE code = %(epoch_paid)s
), recent AS (
    SELECT epoch.*, read.stated_digest, read.previous_digest, read.payouts::jsonb AS payouts,
           read.hands_on_its_own, read.head_seal, read.head_hash
    FROM unnest(%(ids)s::uuid[], %(digests)s::text[], %(previous)s::text[], %(payouts)s::text[], %(same)s::bool[],
                %(seals)s::bigint[], %(hashes)s::text[])
        AS read (id, stated_digest, previous_digest, payouts, hands_on_its_own, head_seal, head_hash)
    JOIN epoch ON epoch.id = read.id
)
"""  # noqa: S608  the table of hyperparameters holds names and numbers of our own


@dataclass(frozen=True, slots=True)
class Read:
    """What the check needs of an epoch's bundle."""

    id: UUID
    digest: str | None
    previous_digest: str | None
    payouts: str
    hands_on_its_own: bool
    head_seal: int | None
    head_hash: str | None


def newest_bundles() -> Iterator[Read]:
    """Yield the newest epochs' bundles, one unpacked at a time."""
    newest = Epoch.objects.order_by("-closed_at").values_list("id", "bundle", "handed_on")
    for epoch_id, bundle, handed_on in newest[:BUNDLES_READ].iterator(chunk_size=1):
        head = bundle["record"].get("ledger_head") or {}
        yield Read(
            id=epoch_id,
            digest=bundle.get("digest"),
            previous_digest=bundle.get("previous_digest"),
            payouts=json.dumps(bundle["payroll"]["payouts"]),
            hands_on_its_own=all(handed_on[name] == bundle["payroll"][name] for name in handed_on),
            head_seal=head.get("seal"),
            head_hash=head.get("hash"),
        )


def check_books() -> list[str]:
    """Return what is wrong with epochs and owners, one sentence a fault; empty means all is well."""
    parts = [
        f"SELECT $claim${claim}$claim$, fault.* FROM ({query} LIMIT {FAULTS_SHOWN}) AS fault (subject, difference)"  # noqa: S608  constants above
        for claim, query in CLAIMS.items()
    ]
    read = list(newest_bundles())
    said = {
        "burned": BURNED.code,
        "epoch_paid": Code.EPOCH_PAID.value,
        "ids": [one.id for one in read],
        "digests": [one.digest for one in read],
        "previous": [one.previous_digest for one in read],
        "payouts": [one.payouts for one in read],
        "same": [one.hands_on_its_own for one in read],
        "seals": [one.head_seal for one in read],
        "hashes": [one.head_hash for one in read],
    }
    return [
        f"subnets: {subject} breaks the rule that {claim}: {difference}"
        for claim, subject, difference in asked(EPOCHS + "\nUNION ALL\n".join(parts), said)
    ]

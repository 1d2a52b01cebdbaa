"""Each fault is made by force, with the triggers off, and the check must name it."""

import pytest

from subnets import operations, packing
from subnets.hyperparameters import Authority
from subnets.invariants import CLAIMS, check_books
from subnets.models import Epoch, Subnet
from tests.faults import forced
from tests.ledger.seals import sealed
from tests.subnets import town, worlds

pytestmark = pytest.mark.django_db


def rewritten(change, *, column="bundle"):
    """Return the statement that changes what is packed in the first epoch."""
    found = Epoch.objects.values_list(column, flat=True).get(number=1)
    at_rest = packing.packed(change(found)).hex()
    return f"UPDATE subnets_epoch SET {column} = decode('{at_rest}', 'hex') WHERE number = 1"


# A claim, and statements that break it.
FAULTS = [
    (
        "parts sum to its emission",
        "ALTER TABLE subnets_epoch DROP CONSTRAINT subnets_epoch_payouts_sum_to_emission",
        "UPDATE subnets_epoch SET owner_rao = owner_rao + 1 WHERE number = 1",
    ),
    (
        "terms sum to what miners",
        "UPDATE subnets_epochterm SET miner_rao = miner_rao + 1 WHERE uid = 2",
    ),
    ("terms sum to what miners", "DELETE FROM subnets_epochterm WHERE uid = 0"),
    (
        "entry moves its emission",
        "UPDATE subnets_epoch SET emission_rao = emission_rao - 1, owner_rao = owner_rao - 1",
    ),
    ("entry moves its emission", "UPDATE ledger_entry SET key = 'lost' WHERE key = 'epoch:1:2'"),
    (
        "entry moves its emission",
        "UPDATE subnets_epoch SET burned_rao = burned_rao - 1, owner_rao = owner_rao + 1",
    ),
    ("belongs to an epoch", "UPDATE ledger_entry SET key = 'epoch:1:9' WHERE key = 'epoch:1:2'"),
    (
        "pays every account what the bundle says",
        """
        UPDATE ledger_transfer
        SET credit_id = (SELECT id FROM ledger_account WHERE kind = 'treasury')
        WHERE id = (
            SELECT min(moved.id) FROM ledger_transfer AS moved
            JOIN ledger_entry AS entry ON entry.id = moved.entry_id WHERE entry.key = 'epoch:1:1'
        )
        """,
    ),
    (
        "pays every account what the bundle says",
        lambda: rewritten(lambda it: it | {"payroll": it["payroll"] | {"payouts": {}}}),
    ),
    ("without a gap", "UPDATE subnets_epoch SET number = 7 WHERE number = 2"),
    ("without a gap", "UPDATE subnets_epoch SET start_block = start_block + 1 WHERE number = 2"),
    ("names that of the one before", "UPDATE subnets_epoch SET digest = 'x' WHERE number = 1"),
    (
        "names that of the one before",
        lambda: rewritten(lambda it: it | {"previous_digest": "x"}),
    ),
    (
        "names that of the one before",
        lambda: rewritten(lambda it: {name: it[name] for name in it if name != "digest"}),
    ),
    (
        "seal that a bundle published",
        "UPDATE ledger_seal SET hash = sha256(hash)",
    ),
    ("seal that a bundle published", "DELETE FROM ledger_seal"),
    (
        "hands on what its bundle says",
        lambda: rewritten(lambda it: it | {"smoothed": {}}, column="handed_on"),
    ),
    ("bucket stands at the end", "UPDATE subnets_subnet SET last_epoch_block = 5"),
    (
        "is not negative",
        "ALTER TABLE subnets_subnet DROP CONSTRAINT subnets_subnet_pending_is_not_negative",
        "UPDATE subnets_subnet SET pending_rao = -1",
    ),
    ("one owner", "UPDATE subnets_subnet SET owner = gen_random_uuid()"),
    ("one owner", "UPDATE subnets_ownership SET ends_at = now() + interval '9 years'"),
    (
        "one owner",
        "DROP INDEX subnets_ownership_one_owner_now",
        "ALTER TABLE subnets_ownership DROP CONSTRAINT subnets_ownership_one_owner_at_any_instant",
        """
        INSERT INTO subnets_ownership (subnet_id, owner, starts_at, price_rao, reason)
        SELECT subnet_id, owner, now() + interval '1 year', 0, 'sold' FROM subnets_ownership
        """,
    ),
    (
        "where its last change left it",
        "UPDATE subnets_subnet SET hyperparameters = hyperparameters || '{\"immunity_period\": 9}'",
    ),
    (
        "where its last change left it",
        "UPDATE subnets_subnet SET hyperparameters = hyperparameters - 'immunity_period'",
    ),
    (
        "where its last change left it",
        "DELETE FROM subnets_hyperparameterchange WHERE new_value = 8",
    ),
    (
        "starts from what the one before left",
        "UPDATE subnets_hyperparameterchange SET old_value = 9 WHERE new_value = 8",
    ),
    (
        "starts from what the one before left",
        "UPDATE subnets_hyperparameterchange SET new_value = 6 WHERE new_value = 7",
    ),
    ("flags let it", "UPDATE subnets_subnet SET emission_enabled = false"),
]


@pytest.fixture
def _two_epochs():
    with worlds.quick_cel():
        place = town.founded(miner_count=1)
        sealed()
        for _ in range(2):
            town.closed(place, rows=[(1_000_000,), (1_000_000,)])
        for value in (7, 8):
            operations.set_hyperparameters(
                netuid=place.netuid, account=place.owner, values={"immunity_period": value},
                now=town.at_block(place.row.last_epoch_block), authority=Authority.ROOT,
            )  # fmt: skip


@pytest.mark.breaks_books
@pytest.mark.usefixtures("_two_epochs")
def test_every_fault_is_named():
    for claim, *statements in FAULTS:
        assert check_books() == []
        made = [part() if callable(part) else part for part in statements]
        with forced(*made):
            assert any(claim in fault for fault in check_books()), (claim, check_books())


def test_every_claim_has_a_fault_that_it_finds():
    for claim in CLAIMS:
        assert any(part in claim for part, *_ in FAULTS), claim


@pytest.mark.usefixtures("_two_epochs")
def test_a_value_that_was_the_default_of_another_day_breaks_no_rule():
    for subnet in Subnet.objects.all():
        subnet.hyperparameters |= {"min_burn": subnet.hyperparameters["min_burn"] + 1}
        subnet.save(update_fields=["hyperparameters"])

    assert check_books() == []


@pytest.mark.usefixtures("_two_epochs")
def test_the_check_is_one_statement_beside_reading_the_bundles(django_assert_num_queries):
    with django_assert_num_queries(2):
        check_books()

"""Whatever is changed, taken away or added behind the chain is found, and named."""

import json
from contextlib import suppress
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from ledger import canonical, operations, sealing, verifying
from ledger.chart import FEES
from ledger.entries import Move
from ledger.models import Account, Entry, Hold, Seal, SealedEntry, Transfer
from tests.ledger.make import NOW, entry, funded_wallet
from tests.ledger.seals import history, sealed

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_books]

# One altered unit of every type of column: a letter, a rao, a microsecond, a bit.
ALTERED = {
    "text": "overlay({0} placing 'x' from 1 for 1)",
    "bigint": "coalesce({0}, 0) + {1}",
    "integer": "{0} + {1}",
    "smallint": "{0} + {1}",
    "boolean": "NOT {0}",
    "uuid": "'{{00000000-0000-0000-0000-000000000007}}'",
    "bytea": "set_bit({0}, 0, 1 - get_bit({0}, 0))",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 microsecond'",
}

# What a constraint refuses even from whoever passes every trigger, in each of the rows tried.
REFUSED = {"state"}


@pytest.fixture(autouse=True)
def _sealed_history():
    history()
    sealed(limit=4)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # No trigger, and no foreign key, stands in the way of whoever may say this.
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")


def found():
    """Return what verify_ledger finds, and whether it says that all is well."""
    said = StringIO()
    with suppress(SystemExit):
        call_command("verify_ledger", "--json", stdout=said, stderr=StringIO())
    return json.loads(said.getvalue())


def altered(table, column, kind, row):
    """Alter one column of the row at a place, look, and put it back: the faults, none when it was refused."""
    # A key one further is another row's: it would be refused, and nothing looked at.
    step = 1_000 if column.endswith("id") or column in {"number", "position"} else 1
    value = ALTERED[kind.replace("character varying", "text")].format(column, step)
    chosen = f"(SELECT ctid FROM {table} ORDER BY ctid OFFSET {row} LIMIT 1)"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET {column} = {value} WHERE ctid = {chosen}")
            assert cursor.rowcount == 1
            faults = found()["faults"]
            transaction.set_rollback(True)
    except IntegrityError:
        return None
    return faults


def columns(table):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s",
            [table],
        )
        return cursor.fetchall()


def test_books_that_nobody_touched_are_verified():
    verdict = found()

    assert verdict == {"verified": True, "seals": 3, "entries": 9, "waiting": 0, "faults": []}


@pytest.mark.parametrize("model", [Entry, Transfer, Hold, Account, Seal, SealedEntry])
def test_one_altered_byte_of_any_column_is_found_by_name(model):
    table = model._meta.db_table
    names = [
        *(f"({key})" for key in Entry.objects.values_list("key", flat=True)),
        *(f"entry {number} " for number in Entry.objects.values_list("id", flat=True)),
        *Account.objects.values_list("code", flat=True),
        *(f"seal {number}" for number in Seal.objects.values_list("number", flat=True)),
    ]
    count = model.objects.count()

    for column, kind in columns(table):
        seen = [altered(table, column, kind, row) for row in range(0, count, 1 + count // 6)]
        looked_at = [faults for faults in seen if faults is not None]
        for faults in looked_at:
            assert any(name in fault for fault in faults for name in names), column
        assert looked_at or column in REFUSED, column


@pytest.mark.parametrize(
    ("deed", "name"),
    [
        ("DELETE FROM ledger_transfer WHERE id = (SELECT max(id) FROM ledger_transfer)", "(both)"),
        ("DELETE FROM ledger_entry WHERE key = 'paid'", "is gone"),
        ("DELETE FROM ledger_hold WHERE state = 'voided'", "(voided)"),
        ("DELETE FROM ledger_seal WHERE number = 2", "seal 2 is gone"),
        ("DELETE FROM ledger_seal WHERE number = 3", "seal 3 is gone"),
        ("DELETE FROM ledger_sealedentry WHERE seal_id = 1 AND position = 3", "seal 1 binds 4 entries and 3"),
        ("UPDATE ledger_seal SET number = 9 WHERE number = 3", "seal 3 is gone"),
    ],
)  # fmt: skip
def test_a_missing_row_is_found_by_name(deed, name):
    with connection.cursor() as cursor:
        cursor.execute(deed)

    with pytest.raises(SystemExit, match="1"):
        call_command("verify_ledger", stdout=StringIO(), stderr=StringIO())
    assert any(name in fault for fault in found()["faults"])


@pytest.mark.parametrize(
    ("deed", "name"),
    [
        (
            (
                "INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao)"
                " SELECT entry_id, 9, debit_id, credit_id, 1 FROM ledger_transfer ORDER BY id DESC LIMIT 1"
            ),
            "(both)",
        ),
        (
            (
                "INSERT INTO ledger_hold (id, account_id, placed_by_id, amount_rao, state, posted_rao)"
                " SELECT gen_random_uuid(), account_id, placed_by_id, 1, 'open', 0 FROM ledger_hold"
                " WHERE state = 'open'"
            ),
            "(both)",
        ),
        (
            (
                "INSERT INTO ledger_entry (key, code, at, note, digest, xid)"
                " SELECT 'slipped in', code, at, note, digest, xid - 1 FROM ledger_entry LIMIT 1"
            ),
            "(slipped in) stands below the newest seal",
        ),
        (
            (
                "INSERT INTO ledger_sealedentry (entry_id, seal_id, position, salt, digest)"
                " SELECT 999999, 3, 1, salt, digest FROM ledger_sealedentry LIMIT 1"
            ),
            "entry 999999 of seal 3 is gone",
        ),
    ],
)
def test_an_added_row_is_found_by_name(deed, name):
    with connection.cursor() as cursor:
        cursor.execute(deed)

    assert any(name in fault for fault in found()["faults"])


def test_a_word_that_a_constraint_allows_is_found_in_the_place_of_another():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_hold SET state = 'expired' WHERE state = 'voided'")

    assert any("(voided)" in fault for fault in found()["faults"])


def test_a_seal_that_was_made_anew_over_changed_rows_no_longer_carries_the_next_one():
    forged = Seal.objects.get(number=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_entry SET note = 'another' WHERE key = 'first'")
    places = SealedEntry.objects.filter(seal=forged).order_by("position")
    parts = verifying.evidence.parts_of([place.entry_id for place in places])
    digests = [canonical.digest(parts[place.entry_id], bytes(place.salt)) for place in places]
    facts = verifying.facts_of(forged)
    root = canonical.seal_root(digests)
    remade = canonical.SealFacts(
        facts.number, facts.previous, root, 4, facts.first_entry, facts.last_entry, facts.sealed_at
    )
    with connection.cursor() as cursor:
        for place, digest in zip(places, digests, strict=True):
            cursor.execute(
                "UPDATE ledger_sealedentry SET digest = %s WHERE entry_id = %s",
                [digest, place.entry_id],
            )
        cursor.execute(
            "UPDATE ledger_seal SET root = %s, hash = %s WHERE number = 1", [root, remade.hash()]
        )

    assert "seal 2 does not follow seal 1 as it stands" in found()["faults"]


def test_a_check_may_begin_at_a_later_seal():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_entry SET note = 'another' WHERE key = 'first'")

    assert [seal.number for seal in verifying.checked_seals(since=2)] == [2, 3]
    assert not any(seal.faults for seal in verifying.checked_seals(since=2))
    assert any(seal.faults for seal in verifying.checked_seals())


def test_what_waits_for_a_seal_is_no_fault():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = origin")
    operations.post(entry(Move(funded_wallet(5), FEES, 1)))

    assert found()["waiting"] == 2
    assert found()["verified"]


def test_the_words_say_how_much_was_verified_and_progress_is_told(monkeypatch):
    monkeypatch.setattr("ledger.management.commands.verify_ledger.SEALS_A_LINE", 2)
    said, progress = StringIO(), StringIO()

    call_command("verify_ledger", stdout=said, stderr=progress)

    assert said.getvalue() == ("9 entries in 3 seals are as they were sealed; 0 wait for a seal.\n")
    assert progress.getvalue() == "seal 2 of 3, 0 faults\n"
    assert sealing.seal_entries(now=NOW + timedelta(days=1), below=0) is None

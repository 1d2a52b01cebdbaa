"""A receipt shows somebody what is theirs, and proves that it was sealed; nothing else can be read from it."""

import json
import subprocess
import sys
from copy import deepcopy
from uuid import uuid4

import pytest

from ledger import canonical, prove, receipts
from ledger import operations as ledger
from ledger.chart import FEES, wallet
from ledger.entries import Move, PostHold
from ledger.errors import EntryNotSealed, EntryUnknown
from ledger.keyset import Window
from ledger.models import Entry
from tests.ledger.make import entry, funded_wallet, hold
from tests.ledger.seals import history, sealed
from tests.project.tree import ROOT

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid():
    """Let a buyer pay a seller and the house, among other entries; return buyer, seller and the entry."""
    history()
    buyer, seller = funded_wallet(1_000), wallet(uuid4())
    ledger.post(
        entry(PostHold(hold(buyer, 700), ((seller, 600), (FEES, 40))), key="sale", note="café ☕")
    )
    return buyer, seller, Entry.objects.get(key="sale").id


def receipt_of(paid, side):
    return json.loads(json.dumps(receipts.receipt(entry=paid[2], owner=paid[side].owner)))


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_both_sides_of_an_entry_get_a_receipt_that_proves_it(paid, limit):
    seals = sealed(limit=limit)

    proofs = [prove.proven(receipt_of(paid, side)) for side in (0, 1)]

    assert {proof.seal for proof in proofs} == {seals[-1].number}
    assert {proof.hash for proof in proofs} == {bytes(seals[-1].hash)}
    assert proofs[0].parts[0] == proofs[1].parts[0]
    assert proofs[0].parts[0]["note"] == "café ☕"


def test_everybody_sees_their_own_account_and_balance_alone(paid):
    sealed()
    buyer, seller, _ = paid

    for side, own, balance_rao in ((0, buyer, "360"), (1, seller, "600")):
        parts = prove.proven(receipt_of(paid, side)).parts
        assert {part["account"] for part in parts if "account" in part} == {own.code}
        assert [part["balance_rao"] for part in parts if "balance_rao" in part][-1] == balance_rao
        assert not any("digest" in part for part in parts)
    assert seller.code not in json.dumps(receipt_of(paid, 0))


def test_what_is_hidden_cannot_be_guessed_from_its_hash(paid):
    sealed()
    _, seller, number = paid
    shown = receipt_of(paid, 0)
    hashes = {one for part in shown["parts"] for one in part["path"]}
    nonces = [bytes.fromhex(part["nonce"]) for part in shown["parts"]]

    # Who knows every word of the seller's part still lacks its nonce.
    parts = [part for part, _ in receipts.parts_for(entry=number, owner=seller.owner)]
    guesses = {
        canonical.part_leaf(part.value, nonce).hex()
        for part in parts
        for nonce in [b"", bytes(16), *nonces]
        if part.accounts == (seller.code,)
    }

    assert guesses
    assert not guesses & hashes


def test_a_stranger_gets_no_receipt_and_learns_not_even_that_there_is_one(paid):
    sealed()

    for number in (paid[2], 999_999):
        with pytest.raises(EntryUnknown) as refusal:
            receipts.receipt(entry=number, owner=uuid4())
        assert refusal.value.fields == {"key": str(number)}


def test_before_its_seal_there_is_no_receipt(paid):
    with pytest.raises(EntryNotSealed) as refusal:
        receipts.receipt(entry=paid[2], owner=paid[0].owner)

    assert refusal.value.fields == {"entry": paid[2]}


def leaves_of(value, at=()):
    """Yield the way to every text of a receipt."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, (dict, list)):
            yield from leaves_of(inner, (*at, key))
        elif isinstance(inner, str):
            yield (*at, key)


def test_a_receipt_with_one_altered_text_proves_nothing(paid):
    sealed(limit=5)
    good = receipt_of(paid, 0)

    for way in leaves_of(good):
        forged = deepcopy(good)
        *before, last = way
        place = forged
        for step in before:
            place = place[step]
        place[last] = "7" if place[last] != "7" else "8"
        with pytest.raises(prove.NotProven):
            prove.proven(forged)


@pytest.mark.parametrize("broken", [{}, {"format": prove.FORMAT, "parts": []}, {"format": "other"}])
def test_what_is_no_receipt_is_told_in_a_sentence(broken):
    with pytest.raises(prove.NotProven, match=r"receipt|reads"):
        prove.proven(broken)


def test_a_receipt_is_followed_to_a_head_that_was_published(paid):
    sealed(limit=100)
    proof = prove.proven(receipt_of(paid, 0))
    for _ in range(3):
        ledger.post(entry(Move(paid[0], FEES, 1)))
        sealed()
    head = receipts.head()
    window = Window(by=("number",), limit=100)
    rows = receipts.seals(window=window, after=proof.seal)
    seals = [receipts.seal_json(row) for row in rows]

    assert prove.followed(proof, seals, head=bytes.fromhex(head["hash"])) == proof.seal + 3
    with pytest.raises(prove.NotProven, match="not the head"):
        prove.followed(proof, seals[:-1], head=bytes.fromhex(head["hash"]))
    with pytest.raises(prove.NotProven, match="does not follow"):
        prove.followed(proof, seals[1:], head=bytes.fromhex(head["hash"]))
    seals[1]["root"] = seals[0]["root"]
    with pytest.raises(prove.NotProven, match="not as it was written"):
        prove.followed(proof, seals, head=bytes.fromhex(head["hash"]))


def test_the_tool_checks_a_file_without_django_or_database(paid, tmp_path):
    sealed()
    good = tmp_path / "receipt.json"
    good.write_text(json.dumps(receipt_of(paid, 0)), encoding="utf-8")
    bad = tmp_path / "forged.json"
    bad.write_text(good.read_text().replace('"640"', '"641"').replace('"600"', '"601"'))

    # A tree of modules is loaded to the last one before the check: none of Django's may be among them.
    program = (
        "import sys; from ledger import prove; end = prove.main();"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('django', 'psycopg')]; sys.exit(end)"
    )
    ends = [
        subprocess.run(
            [sys.executable, "-c", program, str(file)],
            cwd=ROOT,
            env={},
            capture_output=True,
            text=True,
            check=False,
        )
        for file in (good, bad)
    ]

    assert [end.returncode for end in ends] == [0, 1], [end.stderr for end in ends]
    assert "proven: entry" in ends[0].stdout
    assert ends[1].stderr.startswith("NOT PROVEN: ")

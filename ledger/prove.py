"""Check the receipt of an entry, with nothing but this file's Python: no Django, no database, no server.

    python -m ledger.prove receipt.json
    python -m ledger.prove receipt.json --seals seals.json --head 9c1f…

The first tells that the parts shown are parts of an entry that a seal binds. The second, with the seals behind it,
that this seal stands below a head which was published elsewhere, as in the bundle of an epoch. Pure.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger import canonical, merkle
from ledger.canonical import Value

FORMAT = "ledger-receipt/1"
# A receipt of the largest entry, four thousand steps, all of them somebody's own, has about six megabytes.
RECEIPT_BYTES_MAX = 64 * 2**20


class NotProven(Exception):
    """The receipt does not prove what it says; the sentence says where it breaks."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What a receipt proves: these parts are of this entry, which this seal binds."""

    entry: str
    parts: tuple[Value, ...]
    seal: int
    hash: bytes


def proven(receipt: Mapping[str, Any]) -> Proven:
    """Check a receipt, and return what it proves. Raises: NotProven."""
    try:
        return _proven(receipt)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise NotProven(f"this is not a whole receipt: {fault}") from fault


def followed(proof: Proven, seals: Iterable[Mapping[str, Any]], *, head: bytes) -> int:
    """Follow the seals from a proven one to a published head; return the head's number. Raises: NotProven."""
    number, reached = proof.seal, proof.hash
    for seal in sorted(seals, key=lambda one: int(one["seal"])):
        if reached == head:
            break
        if int(seal["seal"]) <= number:
            continue
        if int(seal["seal"]) != number + 1 or bytes.fromhex(seal["previous"]) != reached:
            raise NotProven(f"seal {seal['seal']} does not follow seal {number}")
        number, reached = number + 1, _seal_hash(seal)
    if reached != head:
        raise NotProven(f"the seals end at {number}, which is not the head")
    return number


def _proven(receipt: Mapping[str, Any]) -> Proven:
    if receipt["format"] != FORMAT:
        raise NotProven(f"this reads {FORMAT}, and not {receipt['format']!r}")
    if not receipt["parts"]:
        raise NotProven("the receipt shows no part of the entry")
    digests = {_digest(part, int(receipt["part_count"])) for part in receipt["parts"]}
    if len(digests) != 1:
        raise NotProven("the parts are not of one entry as it was sealed")
    if {part["value"]["entry"] for part in receipt["parts"]} != {receipt["entry"]}:
        raise NotProven("the parts name another entry")
    seal = receipt["seal"]
    root = merkle.climbed(
        merkle.leaf_hash(digests.pop()),
        index=int(receipt["position"]),
        count=int(seal["entry_count"]),
        path=[bytes.fromhex(one) for one in receipt["path"]],
    )
    if root != bytes.fromhex(seal["root"]):
        raise NotProven("the entry is not among those that the seal binds")
    return Proven(
        entry=receipt["entry"],
        parts=tuple(part["value"] for part in receipt["parts"]),
        seal=int(seal["seal"]),
        hash=_seal_hash(seal),
    )


def _digest(part: Mapping[str, Any], part_count: int) -> bytes:
    """Climb from a part to the digest of its entry."""
    nonce = bytes.fromhex(part["nonce"])
    if len(nonce) != canonical.NONCE_BYTES:
        raise NotProven("a nonce has another length")
    return merkle.climbed(
        canonical.part_leaf(part["value"], nonce),
        index=int(part["index"]),
        count=part_count,
        path=[bytes.fromhex(one) for one in part["path"]],
    )


def _seal_hash(seal: Mapping[str, Any]) -> bytes:
    """Hash a seal, and hold the answer against what it says of itself."""
    computed = canonical.seal_hash({name: said for name, said in seal.items() if name != "hash"})
    if computed != bytes.fromhex(seal["hash"]):
        raise NotProven(f"seal {seal['seal']} is not as it was written")
    return computed


def main() -> int:
    """Read the files, and tell."""
    parser = argparse.ArgumentParser(prog="ledger.prove", description="Check a ledger receipt.")
    parser.add_argument("receipt", type=Path)
    parser.add_argument("--seals", type=Path, help="the seals behind it, as the API lists them")
    parser.add_argument("--head", help="a published hash that they have to reach")
    given = parser.parse_args()
    try:
        proof = proven(_read(given.receipt))
        reached = f"seal {proof.seal} binds it; its hash is {proof.hash.hex()}"
        if given.head:
            seals = _read(given.seals)["results"] if given.seals else []
            number = followed(proof, seals, head=bytes.fromhex(given.head))
            reached = f"seal {proof.seal} binds it, below the head {number}"
    except (NotProven, OSError, ValueError) as fault:
        sys.stderr.write(f"NOT PROVEN: {fault}\n")
        return 1
    for part in proof.parts:
        sys.stdout.write(json.dumps(part, ensure_ascii=False) + "\n")
    sys.stdout.write(f"proven: entry {proof.entry}; {reached}\n")
    return 0


def _read(path: Path) -> Any:  # noqa: ANN401  whatever JSON says
    if path.stat().st_size > RECEIPT_BYTES_MAX:
        raise NotProven(f"{path.name} is larger than any receipt")
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())

"""The receipt of an entry for somebody who has a part in it: what is theirs, and the proof that it was sealed."""

from typing import Any
from uuid import UUID

from ledger import canonical, evidence, merkle, rows, verifying
from ledger.canonical import Part
from ledger.errors import EntryNotSealed, EntryUnknown
from ledger.keyset import Window
from ledger.models import Account
from ledger.prove import FORMAT
from ledger.seals import Seal, SealedEntry


def receipt(*, entry: int, owner: UUID) -> dict[str, Any]:
    """Return the receipt of an entry that touched an account of an owner, as JSON.

    Of what is others', their accounts and balances, it has hashes alone.
    Raises: EntryUnknown (there is none, or none of this owner's), EntryNotSealed (try again in a few seconds).
    """
    parts = parts_for(entry=entry, owner=owner)
    place = SealedEntry.objects.select_related("seal").filter(entry_id=entry).first()
    if place is None:
        raise EntryNotSealed(entry=entry)
    salt = bytes(place.salt)
    leaves = canonical.part_leaves([part for part, _ in parts], salt)
    digests = place.seal.entries.order_by("position").values_list("digest", flat=True)
    return {
        "format": FORMAT,
        "entry": str(entry),
        "part_count": str(len(parts)),
        "parts": [
            {
                "index": str(index),
                "nonce": canonical.nonce(salt, index).hex(),
                "value": dict(part.value),
                "path": _hex(merkle.path(leaves, index)),
            }
            for index, (part, is_shown) in enumerate(parts)
            if is_shown
        ],
        "position": str(place.position),
        "path": _hex(
            merkle.path([merkle.leaf_hash(bytes(one)) for one in digests], place.position)
        ),
        "seal": seal_json(place.seal),
    }


def parts_for(*, entry: int, owner: UUID) -> list[tuple[Part, bool]]:
    """Return the parts of an entry, each with whether this owner may see it.

    Raises: EntryUnknown when none of it is the owner's.
    """
    parts = evidence.parts_of([entry]).get(entry, [])
    named = {code for part in parts for code in part.accounts}
    own = set(Account.objects.filter(owner=owner, code__in=named).values_list("code", flat=True))
    if not own:
        raise EntryUnknown(key=str(entry))
    return [(part, not part.accounts or not own.isdisjoint(part.accounts)) for part in parts]


def seal_json(seal: Seal) -> dict[str, str]:
    """Write a seal with its hash."""
    return verifying.facts_of(seal).value() | {"hash": bytes(seal.hash).hex()}


def seals(*, window: Window, after: int = 0) -> list[Seal]:
    """Return a page of the seals behind a number, the first first: what leads from a receipt to a later head."""
    return list(window.cut(Seal.objects.filter(number__gt=after)))


def head() -> dict[str, str] | None:
    """Return the newest seal, none before the first."""
    newest = rows.read(Seal, "ORDER BY number DESC LIMIT 1")
    return seal_json(newest[0]) if newest else None


def _hex(hashes: list[bytes]) -> list[str]:
    return [one.hex() for one in hashes]

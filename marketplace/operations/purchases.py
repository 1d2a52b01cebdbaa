"""Buying a free slot from the network."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move
from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from marketplace import queries
from marketplace.models import Sale
from subnets import naming
from subnets import operations as subnets
from subnets import queries as slots
from subnets.errors import LockCostAboveLimit


@transaction.atomic
def buy_slot(
    *,
    buyer: UUID,
    name: str,
    summary: str,
    blueprint: str,
    max_cost_rao: int,
    key: str,
    now: datetime,
) -> Sale:
    """Buy the lowest free slot at the lock cost of this moment and the premium, if one is open: at most max_cost_rao.

    The same key with the same input buys one slot and returns its sale again.
    Raises: NoFreeSlot, TextRefused, NameTaken, LockCostAboveLimit, InsufficientFunds, IdempotencyConflict,
    IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored = stored_key("slot", caller=buyer, key=key)
    slots.lock_network()
    if earlier := queries.sale_by_key(stored):
        asked = {
            "name": naming.subnet_name(name),
            "summary": naming.subnet_summary(summary),
            "blueprint": blueprint,
            "max_cost_rao": max_cost_rao,
        }
        return _replay(earlier, asked, key=key)

    words = {"name": name, "summary": summary, "blueprint": blueprint}
    premium_rao = _premium_rao(now)
    registered = _registered(
        words, buyer=buyer, premium_rao=premium_rao, max_cost_rao=max_cost_rao, key=stored, now=now
    )
    sale = Sale.objects.create(
        kind=Sale.Kind.SLOT,
        key=stored,
        netuid=registered.netuid,
        buyer=buyer,
        price_rao=registered.cost_rao + premium_rao,
        fee_rao=premium_rao,
        max_cost_rao=max_cost_rao,
        sold_at=now,
    )
    if premium_rao:
        paid = Move(debit=chart.wallet(buyer), credit=chart.FEES, amount_rao=premium_rao)
        ledger.post(Entry(key=f"premium:{sale.id}", code=Code.PREMIUM_PAID, at=now, steps=(paid,)))
    return sale


def _registered(
    words: Mapping[str, str],
    *,
    buyer: UUID,
    premium_rao: int,
    max_cost_rao: int,
    key: str,
    now: datetime,
) -> subnets.Registered:
    """Register the subnet at the lock cost. A refusal for its height names what lock cost and premium come to."""
    try:
        return subnets.register_subnet(
            owner=buyer, max_cost_rao=max_cost_rao - premium_rao, key=key, now=now, **words
        )
    except LockCostAboveLimit as refusal:
        cost_rao = int(str(refusal.fields["cost_rao"])) + premium_rao
        raise LockCostAboveLimit(cost_rao=cost_rao, max_cost_rao=max_cost_rao) from refusal


def _premium_rao(now: datetime) -> int:
    """Return the premium of this moment; the caller holds the network's row, under which premiums change."""
    row = queries.slot_premium(now)
    return 0 if row is None else queries.premium_tag(row).price_rao(now=now)


def _replay(earlier: Sale, asked: Mapping[str, object], *, key: str) -> Sale:
    # The sale keeps no copy of the words: an owner who changed them since is asked for a new key.
    words = slots.subnet(earlier.netuid)
    bought = {
        "name": words.name,
        "summary": words.summary,
        "blueprint": words.blueprint,
        "max_cost_rao": earlier.max_cost_rao,
    }
    for field, first in bought.items():
        # Sales of the time before limits were kept have none to compare with.
        if first is not None and asked[field] != first:
            raise IdempotencyConflict(key=key, field=field)
    return earlier

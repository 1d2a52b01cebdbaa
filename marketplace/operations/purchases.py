"""Buying a free slot from the network."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from marketplace import queries
from marketplace.models import Sale
from subnets import naming
from subnets import operations as subnets
from subnets import queries as slots


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
    """Buy the lowest free slot at the lock cost of this moment, at most max_cost_rao.

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

    registered = subnets.register_subnet(
        owner=buyer,
        name=name,
        summary=summary,
        blueprint=blueprint,
        max_cost_rao=max_cost_rao,
        key=stored,
        now=now,
    )
    return Sale.objects.create(
        kind=Sale.Kind.SLOT,
        key=stored,
        netuid=registered.netuid,
        buyer=buyer,
        price_rao=registered.cost_rao,
        fee_rao=0,
        max_cost_rao=max_cost_rao,
        sold_at=now,
    )


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

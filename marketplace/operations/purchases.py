"""Buying a free slot from the network."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from marketplace import queries
from marketplace.models import Sale
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
    Raises: NoFreeSlot, NameTaken, LockCostAboveLimit, InsufficientFunds, IdempotencyConflict,
    IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored = stored_key("slot", caller=buyer, key=key)
    slots.lock_network()
    if earlier := queries.sale_by_key(stored):
        return _replay(earlier, name=name, blueprint=blueprint)

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
        sold_at=now,
    )


def _replay(earlier: Sale, *, name: str, blueprint: str) -> Sale:
    # The sale keeps no copy of the words: an owner who renamed the subnet since is asked for a new key.
    bought = slots.subnet(earlier.netuid)
    if (bought.name, bought.blueprint) != (name, blueprint):
        raise IdempotencyConflict(key=earlier.key, field="subnet")
    return earlier

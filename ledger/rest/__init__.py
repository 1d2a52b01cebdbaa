"""How every REST edge of the house speaks: amounts, idempotency keys, scopes, limits, pages, entity tags."""

from ledger.rest.amounts import IDEMPOTENCY_KEY, RaoChangeField, RaoField, idempotency_key

__all__ = ["IDEMPOTENCY_KEY", "RaoChangeField", "RaoField", "idempotency_key"]

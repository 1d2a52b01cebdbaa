"""Stripe's objects read into this house's records: which field means what. Pure.

Shapes: the `stripe` library's own classes (PaymentIntent, Charge, BalanceTransaction, Refund, Dispute, Review).
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marketplace.clearing import Chargeback, FraudWarning, Movement, Payment, Refund
from marketplace.reconciling import Line, Transit

Fields = dict[str, Any]

METADATA_DEPOSIT = "deposit_id"
# Events about objects that hang on a payment name it so. What a type begins with decides; unknown ones are put away.
ABOUT_A_PAYMENT = ("charge.", "radar.early_fraud_warning.", "refund.", "review.")


def payment(
    intent: Fields,
    *,
    refunds: Iterable[Fields],
    disputes: Iterable[Fields],
    warnings: Iterable[Fields],
) -> Payment:
    """Read a payment intent, with its charge, the charge's balance transaction and its review expanded."""
    charge = intent.get("latest_charge") or {}
    moved = movement(charge.get("balance_transaction"))
    review = intent.get("review")
    return Payment(
        id=intent["id"],
        deposit_id=deposit_id(intent["metadata"].get(METADATA_DEPOSIT)),
        status=intent["status"],
        received_cents=intent["amount_received"],
        currency=intent["currency"],
        charge_id=charge.get("id"),
        fee_cents=moved.fee_cents if moved else None,
        fingerprint=_fingerprint(charge.get("payment_method_details")),
        is_under_review=bool(review and review["open"]),
        refunds=tuple(map(_refund, refunds)),
        chargebacks=tuple(map(_chargeback, disputes)),
        warnings=tuple(FraudWarning(fields["id"]) for fields in warnings),
    )


def movement(fields: Fields | str | None) -> Movement | None:
    """Read a balance transaction; one that is not there yet, or was not expanded, is none."""
    if not isinstance(fields, dict):
        return None
    return Movement(fields["id"], fields["amount"], fields["fee"])


def line(fields: Fields) -> Line:
    """Read a balance transaction with its source expanded."""
    source = fields["source"] if isinstance(fields["source"], dict) else {"id": fields["source"]}
    created_at = instant(fields["created"])
    assert created_at is not None
    return Line(
        id=fields["id"],
        type=fields["type"],
        source=source["id"] or "",
        amount_cents=fields["amount"],
        fee_cents=fields["fee"],
        created_at=created_at,
        payment_id=source.get("payment_intent") or "",
    )


def transit(fields: Fields) -> Transit:
    """Read a payout or a top-up."""
    return Transit(
        id=fields["id"],
        amount_cents=fields["amount"],
        status=fields["status"],
        is_payout=fields["object"] == "payout",
        came_back=bool(fields.get("failure_balance_transaction")),
    )


def payment_named(event_type: str, payload: Fields) -> str | None:
    """Return the payment that an event is about; None where it is about none."""
    if event_type.startswith("payment_intent."):
        return str(payload["id"])
    if not event_type.startswith(ABOUT_A_PAYMENT):
        return None
    named = payload.get("payment_intent")
    return named["id"] if isinstance(named, dict) else named


def failure_reason(payload: Fields) -> str:
    """Return why a card did not pay, in Stripe's words: its decline code where the bank gave one."""
    error = payload.get("last_payment_error") or {}
    return str(error.get("decline_code") or error.get("code") or "unknown")


def deposit_id(word: str | None) -> UUID | None:
    """Read an id of this house; other products on the same Stripe account carry other words."""
    try:
        return UUID(word) if word else None
    except ValueError:
        return None


def instant(seconds: int | None) -> datetime | None:
    """Read a Unix time."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _refund(fields: Fields) -> Refund:
    return Refund(
        id=fields["id"],
        status=fields["status"] or "pending",
        amount_cents=fields["amount"],
        movement=movement(fields.get("balance_transaction")),
        returned=movement(fields.get("failure_balance_transaction")),
    )


def _chargeback(fields: Fields) -> Chargeback:
    moved = (movement(each) for each in fields["balance_transactions"])
    return Chargeback(
        id=fields["id"],
        status=fields["status"],
        amount_cents=fields["amount"],
        reason=fields["reason"],
        due_at=instant(fields["evidence_details"].get("due_by")),
        movements=tuple(each for each in moved if each),
    )


def _fingerprint(details: Fields | None) -> str:
    card = (details or {}).get("card") or {}
    return str(card.get("fingerprint") or "")

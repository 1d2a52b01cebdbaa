"""Stripe's objects read into this house's records: which field means what. Pure.

Shapes: the `stripe` library's own classes (PaymentIntent, Charge, BalanceTransaction, Refund, Dispute, Review).
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marketplace.bankpayouts import BankPayout
from marketplace.cardpayment import Chargeback, FraudWarning, Movement, Payment, Refund
from marketplace.reconciling import Line, Transit
from marketplace.withdrawing import Reversal, Transfer

Fields = dict[str, Any]

METADATA_DEPOSIT = "deposit_id"
METADATA_WITHDRAWAL = "withdrawal_id"
METADATA_REFUND = "asked_as"
FAULT_LENGTH_MAX = 60  # of a code; Stripe's are half as long
# Where a stored event keeps whose it is, if not the house's.
ACCOUNT = "connected_account"
ABOUT_AN_ACCOUNT = ("account.", "capability.", "v2.core.account")
# After one of these dollars may go to another bank than before.
NEW_BANK = ("account.external_account.", "v2.core.account[configuration.recipient].updated")
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
        warnings=tuple(FraudWarning(fields["id"], fields["actionable"]) for fields in warnings),
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
        transfer_id=_transfer_of(source),
    )


def transfer(fields: Fields, *, reversals: Iterable[Fields]) -> Transfer:
    """Read a transfer to a connected account."""
    return Transfer(
        id=fields["id"],
        withdrawal_id=_own_id((fields.get("metadata") or {}).get(METADATA_WITHDRAWAL)),
        destination=fields["destination"],
        amount_cents=fields["amount"],
        currency=fields["currency"],
        reversals=tuple(Reversal(back["id"], back["amount"]) for back in reversals),
    )


def transfer_in(fields: Fields) -> str:
    """Return the transfer that a balance transaction of a connected account came of; "" where it came of none."""
    source = fields["source"] if isinstance(fields["source"], dict) else {}
    return str(source.get("source_transfer") or "")


def payout_that_failed(fields: Fields) -> str:
    """Return the payout that a balance transaction brought back from a bank; "" where it is another one."""
    if fields["type"] not in {"payout_failure", "payout_cancel"}:
        return ""
    return str(fields["source"]["id"] if isinstance(fields["source"], dict) else fields["source"])


def bank_payout(fields: Fields, *, transfer_ids: Iterable[str]) -> BankPayout:
    """Read a payout of a connected account."""
    made_at = instant(fields["created"])
    assert made_at is not None
    fault = str(fields.get("failure_code") or "")[:FAULT_LENGTH_MAX]
    return BankPayout(fields["id"], made_at, fields["status"], fault, tuple(transfer_ids))


def is_account_stopped(fields: Fields) -> bool:
    """Say whether Stripe pays nothing out of a connected account; one that says nothing of it pays out."""
    recipient = (fields.get("configuration") or {}).get("recipient") or {}
    balance = (recipient.get("capabilities") or {}).get("stripe_balance") or {}
    return (balance.get("payouts") or {}).get("status") in {"restricted", "unsupported"}


def account_state(fields: Fields) -> str:
    """Say in a word whether a connected account takes transfers: active, pending or restricted."""
    recipient = (fields.get("configuration") or {}).get("recipient") or {}
    balance = (recipient.get("capabilities") or {}).get("stripe_balance") or {}
    capability = balance.get("stripe_transfers") or {}
    if fields.get("closed"):
        return "restricted"
    ways_on = {detail["resolution"] for detail in capability.get("status_details") or ()}
    match capability.get("status", "pending"):
        case "active" | "pending" as state:
            return str(state)
        case "restricted" if "provide_info" in ways_on:
            return "pending"
        case _:
            return "restricted"


def account_named(event_type: str, payload: Fields) -> str:
    """Return the connected account that an event is about; "" where it is about none."""
    if not event_type.startswith(ABOUT_AN_ACCOUNT):
        return ""
    named = [payload.get(ACCOUNT), payload.get("account"), payload["id"]]
    return next((word for word in named if str(word or "").startswith("acct_")), "")


def tells_of_new_bank(event_type: str) -> bool:
    """Say whether dollars may go to another bank after an event."""
    return event_type.startswith(NEW_BANK)


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
    """Read a deposit's id."""
    return _own_id(word)


def _own_id(word: str | None) -> UUID | None:
    """Read an id of this house; other products on the same Stripe account carry other words."""
    try:
        return UUID(word) if word else None
    except ValueError:
        return None


def instant(seconds: int | None) -> datetime | None:
    """Read a Unix time."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _transfer_of(source: Fields) -> str:
    """Return the transfer that a source is, or is a reversal of."""
    id_ = str(source["id"] or "")
    return id_ if id_.startswith("tr_") else str(source.get("transfer") or "")


def _refund(fields: Fields) -> Refund:
    return Refund(
        id=fields["id"],
        status=fields["status"] or "pending",
        amount_cents=fields["amount"],
        movement=movement(fields.get("balance_transaction")),
        returned=movement(fields.get("failure_balance_transaction")),
        asked_as=(fields.get("metadata") or {}).get(METADATA_REFUND) or "",
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

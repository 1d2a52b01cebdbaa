"""Cards: the one package that talks to Stripe; dollars that leave are in `payouts`. What leaves it are this house's own records, never Stripe's objects.

A deposit is paid on Stripe's hosted page; this house never sees a card. The return page proves
nothing: only a signed event does, and the object it names is fetched again before money moves.
Source of the choices: Stripe's own guidance for Checkout Sessions (no payment_method_types: which
methods are offered is set in Stripe's dashboard; fulfil on events, not on the return page).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import stripe
from django.conf import settings

from marketplace import card_shapes as shapes
from marketplace import reconciling
from marketplace.cardpayment import Payment
from marketplace.errors import (
    CardsRefused,
    CardsSwitchedOff,
    WebhookPayloadInvalid,
    WebhookSignatureInvalid,
)
from marketplace.payments.door import HANGING_MAX as HANGING_MAX
from marketplace.payments.door import NETWORK_RETRIES as NETWORK_RETRIES
from marketplace.payments.door import Inbox as Inbox
from marketplace.payments.door import can_ask as can_ask
from marketplace.payments.door import client, dicts, faults_named, listed, webhook_secrets

CURRENCY = "usd"
# Stripe takes 30 minutes to 24 hours from when *it* creates the session. The five minutes above its
# lower bound leave room for a slow call, and for a repeat of one that was lost.
CHECKOUT_LIFETIME = timedelta(minutes=35)
SIGNATURE_AGE_MAX_S = 300  # Stripe signs each delivery anew, so an older signature is a replay


@dataclass(frozen=True, slots=True)
class Checkout:
    """A hosted page that waits for one payment."""

    session_id: str
    url: str


@dataclass(frozen=True, slots=True)
class CardSession:
    """A checkout session as Stripe has it now. deposit_id is None for a session this house did not open."""

    session_id: str
    deposit_id: UUID | None
    status: str  # open, complete, expired
    payment_status: str  # paid, unpaid, no_payment_required
    amount_cents: int
    currency: str
    payment_id: str | None  # known once somebody pays

    @property
    def is_paid(self) -> bool:
        """Say whether the money has arrived; a complete session may still be unpaid (slow methods)."""
        return self.payment_status == "paid"


@dataclass(frozen=True, slots=True)
class CardEvent:
    """A verified webhook event. data is the object it is about, as it was when the event was made.

    account_id: whose it is, of an account connected to the house; "" of the house itself.
    """

    id: str
    type: str
    object_id: str
    data: dict[str, Any]
    account_id: str = ""


def is_switched_on() -> bool:
    """Say whether people can pay by card. Switched off, what Stripe tells of payments made before is still heard."""
    return settings.CARDS_ON and can_ask()


def create_checkout(
    *,
    deposit_id: UUID,
    amount_cents: int,
    email: str,
    success_url: str,
    cancel_url: str,
    created_at: datetime,
) -> Checkout:
    """Open a hosted page for a deposit. A repeat for the same deposit returns the same page.

    created_at: the deposit's own instant, not the clock, so that a repeat is the same request.
    success_url: may contain {CHECKOUT_SESSION_ID}, which Stripe fills in.
    Raises: CardsSwitchedOff, CardsUnavailable, CardsRefused.
    """
    if not is_switched_on():
        raise CardsSwitchedOff
    v1 = client().v1
    metadata = {shapes.METADATA_DEPOSIT: str(deposit_id)}
    with faults_named():
        session = v1.checkout.sessions.create(
            params={
                "mode": "payment",
                "client_reference_id": str(deposit_id),
                "customer_email": email,
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": CURRENCY,
                            "unit_amount": amount_cents,
                            "product_data": {"name": "Wallet top-up"},
                        },
                    }
                ],
                "metadata": metadata,
                "payment_intent_data": {"metadata": metadata},
                "payment_method_options": {
                    "card": {"request_three_d_secure": _three_ds(amount_cents)}
                },
                "success_url": success_url,
                "cancel_url": cancel_url,
                "expires_at": int((created_at + CHECKOUT_LIFETIME).timestamp()),
            },
            options={"idempotency_key": str(deposit_id)},
        )
    if session.url is None:  # a page that was paid or expired since has no address any more
        raise CardsRefused(reason=f"the session is {session.status}")
    return Checkout(session_id=session.id, url=session.url)


def _three_ds(amount_cents: int) -> Literal["any", "automatic"]:
    """Say when the bank is to ask its customer: always for much, else as Stripe and the law think fit."""
    return "any" if amount_cents >= settings.CARD_3DS_CENTS else "automatic"


def retrieve_session(session_id: str) -> CardSession:
    """Fetch a checkout session.

    Raises: CardsSwitchedOff, CardsUnavailable, CardsRefused (also where there is no such session).
    """
    v1 = client().v1
    with faults_named():
        fields = v1.checkout.sessions.retrieve(session_id).to_dict()
    return CardSession(
        session_id=fields["id"],
        deposit_id=shapes.deposit_id(fields.get("client_reference_id")),
        status=fields["status"],
        payment_status=fields["payment_status"],
        amount_cents=fields["amount_total"],
        currency=fields["currency"],
        payment_id=fields.get("payment_intent"),
    )


def retrieve_payment(payment_id: str) -> Payment:
    """Fetch a payment intent with all that hangs on it: charge, fee, refunds, disputes, warnings, review.

    Raises: CardsSwitchedOff, CardsUnavailable, CardsRefused (also where there is no such payment).
    """
    v1 = client().v1
    of_it: Any = {"payment_intent": payment_id, "limit": HANGING_MAX}
    movements = ["data.balance_transaction", "data.failure_balance_transaction"]
    with faults_named():
        intent = v1.payment_intents.retrieve(
            payment_id, params={"expand": ["latest_charge.balance_transaction", "review"]}
        ).to_dict()
        if not intent.get("latest_charge"):  # nobody paid, so there is nothing to hang on it
            return shapes.payment(intent, refunds=[], disputes=[], warnings=[])
        return shapes.payment(
            intent,
            refunds=dicts(v1.refunds.list(params=of_it | {"expand": movements})),
            disputes=dicts(v1.disputes.list(params=of_it)),
            warnings=dicts(v1.radar.early_fraud_warnings.list(params=of_it)),
        )


def refund(payment_id: str, *, key: str, amount_cents: int | None = None) -> None:
    """Give back so much of a payment, or all that was not given back. A repeat under the same key refunds nothing more.

    Stripe forgets keys after a day or more, so the refund has its key with it, and a look finds it by that.
    Raises: CardsSwitchedOff, CardsUnavailable, CardsRefused (also where it is disputed, or all of it was refunded).
    """
    v1 = client().v1
    params: Any = {"payment_intent": payment_id, "metadata": {shapes.METADATA_REFUND: key}}
    if amount_cents is not None:
        params["amount"] = amount_cents
    with faults_named():
        v1.refunds.create(params=params, options={"idempotency_key": key})


def read_event(payload: bytes, *, signature: str, inbox: Inbox = Inbox.HOUSE) -> CardEvent:
    """Verify and read a webhook's body. During a rotation either of two secrets is good.

    An event of a connected account is believed by the secret of that inbox alone, and of the house by the house's.

    signature: the Stripe-Signature header, "" where there is none.
    Raises: WebhookSignatureInvalid, WebhookPayloadInvalid (signed, but not an event about an object).
    """
    _check_signature(payload, signature, webhook_secrets(inbox))
    try:
        event = _event(json.loads(payload))
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise WebhookPayloadInvalid(reason=type(fault).__name__) from fault
    if not all(isinstance(word, str) and word for word in (event.id, event.type, event.object_id)):
        raise WebhookPayloadInvalid(reason="an id or the type is not a word")
    if bool(event.account_id) != (inbox is Inbox.CONNECTED) and not event.type.startswith("v2."):
        whose = "a connected account" if event.account_id else "the house"
        raise WebhookPayloadInvalid(reason=f"it is of {whose}, and has an address of its own")
    return event


def events_since(since: datetime) -> Iterator[CardEvent]:
    """List what Stripe told since an instant, the newest first, whether it was delivered or not; it keeps 30 days.

    Raises: CardsSwitchedOff, CardsUnavailable, CardsRefused.
    """
    for body in listed(client().v1.events, {"created": {"gte": int(since.timestamp())}}):
        # What is about no object with an id, as balance.available is, asks for nothing here.
        if body["data"]["object"].get("id"):
            yield _event(body)


def lines_since(since: datetime) -> list[reconciling.Line]:
    """List the balance transactions since an instant. Raises: as `events_since`."""
    return _lines({"created": {"gte": int(since.timestamp())}, "currency": CURRENCY})


def lines_of_payout(payout_id: str) -> list[reconciling.Line]:
    """List the balance transactions that an automatic payout took, and its own. Raises: as `events_since`."""
    return _lines({"payout": payout_id})


def retrieve_transit(object_id: str) -> reconciling.Transit:
    """Fetch a payout or a top-up of the house. Raises: as `retrieve_payment`."""
    v1 = client().v1
    is_payout = object_id.startswith("po_")
    with faults_named():
        service: Any = v1.payouts if is_payout else v1.topups
        fields = service.retrieve(object_id).to_dict()
    return shapes.transit(fields)


def _lines(asked: dict[str, Any]) -> list[reconciling.Line]:
    found = listed(client().v1.balance_transactions, asked | {"expand": ["data.source"]})
    return [shapes.line(fields) for fields in found]


def _event(body: dict[str, Any]) -> CardEvent:
    """Read an event. Those of Stripe's second API are thin: they name what they are about, and nothing of it."""
    if body.get("object") == "v2.core.event":
        data = {"id": body["related_object"]["id"], "object": body["related_object"]["type"]}
    else:
        data = body["data"]["object"]
    return CardEvent(
        id=body["id"],
        type=body["type"],
        object_id=data["id"],
        data=data,
        account_id=body.get("account") or "",
    )


def _check_signature(payload: bytes, signature: str, secrets: list[str]) -> None:
    """Pass when any of some secrets made the signature."""
    if not secrets:
        raise WebhookSignatureInvalid(reason="no webhook secret is set")
    if not signature.isascii():  # the library would compare it all the same, and fall over
        raise WebhookSignatureInvalid(reason="the header is not ASCII")
    reason = ""
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(payload, signature, secret, SIGNATURE_AGE_MAX_S)
        except stripe.SignatureVerificationError as fault:
            # An old signature names its secret rightly; that reason says more than the other secret's mismatch.
            told = "too old" if "Timestamp outside" in str(fault) else "no match"
            reason = "too old" if "too old" in (reason, told) else told
        except UnicodeDecodeError:
            raise WebhookSignatureInvalid(reason="the body is not UTF-8") from None
        else:
            return
    raise WebhookSignatureInvalid(reason=reason)

"""Stripe's far end, small and stateful, over real HTTP: what marketplace.payments talks to in the tests.

Checkout sessions and payment intents live in memory; what money does after a payment is in tests.stripe_money.
A bearer key is asked for, idempotency keys are
honoured, bad parameters are refused with Stripe's error shapes, the hosted page takes a payment, and
events are signed and posted to a webhook address: at once, or by hand late, twice or out of order.
Shapes: Stripe's API reference for checkout.session, payment_intent, event and error objects.

Run alone: python -m tests.stripe_server --port 8420 --webhook-url http://127.0.0.1:8000/webhooks/stripe/
"""

import argparse
import json
import threading
import time
import urllib.error
import urllib.request
from copy import deepcopy
from typing import Any

import stripe

from tests.stripe_connect import Connect
from tests.stripe_door import Doorway
from tests.stripe_money import Money
from tests.stripe_parameters import (
    MAX_LIFE_S,
    MIN_LIFE_S,
    Fields,
    Refusal,
    checked_amount,
    found,
    identifier,
    nested,
    public,
)


class StripeServer(Connect, Money):
    """The far end's state, and its hand controls. Use as a context manager to serve over HTTP.

    with StripeServer(webhook_url=…) as far_end: settings.STRIPE_API_BASE = far_end.url
    """

    def __init__(
        self,
        *,
        secret_key: str = "sk_test_far_end",
        webhook_secret: str = "whsec_far_end",
        webhook_url: str = "",
        connect_secret: str = "whsec_of_connected",
        connect_url: str = "",
        port: int = 0,
    ) -> None:
        self.secret_key = secret_key
        self.webhook_secret = webhook_secret
        self.webhook_url = webhook_url  # "" keeps every event until it is delivered by hand
        self.connect_secret = connect_secret  # what happens to connected accounts goes elsewhere
        self.connect_url = connect_url
        super().__init__()
        self.sessions: dict[str, Fields] = {}
        self.events: list[Fields] = []  # every event ever made, oldest first
        self.deliveries: list[tuple[str, int]] = []  # (event id, status answered; 0 for no answer)
        self.requests: list[tuple[str, str, Fields]] = []  # (method, path, parameters) of the API
        self.faults_left = 0  # so many API calls answer 503 before the next good one
        self.clock = (
            time.time
        )  # a test may put its own here; signatures keep the machine's, as their reader does
        self._outbox: list[Fields] = []
        self._answers: dict[
            str, tuple[tuple[str, Fields], Fields | Refusal]
        ] = {}  # by idempotency key
        self._lock = threading.RLock()
        self._http = Doorway(self, port)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "StripeServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    # What the API does ---------------------------------------------------------------------------

    def answer(self, method: str, path: str, form: str, headers: Any) -> tuple[Fields, bool]:
        """Answer an API call. Returns the object and whether it is a replay. Raises Refusal."""
        with self._lock:
            is_json = headers.get("Content-Type") == "application/json"
            params = json.loads(form) if is_json and form else nested(form)
            self.requests.append((method, path, params))
            if self.faults_left:
                self.faults_left -= 1
                raise Refusal(503, "Service unavailable.", type="api_error")
            if headers.get("Authorization") != f"Bearer {self.secret_key}":
                raise Refusal(401, "Invalid API Key provided.")
            key = headers.get("Idempotency-Key") if method == "POST" else None
            if key in self._answers:
                return self._again(key, (path, params)), True
            self.asked_for = headers.get("Stripe-Account") or ""
            try:
                made = deepcopy(self._route(method, path, deepcopy(params)))
            except Refusal as refusal:
                # Stripe keeps an answer once work has begun: a refusal of the parameters is none.
                if key and refusal.is_kept:
                    self._answers[key] = ((path, params), refusal)
                raise
            if key:
                self._answers[key] = ((path, params), made)
            return made, False

    def _again(self, key: str, asking: tuple[str, Fields]) -> Fields:
        """Answer what was asked before under the same key."""
        asked, stored = self._answers[key]
        if asked != asking:
            raise Refusal(
                400,
                "Keys for idempotent requests can only be used with the same parameters "
                "they were first used with.",
                type="idempotency_error",
            )
        if isinstance(stored, Refusal):
            raise stored
        return stored

    def _route(self, method: str, path: str, params: Fields) -> Fields:
        match method, path.strip("/").split("/")[1:]:
            case "POST", ["checkout", "sessions"]:
                return self._create_session(params)
            case "GET", ["checkout", "sessions", id_]:
                return found(self.sessions, id_, "checkout.session")
            case "POST", ["checkout", "sessions", id_, "expire"]:
                return self._expire(id_)
            case _ if self.is_of_connect(path):
                return self.route_connect(method, path, params)
            case _:
                return self.route_money(method, path, params)

    def _create_session(self, params: Fields) -> Fields:
        cents = checked_amount(params)
        now = int(self.clock())
        expires_at = int(params.get("expires_at", now + MAX_LIFE_S))
        if not MIN_LIFE_S <= expires_at - now <= MAX_LIFE_S:
            raise Refusal(
                400,
                "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout "
                "Session creation.",
                param="expires_at",
            )
        id_ = identifier("cs_test")
        self.sessions[id_] = {
            "id": id_,
            "object": "checkout.session",
            "amount_subtotal": cents,
            "amount_total": cents,
            "cancel_url": params.get("cancel_url"),
            "client_reference_id": params.get("client_reference_id"),
            "created": now,
            "currency": params["line_items"]["0"]["price_data"]["currency"],
            "customer": None,
            "customer_details": None,
            "customer_email": params.get("customer_email"),
            "expires_at": expires_at,
            "livemode": False,
            "metadata": params.get("metadata", {}),
            "mode": params["mode"],
            "payment_intent": None,  # made when somebody pays
            "payment_method_types": ["card"],
            "payment_status": "unpaid",
            "status": "open",
            "success_url": params["success_url"],
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": "hosted",
            "url": f"{self.url}/pay/{id_}",
            "_intent_metadata": params.get("payment_intent_data", {}).get("metadata", {}),
        }
        return self.sessions[id_]

    # What people and time do ---------------------------------------------------------------------

    def pay(self, session_id: str, *, arrives: bool = True, card: str = "a card") -> Fields:
        """Pay the page by a card of that fingerprint. With arrives=False by a slow method: complete, but unpaid until `settle`."""
        with self._lock:
            session = found(self.sessions, session_id, "checkout.session")
            if session["status"] != "open":
                raise Refusal(400, f"This Checkout Session is {session['status']}.")
            session["_card"] = card
            intent = self._create_intent(session)
            session |= {
                "status": "complete",
                "url": None,
                "payment_intent": intent["id"],
                "customer_details": {"email": session["customer_email"], "tax_exempt": "none"},
            }
            if arrives:
                self._receive(session, intent)
            self.note("checkout.session.completed", session)
        self.deliver_waiting()
        return session

    def settle(self, session_id: str) -> Fields:
        """Let the money of a slow method arrive."""
        with self._lock:
            session = self.sessions[session_id]
            assert (session["status"], session["payment_status"]) == ("complete", "unpaid")
            self._receive(session, self.intents[session["payment_intent"]])
            self.note("checkout.session.async_payment_succeeded", session)
        self.deliver_waiting()
        return session

    def expire(self, session_id: str) -> Fields:
        """End an unpaid page, as its time does."""
        session = self._expire(session_id)
        self.deliver_waiting()
        return session

    def _expire(self, session_id: str) -> Fields:
        with self._lock:
            session = found(self.sessions, session_id, "checkout.session")
            if session["status"] != "open":
                raise Refusal(400, "Only Checkout Sessions with a status of `open` can be expired.")
            session |= {"status": "expired", "url": None}
            self.note("checkout.session.expired", session)
        return session

    def _create_intent(self, session: Fields) -> Fields:
        """Make the intent of a page, or take up the one whose card failed before."""
        id_ = session.setdefault("_intent", identifier("pi"))
        self.intents[id_] = {
            "id": id_,
            "object": "payment_intent",
            "amount": session["amount_total"],
            "amount_received": 0,
            "capture_method": "automatic_async",
            "confirmation_method": "automatic",
            "created": int(self.clock()),
            "currency": session["currency"],
            "customer": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": session["_intent_metadata"],
            "payment_method": identifier("pm"),
            "payment_method_types": ["card"],
            "review": None,
            "last_payment_error": None,
            "status": "processing",
        }
        self.add_charge(self.intents[id_], card=session["_card"])
        return self.intents[id_]

    def _receive(self, session: Fields, intent: Fields) -> None:
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        self.charges[intent["latest_charge"]] |= {"paid": True, "status": "succeeded"}
        session["payment_status"] = "paid"
        self.note("payment_intent.succeeded", intent)

    # Events --------------------------------------------------------------------------------------

    def emit(self, type_: str, about: Fields) -> Fields:
        """Make an event of any type, and deliver it where an address is set."""
        event = self.note(type_, about)
        self.deliver_waiting()
        return event

    def note(self, type_: str, about: Fields, *, account: str = "") -> Fields:
        """Make an event about an object as it is now. It waits: the receiver may ask back, so no lock is held then."""
        whose = {"account": account} if account else {}
        event = {
            **whose,
            "id": identifier("evt"),
            "object": "event",
            "api_version": stripe.api_version,
            "created": int(self.clock()),
            "data": {"object": public(deepcopy(about))},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": type_,
        }
        self.events.append(event)
        self._outbox.append(event)
        return event

    def has_waiting(self) -> bool:
        """Say whether an event was not delivered yet."""
        return bool(self._outbox)

    def deliver_waiting(self) -> list[int]:
        """Deliver what was not delivered yet, oldest first; without an address it goes on waiting."""
        if not self.webhook_url:
            return []
        waiting, self._outbox = self._outbox, []
        return self.deliver(*waiting)

    def deliver(self, *events: Fields, secret: str = "", age_s: int = 0) -> list[int]:
        """Post events in the order given (again, late, reversed: as the caller likes). Returns the statuses."""
        statuses = []
        for event in events:
            payload, signature = self.signed(event, secret=secret, age_s=age_s)
            request = urllib.request.Request(
                self.connect_url if event.get("account") else self.webhook_url,
                data=payload,
                headers={"Content-Type": "application/json", "Stripe-Signature": signature},
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    status = response.status
            except urllib.error.HTTPError as refused:
                status = refused.code
                refused.close()
            except OSError:
                status = 0
            self.deliveries.append((event["id"], status))
            statuses.append(status)
        return statuses

    def signed(self, event: Fields, *, secret: str = "", age_s: int = 0) -> tuple[bytes, str]:
        """Return an event's body and its Stripe-Signature header, for a view called without HTTP."""
        payload = json.dumps(event, indent=2)
        usual = self.connect_secret if "account" in event else self.webhook_secret
        header = stripe.WebhookSignature.generate_signature_header(
            payload, secret or usual, int(time.time()) - age_s
        )
        return payload.encode(), header


def main() -> None:
    arguments = argparse.ArgumentParser(description="A stand-in for Stripe on this machine.")
    arguments.add_argument("--port", type=int, default=8420)
    arguments.add_argument("--secret-key", default="sk_test_far_end")
    arguments.add_argument("--webhook-secret", default="whsec_far_end")
    arguments.add_argument("--webhook-url", default="")
    arguments.add_argument("--connect-secret", default="whsec_of_connected")
    arguments.add_argument("--connect-url", default="")
    with StripeServer(**vars(arguments.parse_args())) as far_end:
        print(f"STRIPE_API_BASE={far_end.url}", flush=True)  # noqa: T201  a program's own line
        threading.Event().wait()


if __name__ == "__main__":
    main()

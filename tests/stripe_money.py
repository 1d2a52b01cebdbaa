"""What money does at Stripe after a payment: charges, fees, refunds, disputes, warnings, reviews, payouts, top-ups.

Every change of the balance is a balance transaction, as at Stripe; a payout takes those that no payout took before.
Objects name each other by id and are expanded where a request asks for it. A part of tests.stripe_server.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from tests.stripe_parameters import Fields, Refusal, found, identifier

FEE_BPS, FEE_CENTS, DISPUTE_FEE_CENTS = 290, 30, 1_500
LISTED = {
    "refunds": "refunds", "disputes": "disputes", "radar/early_fraud_warnings": "warnings",
    "balance_transactions": "movements", "payouts": "payouts", "topups": "topups", "charges": "charges",
}  # fmt: skip


class Money:
    """The part of the far end that knows money. The server adds sessions, events and the lock."""

    clock: Callable[[], float]
    note: Callable[[str, Fields], Fields]
    deliver_waiting: Callable[[], list[int]]
    events: list[Fields]

    def __init__(self) -> None:
        self.intents: dict[str, Fields] = {}
        self.charges: dict[str, Fields] = {}
        self.movements: dict[str, Fields] = {}
        self.refunds: dict[str, Fields] = {}
        self.disputes: dict[str, Fields] = {}
        self.warnings: dict[str, Fields] = {}
        self.reviews: dict[str, Fields] = {}
        self.payouts: dict[str, Fields] = {}
        self.topups: dict[str, Fields] = {}

    # The API ---------------------------------------------------------------------------------------

    def route_money(self, method: str, path: str, params: Fields) -> Fields:
        """Answer a call about money. Raises: Refusal."""
        kind, _, id_ = path.strip("/").removeprefix("v1/").rpartition("/")
        wanted = list(params.pop("expand", {}).values())
        if (method, f"{kind}/{id_}") == ("POST", "/refunds"):
            made = self._create_refund(
                found(self.intents, params["payment_intent"], "payment_intent"), params
            )
        elif (method, kind) == ("GET", "payment_intents"):
            made = found(self.intents, id_, "payment_intent")
        elif method == "GET" and kind in LISTED:
            made = found(getattr(self, LISTED[kind]), id_, kind)
        elif method == "GET" and f"{kind}/{id_}".strip("/") in LISTED:
            table = getattr(self, LISTED[f"{kind}/{id_}".strip("/")])
            made = self._listed(list(table.values()), params, path)
        elif (method, id_) == ("GET", "events"):
            made = self._listed(self.events, params, path)
        else:
            raise Refusal(404, f"Unrecognized request URL ({method}: {path}).")
        made = deepcopy(made)
        for way in wanted:
            self._expand(made, way.split("."))
        return made

    def _listed(self, rows: list[Fields], params: Fields, path: str) -> Fields:
        """List rows, the newest first, as far as every filter goes."""
        limit = int(params.pop("limit", 10))
        after = params.pop("starting_after", None)
        since = int((params.pop("created", None) or {}).get("gte", 0))
        types = set((params.pop("types", None) or {}).values())
        params.pop("delivery_success", None)
        params = {
            ("_payout" if name == "payout" else name): value for name, value in params.items()
        }
        rows = [
            row
            for row in reversed(rows)
            if row["created"] >= since
            and all(row.get(name) == value for name, value in params.items())
            and (not types or row["type"] in types)
        ]
        if after:
            rows = rows[[row["id"] for row in rows].index(after) + 1 :]
        page = [{n: v for n, v in row.items() if not n.startswith("_")} for row in rows[:limit]]
        return {"object": "list", "url": path, "has_more": len(rows) > limit, "data": page}

    def _expand(self, made: Any, way: list[str]) -> None:
        if isinstance(made, list):
            for each in made:
                self._expand(each, way)
        elif way and isinstance(made, dict):
            name, *rest = way
            if isinstance(made.get(name), str):
                tables = {
                    "ch": self.charges, "txn": self.movements, "prv": self.reviews, "re": self.refunds,
                    "du": self.disputes, "po": self.payouts, "tu": self.topups, "tr": self.transfers, "trr": self.reversals,
                }  # fmt: skip
                made[name] = deepcopy(tables[made[name].split("_")[0]][made[name]])
            self._expand(made.get(name), rest)

    # What people, banks and time do -----------------------------------------------------------------

    def add_charge(self, intent: Fields, *, card: str) -> Fields:
        """Charge a card for an intent; its balance transaction comes later, as with automatic_async capture."""
        charge = self._made(
            self.charges, "ch", "charge", amount=intent["amount"], amount_refunded=0, balance_transaction=None,
            currency=intent["currency"], disputed=False, paid=False, payment_intent=intent["id"],
            payment_method_details={"type": "card", "card": {"brand": "visa", "fingerprint": card}},
            refunded=False, status="pending",
        )  # fmt: skip
        intent["latest_charge"] = charge["id"]
        return charge

    def book(self, intent_id: str) -> Fields:
        """Book a charge on the balance, less the fee."""
        charge = self.charge_of(intent_id)
        fee = charge["amount"] * FEE_BPS // 10_000 + FEE_CENTS
        moved = self._move("charge", charge["amount"], source=charge["id"], fee=fee)
        charge["balance_transaction"] = moved["id"]
        return self._tell("charge.updated", charge)

    def decline(self, session_id: str, *, code: str = "card_declined") -> Fields:
        """Let a card fail on the page, which stays open for another one."""
        session: Fields = self.sessions[session_id]  # type: ignore[attr-defined]  # the server's
        session["_card"] = "a card"
        intent: Fields = self._create_intent(session)  # type: ignore[attr-defined]
        self.charges[intent["latest_charge"]]["status"] = "failed"
        error = {"code": code, "decline_code": None, "type": "card_error"}
        intent |= {"status": "requires_payment_method", "last_payment_error": error}
        return self._tell("payment_intent.payment_failed", intent)

    def refund(self, intent_id: str, cents: int | None = None) -> Fields:
        """Refund a payment from the dashboard."""
        params = {} if cents is None else {"amount": str(cents)}
        refund = self._create_refund(self.intents[intent_id], params)
        self.deliver_waiting()
        return refund

    def _create_refund(self, intent: Fields, params: Fields) -> Fields:
        charge = self.charges[intent["latest_charge"]]
        cents = int(params.get("amount", charge["amount"] - charge["amount_refunded"]))
        if charge["disputed"]:
            raise Refusal(400, "Charge has been charged back.", code="charge_disputed")
        if not 0 < cents <= charge["amount"] - charge["amount_refunded"]:
            raise Refusal(400, "Charge has already been refunded.", code="charge_already_refunded")
        charge["amount_refunded"] += cents
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        refund = self._made(
            self.refunds, "re", "refund", amount=cents, charge=charge["id"], currency=charge["currency"],
            failure_balance_transaction=None, payment_intent=intent["id"], reason=None, status="succeeded",
            metadata=params.get("metadata", {}),
        )  # fmt: skip
        refund["balance_transaction"] = self._move("refund", -cents, source=refund["id"])["id"]
        self.note("refund.created", refund)
        self.note("charge.refunded", charge)
        return refund

    def fail_refund(self, refund_id: str) -> Fields:
        """Let a card's bank send a refund back."""
        refund = self.refunds[refund_id]
        self.charges[refund["charge"]]["amount_refunded"] -= refund["amount"]
        back = self._move("refund_failure", refund["amount"], source=refund_id)
        refund |= {"status": "failed", "failure_balance_transaction": back["id"]}
        return self._tell("refund.failed", refund)

    def warn(self, intent_id: str) -> Fields:
        """Let a card's bank say that a payment was fraud."""
        warning = self._made(
            self.warnings, "issfr", "radar.early_fraud_warning", actionable=True,
            charge=self.intents[intent_id]["latest_charge"], fraud_type="unauthorized_use_of_card",
            payment_intent=intent_id,
        )  # fmt: skip
        return self._tell("radar.early_fraud_warning.created", warning)

    def review(self, intent_id: str, *, is_open: bool = True) -> Fields:
        """Open a review of a payment, or close it."""
        intent = self.intents[intent_id]
        if is_open:
            fields = {"payment_intent": intent_id, "open": True, "reason": "rule"}
            intent["review"] = self._made(self.reviews, "prv", "review", **fields)["id"]
        review = self.reviews[intent["review"]] | {"open": is_open}
        self.reviews[review["id"]] = review
        return self._tell(f"review.{'opened' if is_open else 'closed'}", review)

    def dispute(
        self, intent_id: str, cents: int | None = None, *, status: str = "needs_response"
    ) -> Fields:
        """Let a cardholder dispute a payment; no money moves yet."""
        charge = self.charge_of(intent_id)
        charge["disputed"] = not status.startswith("warning_")
        dispute = self._made(
            self.disputes, "du", "dispute", amount=cents or charge["amount"], balance_transactions=[],
            charge=charge["id"], currency=charge["currency"], is_charge_refundable=False, reason="fraudulent",
            evidence_details={"due_by": int(self.clock()) + 7 * 86_400, "has_evidence": False},
            payment_intent=intent_id, status=status,
        )  # fmt: skip
        return self._tell("charge.dispute.created", dispute)

    def withdraw(self, dispute_id: str) -> Fields:
        """Take a disputed payment from the balance, with the fee."""
        dispute = self.disputes[dispute_id]
        moved = self._move(
            "adjustment", -dispute["amount"], source=dispute_id, fee=DISPUTE_FEE_CENTS
        )
        dispute["balance_transactions"].append(moved)
        return self._tell("charge.dispute.funds_withdrawn", dispute)

    def close(self, dispute_id: str, outcome: str) -> Fields:
        """End a dispute: won, which brings back what was withdrawn, lost, or warning_closed."""
        dispute = self.disputes[dispute_id]
        if outcome == "won" and dispute["balance_transactions"]:
            back = self._move("adjustment", dispute["amount"], source=dispute_id)
            dispute["balance_transactions"].append(back)
            self.note("charge.dispute.funds_reinstated", dispute)
        dispute["status"] = outcome
        return self._tell("charge.dispute.closed", dispute)

    def pay_out(self) -> Fields:
        """Send all that no payout took before to the house's bank, as Stripe does every day."""
        taken = [row for row in self.movements.values() if row["_payout"] is None]
        fields = {"automatic": True, "failure_balance_transaction": None, "status": "in_transit"}
        payout = self._made(
            self.payouts, "po", "payout", amount=sum(row["net"] for row in taken), currency="usd", **fields
        )  # fmt: skip
        moved = self._move("payout", -payout["amount"], source=payout["id"])
        payout["balance_transaction"] = moved["id"]
        for row in (*taken, moved):
            row["_payout"] = payout["id"]
        return self._tell("payout.created", payout)

    def arrive(self, payout_id: str) -> Fields:
        """Let a payout reach the bank."""
        return self._tell("payout.paid", self.payouts[payout_id] | {"status": "paid"}, self.payouts)

    def fail_payout(self, payout_id: str) -> Fields:
        """Let the bank send a payout back, before or after it was said to be paid."""
        payout = self.payouts[payout_id]
        back = self._move("payout_failure", payout["amount"], source=payout_id)
        failed = payout | {"status": "failed", "failure_balance_transaction": back["id"]}
        return self._tell("payout.failed", failed, self.payouts)

    def top_up(self, cents: int) -> Fields:
        """Pay into the balance from the house's bank."""
        topup = self._made(
            self.topups, "tu", "topup", amount=cents, currency="usd", status="succeeded"
        )
        topup["balance_transaction"] = self._move("topup", cents, source=topup["id"])["id"]
        return self._tell("topup.succeeded", topup)

    def reverse_topup(self, topup_id: str) -> Fields:
        """Let the bank take a top-up back."""
        self._move("topup_reversal", -self.topups[topup_id]["amount"], source=topup_id)
        reversed_ = self.topups[topup_id] | {"status": "reversed"}
        return self._tell("topup.reversed", reversed_, self.topups)

    def charge_account(self, cents: int) -> Fields:
        """Take a fee that belongs to no payment."""
        return self._move("stripe_fee", -cents, source=None)

    def charge_of(self, intent_id: str) -> Fields:
        """Return an intent's charge."""
        return self.charges[self.intents[intent_id]["latest_charge"]]

    def _move(self, type_: str, amount: int, *, source: str | None, fee: int = 0) -> Fields:
        return self._made(
            self.movements, "txn", "balance_transaction", amount=amount, currency="usd", fee=fee,
            net=amount - fee, source=source, status="available", type=type_, _payout=None,
        )  # fmt: skip

    def _made(self, table: dict[str, Fields], prefix: str, kind: str, **fields: Any) -> Fields:
        id_ = identifier(prefix)
        table[id_] = {
            "id": id_,
            "object": kind,
            "created": int(self.clock()),
            "livemode": False,
            **fields,
        }
        return table[id_]

    def _tell(self, type_: str, about: Fields, table: dict[str, Fields] | None = None) -> Fields:
        if table is not None:
            table[about["id"]] = about
        self.note(type_, about)
        self.deliver_waiting()
        return about

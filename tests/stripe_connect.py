"""Connected accounts at Stripe: opened by the second API, told about on Stripe's page, paid by transfers, paying out.

Shapes: the `stripe` library's own classes (v2 core Account and AccountLink, Transfer, TransferReversal). A transfer takes
of the house's balance, which is the sum of its balance transactions, and is refused whole where that is short.
A part of tests.stripe_server.
"""

import re
from typing import Any

from tests.stripe_parameters import Fields, Refusal, found, identifier

ACCOUNTS, LINKS = "v2/core/accounts", "v2/core/account_links"
TRANSFER_PARAMS = {"amount", "currency", "destination", "transfer_group", "metadata"}


class Connect:
    """The part of the far end that knows connected accounts. Money and events are the server's."""

    asked_for: str  # the account that a request is made for; "" for the house
    movements: dict[str, Fields]
    url: str

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, Fields] = {}
        self.transfers: dict[str, Fields] = {}
        self.reversals: dict[str, Fields] = {}
        self.bank_payouts: dict[str, Fields] = {}  # of connected accounts
        self.paid_out: dict[
            str, list[str]
        ] = {}  # each of them → transfers, and payouts that came back

    # The API ---------------------------------------------------------------------------------------

    def is_of_connect(self, path: str) -> bool:
        parts = path.strip("/").split("/")
        return bool(self.asked_for) or parts[0] == "v2" or parts[1:2] == ["transfers"]

    def route_connect(self, method: str, path: str, params: Fields) -> Fields:
        """Answer a call about connected accounts. Raises: Refusal."""
        for asked, pattern, answer in (
            ("POST", ACCOUNTS, lambda: self._create_account(params)),
            ("POST", LINKS, lambda: self._create_link(params)),
            ("GET", f"{ACCOUNTS}/(acct_.+)", lambda id_: found(self.accounts, id_, "account")),
            ("POST", "v1/transfers", lambda: self._create_transfer(params)),
            ("GET", "v1/transfers", lambda: self._list_transfers(params["transfer_group"])),
            ("GET", "v1/transfers/(tr_[^/]+)", lambda id_: found(self.transfers, id_, "transfer")),
            ("GET", "v1/transfers/(tr_[^/]+)/reversals", self._list_reversals),
            ("GET", "v1/balance_transactions", lambda: self._lines_of(params["payout"])),
            ("GET", "v1/payouts", lambda: self._list_payouts(params)),
            ("GET", "v1/payouts/(po_[^/]+)", lambda id_: found(self.bank_payouts, id_, "payout")),
        ):
            match = re.fullmatch(pattern, path.strip("/"))
            if method == asked and match:
                return answer(*match.groups())
        raise Refusal(404, f"Unrecognized request URL ({method}: {path}).")

    def _create_account(self, params: Fields) -> Fields:
        for name in ("dashboard", "identity", "defaults", "configuration"):
            if name not in params:
                raise Refusal(400, f"Missing required param: {name}.", code="parameter_missing")
        account = self._made(
            self.accounts, "acct", "v2.core.account", closed=False, contact_email=params["contact_email"],
            dashboard=params["dashboard"], metadata=params["metadata"], configuration={},
        )  # fmt: skip
        self._tell_of_capability(account, "restricted", resolution="provide_info")
        return account

    def _create_link(self, params: Fields) -> Fields:
        account = found(self.accounts, params["account"], "v2.core.account")
        assert params["use_case"]["account_onboarding"]["refresh_url"]
        link = f"{self.url}/onboard/{account['id']}"
        return {"object": "v2.core.account_link", "account": account["id"], "url": link}

    def _create_transfer(self, params: Fields) -> Fields:
        for name in params.keys() - TRANSFER_PARAMS:
            raise Refusal(400, f"Received unknown parameter: {name}", code="parameter_unknown")
        account = found(self.accounts, params["destination"], "destination")
        if self.capability_of(account)["status"] != "active":
            raise Refusal(
                400,
                "Your destination account needs to have at least one of these capabilities enabled: transfers.",
                code="insufficient_capabilities_for_transfer",
                is_kept=True,
            )
        cents = int(params["amount"])
        if cents > self.balance_cents():
            raise Refusal(
                400,
                "You have insufficient available funds in your Stripe account.",
                code="balance_insufficient",
                is_kept=True,
            )
        transfer = self._made(
            self.transfers, "tr", "transfer", amount=cents, amount_reversed=0, currency=params["currency"],
            destination=account["id"], destination_payment=identifier("py"), metadata=params["metadata"],
            reversed=False, source_transaction=None, transfer_group=params["transfer_group"],
        )  # fmt: skip
        moved = self._move("transfer", -cents, source=transfer["id"])
        transfer["balance_transaction"] = moved["id"]
        self.note("transfer.created", transfer)
        return transfer

    def _list_transfers(self, group: str) -> Fields:
        rows = [row for row in self.transfers.values() if row["transfer_group"] == group]
        return self._page(rows, "/v1/transfers")

    def _list_reversals(self, transfer_id: str) -> Fields:
        back = [row for row in self.reversals.values() if row["transfer"] == transfer_id]
        return self._page(back, f"/v1/transfers/{transfer_id}/reversals")

    def _lines_of(self, payout_id: str) -> Fields:
        """List the balance transactions of a connected account that a payout took: one payment for each transfer."""
        lines = [
            {
                "id": identifier("txn"),
                "object": "balance_transaction",
                "type": "payment" if id_.startswith("tr_") else "payout_failure",
                "source": {"id": identifier("py"), "object": "charge", "source_transfer": id_}
                if id_.startswith("tr_")
                else {"id": id_, "object": "payout"},
            }
            for id_ in self.paid_out[payout_id]
        ]
        return self._page(lines, "/v1/balance_transactions")

    def _list_payouts(self, params: Fields) -> Fields:
        since = int((params.get("created") or {}).get("gte", 0))
        rows = [
            {name: value for name, value in row.items() if name != "_account"}
            for row in self.bank_payouts.values()
            if row["_account"] == self.asked_for and row["created"] >= since
        ]
        return self._page(rows, "/v1/payouts")

    def _page(self, rows: list[Fields], path: str) -> Fields:
        return {"object": "list", "url": path, "has_more": False, "data": list(reversed(rows))}

    # What people, banks and time do -----------------------------------------------------------------

    def balance_cents(self) -> int:
        """Return what the house has at Stripe."""
        return sum(row["net"] for row in self.movements.values())

    def capability_of(self, account: Fields) -> Fields:
        """Return whether an account takes transfers."""
        balance: Any = account["configuration"]["recipient"]["capabilities"]["stripe_balance"]
        return balance["stripe_transfers"]

    def onboard(self, account_id: str) -> Fields:
        """Let somebody tell Stripe what it asks for, their bank included."""
        account = self.accounts[account_id]
        self._tell_of_capability(account, "active")
        bank = {"id": identifier("ba"), "object": "bank_account", "account": account_id}
        self.emit_of("account.external_account.created", bank, account_id)
        return self.emit_of("account.updated", account, account_id)

    def restrict(self, account_id: str) -> Fields:
        """Let Stripe refuse transfers to an account, for good."""
        account = self.accounts[account_id]
        self._tell_of_capability(account, "rejected", resolution="contact_stripe")
        return self.emit_of("account.updated", account, account_id)

    def change_bank(self, account_id: str) -> Fields:
        """Let somebody name another bank."""
        bank = {"id": identifier("ba"), "object": "bank_account", "account": account_id}
        return self.emit_of("account.external_account.updated", bank, account_id)

    def reverse(self, transfer_id: str, cents: int | None = None) -> Fields:
        """Send dollars of a transfer back, from the dashboard; without an amount, what is left of it."""
        transfer = self.transfers[transfer_id]
        cents = cents or transfer["amount"] - transfer["amount_reversed"]
        back = self._made(
            self.reversals, "trr", "transfer_reversal", amount=cents, currency="usd", transfer=transfer_id
        )  # fmt: skip
        back["balance_transaction"] = self._move("transfer_refund", cents, source=back["id"])["id"]
        transfer["amount_reversed"] += cents
        transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
        return self.emit("transfer.reversed", transfer)

    def start_payout(self, account_id: str, *, automatic: bool = True) -> Fields:
        """Let a connected account pay all it has out to its bank; it is on its way."""
        done = {taken for paid in self.paid_out.values() for taken in paid}
        mine = [row["id"] for row in self.transfers.values() if row["destination"] == account_id]
        back = [
            row["id"]
            for row in self.bank_payouts.values()
            if (row["_account"], row["status"]) == (account_id, "failed")
        ]
        # A second apart: nobody pays out twice within one, and the later one decides.
        created = int(self.clock()) + len(self.bank_payouts)  # type: ignore[attr-defined]  # the server's
        payout = self._made(
            self.bank_payouts, "po", "payout", automatic=automatic, failure_code=None, status="in_transit",
            _account=account_id,
        )  # fmt: skip
        payout["created"] = created
        self.paid_out[payout["id"]] = [id_ for id_ in (*mine, *back) if id_ not in done]
        return self.emit_of("payout.created", payout, account_id)

    def pay_out_connected(self, account_id: str, **how: Any) -> Fields:
        """Let a connected account pay all it has out to its bank, and the bank take it."""
        payout = self.bank_payouts[self.start_payout(account_id, **how)["data"]["object"]["id"]]
        payout["status"] = "paid"
        return self.emit_of("payout.paid", payout, account_id)

    def refuse_payout(self, payout_id: str, code: str = "account_closed") -> Fields:
        """Let a bank send a connected account's payout back, whatever Stripe has said of it before."""
        payout = self.bank_payouts[payout_id]
        payout |= {"status": "failed", "failure_code": code}
        return self.emit_of("payout.failed", payout, payout["_account"])

    def stop_payouts(self, account_id: str, *, status: str = "restricted") -> Fields:
        """Let Stripe pay nothing out of an account any more, or "active", again."""
        account = self.accounts[account_id]
        balance = account["configuration"]["recipient"]["capabilities"]["stripe_balance"]
        balance["payouts"] = {"status": status, "status_details": []}
        return self.emit_of("account.updated", account, account_id)

    def emit_of(self, type_: str, about: Fields, account: str) -> Fields:
        """Make an event of a connected account."""
        event = self.note(type_, about, account=account)
        self.deliver_waiting()
        return event

    def _tell_of_capability(self, account: Fields, status: str, *, resolution: str = "") -> None:
        detail = [{"code": "requirements_past_due", "resolution": resolution}] if resolution else []
        capability = {"status": status, "status_details": detail}
        balance = {"stripe_balance": {"stripe_transfers": capability}}
        account["configuration"] = {"recipient": {"applied": True, "capabilities": balance}}

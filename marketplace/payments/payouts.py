"""Dollars that leave: accounts connected to the house, and transfers to them.

Accounts are of Stripe's second API, which its guidance asks new marketplaces to use: recipients with Stripe's own
dashboard, where fees and losses are the house's, as separate charges and transfers need it. The bank, and who the
person is, only Stripe gets to know. A transfer is never asked for in part: it is refused whole where the house's
balance is short, and asked for again later.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import stripe
from django.conf import settings

from marketplace import card_shapes as shapes
from marketplace.bankpayouts import BankPayout
from marketplace.errors import PayoutAccountNotReady, RailShort
from marketplace.payments.door import HANGING_MAX, client, dicts, faults_named, listed
from marketplace.withdrawing import Transfer

CURRENCY = "usd"
# Why Stripe refuses a transfer whole, and may take it another day.
SHORT = "balance_insufficient"
NOT_READY = {"insufficient_capabilities_for_transfer", "transfers_not_allowed", "account_invalid"}
# Payouts that a bank sent back one after the other: after the first, Stripe makes none until there is another bank.
PAYOUTS_FOLLOWED = 20
SEEN_OF_ACCOUNT = ["configuration.recipient"]


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """An account connected to the house, as Stripe has it now. state: a word of PayoutAccount.State.

    is_stopped: Stripe pays nothing out of it to its bank.
    """

    id: str
    state: str
    is_stopped: bool = False


def create_account(*, owner: UUID, email: str) -> ConnectedAccount:
    """Open an account that takes transfers, for its owner to tell Stripe the rest. A repeat returns the same one.

    Raises: CardsSwitchedOff, CardsUnavailable, CardsRefused.
    """
    recipient = {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}
    params: Any = {
        "contact_email": email,
        "dashboard": "express",
        "identity": {"country": settings.STRIPE_PAYOUT_COUNTRY},
        "defaults": {
            "responsibilities": {
                "fees_collector": "application",
                "losses_collector": "application",
            }
        },
        "configuration": {"recipient": recipient},
        "metadata": {"owner": str(owner)},
        "include": SEEN_OF_ACCOUNT,
    }
    accounts = client().v2.core.accounts
    with faults_named():
        made = accounts.create(params=params, options={"idempotency_key": f"account:{owner}"})
    return _account(made.to_dict())


def account_page(account_id: str, *, return_url: str, refresh_url: str) -> str:
    """Return the address of Stripe's page where an owner tells what it asks for. It works once, and for minutes.

    Raises: as `create_account`.
    """
    onboarding = {"return_url": return_url, "refresh_url": refresh_url}
    use_case = {"type": "account_onboarding", "account_onboarding": onboarding}
    params: Any = {"account": account_id, "use_case": use_case}
    with faults_named():
        return str(client().v2.core.account_links.create(params=params).url)


def retrieve_account(account_id: str) -> ConnectedAccount:
    """Fetch a connected account. Raises: as `create_account` (also where there is no such account)."""
    params: Any = {"include": SEEN_OF_ACCOUNT}
    with faults_named():
        fields = client().v2.core.accounts.retrieve(account_id, params=params).to_dict()
    return _account(fields)


def transfer_of(withdrawal_id: UUID) -> Transfer | None:
    """Find the transfer that was made for a withdrawal, however long ago; None where there is none.

    Raises: as `create_account`.
    """
    asked: Any = {"transfer_group": _group(withdrawal_id), "limit": HANGING_MAX}
    with faults_named():
        found = dicts(client().v1.transfers.list(params=asked))
    return _transfer(found[0]) if found else None


def create_transfer(
    *, withdrawal_id: UUID, account_id: str, amount_cents: int, attempt: int
) -> Transfer:
    """Send dollars of the house's balance to a connected account, all or none.

    attempt: how often Stripe has refused it. Stripe keeps a refusal under its key for a day, so a new try has a new
    key, and a repeat of one that was lost has the old one.
    Raises: RailShort, PayoutAccountNotReady, CardsSwitchedOff, CardsUnavailable, CardsRefused.
    """
    account = retrieve_account(account_id)
    if account.state != "active" or account.is_stopped:
        raise PayoutAccountNotReady
    params: Any = {
        "amount": amount_cents,
        "currency": CURRENCY,
        "destination": account_id,
        "transfer_group": _group(withdrawal_id),
        "metadata": {shapes.METADATA_WITHDRAWAL: str(withdrawal_id)},
    }
    key = f"withdrawal:{withdrawal_id}:{attempt}"
    with faults_named():
        try:
            made = client().v1.transfers.create(params=params, options={"idempotency_key": key})
        except stripe.InvalidRequestError as fault:
            if fault.code == SHORT:
                raise RailShort from fault
            if fault.code in NOT_READY:
                raise PayoutAccountNotReady from fault
            raise
    return _transfer(made.to_dict())


def retrieve_transfer(transfer_id: str) -> Transfer:
    """Fetch a transfer with its reversals. Raises: as `create_account` (also where there is no such transfer)."""
    with faults_named():
        fields = client().v1.transfers.retrieve(transfer_id).to_dict()
    return _transfer(fields)


def retrieve_payout(payout_id: str, *, account_id: str) -> BankPayout:
    """Fetch a payout of a connected account, with the transfers whose dollars it took. Raises: as `create_account`.

    Stripe tells what a payout took of those alone that it makes by itself; of one that the owner asked for, nobody knows.
    """
    v1 = client().v1
    with faults_named():
        fields = v1.payouts.retrieve(payout_id, options={"stripe_account": account_id}).to_dict()
    took = _taken_by(payout_id, account_id=account_id) if fields["automatic"] else []
    return shapes.bank_payout(fields, transfer_ids=took)


def payouts_since(since: datetime, *, account_id: str) -> list[str]:
    """Name a connected account's payouts since an instant, the earliest first. Raises: as `create_account`."""
    asked = {"created": {"gte": int(since.timestamp())}}
    found = [fields["id"] for fields in listed(client().v1.payouts, asked, account_id=account_id)]
    return found[::-1]


def _taken_by(payout_id: str, *, account_id: str) -> list[str]:
    """Name the transfers that a payout took; those of a payout that came back before are in it again."""
    found, payout_ids = [], [payout_id]
    for taken in payout_ids:  # it grows while it is walked
        asked = {"payout": taken, "expand": ["data.source"]}
        for fields in listed(client().v1.balance_transactions, asked, account_id=account_id):
            came_back = shapes.payout_that_failed(fields)
            if came_back and came_back not in payout_ids and len(payout_ids) < PAYOUTS_FOLLOWED:
                payout_ids.append(came_back)
            elif transfer_id := shapes.transfer_in(fields):
                found.append(transfer_id)
    return found


def _transfer(fields: dict[str, Any]) -> Transfer:
    """Read a transfer; its reversals are fetched where it has any."""
    reversals: list[dict[str, Any]] = []
    if fields["amount_reversed"]:
        with faults_named():
            reversals = dicts(
                client().v1.transfers.reversals.list(fields["id"], params={"limit": HANGING_MAX})
            )
    return shapes.transfer(fields, reversals=reversals)


def _account(fields: dict[str, Any]) -> ConnectedAccount:
    return ConnectedAccount(
        fields["id"], shapes.account_state(fields), is_stopped=shapes.is_account_stopped(fields)
    )


def _group(withdrawal_id: UUID) -> str:
    return f"withdrawal:{withdrawal_id}"

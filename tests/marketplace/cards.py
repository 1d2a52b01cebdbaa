"""The cards' small world: somebody with a paid deposit, and Stripe's news of it taken in as the server does."""

from datetime import timedelta
from uuid import uuid4

from ledger import history
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import FEES, Code, debt, lien, wallet
from ledger.entries import Entry, Move
from marketplace import operations, payments
from marketplace.queries import fraud as warnings
from tests.marketplace import world
from tests.marketplace.conftest import NOW

CENTS = 2_500


def quote(owner, *, cents=CENTS, key="one", now=NOW):
    return operations.start_deposit(
        owner=owner.id, email=owner.email, amount_cents=cents, key=key, now=now
    )


def paid(far_end, *, owner=None, cents=CENTS, key="one", card="a card"):
    """Somebody whose deposit was paid and credited; return them, the deposit, and the payment's id."""
    owner = owner or world.person()
    deposit = quote(owner, cents=cents, key=key)
    payment_id = far_end.pay(deposit.session_id, card=card)["payment_intent"]
    assert hear(far_end, told(far_end, "payment_intent.succeeded")) == "credited"
    deposit.refresh_from_db()
    return owner, deposit, payment_id


def hear(far_end, event, *, now=NOW):
    """Take an event in as the webhook does, and act on it as the sweep does."""
    payload, signature = far_end.signed(event)
    inbox = payments.Inbox.CONNECTED if event.get("account") else payments.Inbox.HOUSE
    read = payments.read_event(payload, signature=signature, inbox=inbox)
    operations.record_webhook_event(read, now=now)
    return operations.process_webhook_event(event_id=event["id"], now=now)


def hear_all(far_end, *, now=NOW):
    """Take in every event there ever was, in the order of their making; return what came of each."""
    return [hear(far_end, event, now=now) for event in far_end.events]


def refund_warned_deposits(now):
    """Do about banks' warnings what the sweep does."""
    for deposit_id in warnings.due_fraud_refunds(now=now, limit=9):
        operations.refund_warned_deposit(deposit_id=deposit_id, now=now)


def told(far_end, kind):
    """Return the newest event of a kind."""
    return [event for event in far_end.events if event["type"] == kind][-1]


def purse(owner):
    """Return what somebody has, what of it is under lien, and what they owe."""
    wallet_, lien_, debt_ = (books.balance(of(owner.id)) for of in (wallet, lien, debt))
    return wallet_.available_rao, lien_.posted_rao, -debt_.posted_rao


def dollars():
    """Return the dollar accounts that are not at zero, in cents."""
    balances = {
        line.name.removeprefix("usd:"): line.credits_rao - line.debits_rao
        for line in history.trial_balance_at(NOW + timedelta(days=9_999))
        if line.name.startswith("usd:")
    }
    return {name: cents for name, cents in balances.items() if cents}


def spend(owner, rao):
    """Let somebody spend so much where it does not come back."""
    spent = (Move(wallet(owner.id), FEES, rao),)
    ledger.post(Entry(key=f"spent:{uuid4()}", code=Code.BURN_PAID, at=NOW, steps=spent))

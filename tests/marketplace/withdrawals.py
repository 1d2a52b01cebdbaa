"""The small world of withdrawals: somebody with an address that has waited, and two people of staff."""

from datetime import timedelta
from uuid import uuid4

from allauth.mfa.models import Authenticator
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.operations.rehearsed_chain import FINAL_AFTER, RehearsedChain
from marketplace.operations.withdrawals import Asked, rules
from marketplace.queries import withdrawals as outgoing
from marketplace.withdrawing import Rail
from neurons.keys import Keypair
from tests.marketplace import factors, world
from tests.marketplace.cards import hear
from tests.marketplace.conftest import NOW

LONG_AGO = NOW - timedelta(days=30)
FEE_RAO = 10**6
AGAIN = timedelta(minutes=2)


def ss58():
    """Return an address that nobody had before."""
    return Keypair.from_seed(uuid4().hex * 2).ss58_address


def address(owner, *, at=LONG_AGO, text=None):
    """Put an address into somebody's book."""
    return operations.add_withdrawal_address(
        owner=owner.id, ss58=text or ss58(), label="Cold wallet", proven_at=at, now=at
    )


def rich(*, tao=1_000):
    """Somebody with TAO and an address that has waited."""
    owner = world.person(tao=tao)
    return owner, address(owner)


def to_chain(book, tao, *, arrives=None):
    """Ask for so many TAO on the chain."""
    rao = round(tao * TAO)
    return Asked(
        Rail.CHAIN,
        amount_rao=rao,
        arrives=rao - rules().fee_rao if arrives is None else arrives,
        address_id=book.id,
    )


def request(owner, asked, *, key=None, now=NOW, proven_at=NOW):
    return operations.request_withdrawal(
        owner=owner.id, asked=asked, key=key or uuid4().hex, proven_at=proven_at, now=now
    )


def requested(*, tao=10, **also):
    """A withdrawal to the chain that waits for staff; return its owner too."""
    owner, book = rich()
    return owner, request(owner, to_chain(book, tao), **also)


def approve(row, *staff, now=NOW):
    for operator in staff or [world.person()]:
        operations.approve_withdrawal(withdrawal_id=row.id, operator=operator.id, now=now)
    row.refresh_from_db()
    return row


def send(row, *, now=NOW):
    operations.send_withdrawal(withdrawal_id=row.id, now=now)
    row.refresh_from_db()
    return row


def look(row, *, now=NOW + FINAL_AFTER):
    operations.look_at_withdrawal(withdrawal_id=row.id, now=now)
    row.refresh_from_db()
    return row


def drop(row):
    RehearsedChain(NOW).drop(row.id)


def connected(far_end, *, tao=1_000, owner=None, at=LONG_AGO):
    """Somebody whose account at Stripe takes money, and has for long."""
    owner = owner or world.person(tao=tao)
    operations.connect_payouts(owner=owner.id, email=owner.email, proven_at=at, now=at)
    account_id = outgoing.payout_account(owner.id).account_id
    far_end.onboard(account_id)
    operations.look_at_payouts(owner=owner.id, now=at)
    return owner, account_id


def to_bank(cents):
    """Ask for so many US cents."""
    return Asked(Rail.STRIPE, amount_rao=cents * rules().rao_per_cent, arrives=cents)


def fund(far_end, cents):
    """Pay so many cents into the house's balance at Stripe, and hear of it."""
    hear(far_end, far_end_event(far_end, far_end.top_up(cents)))


def far_end_event(far_end, about):
    """Return the newest event about an object."""
    return [event for event in far_end.events if event["data"]["object"]["id"] == about["id"]][-1]


def sign_in(client, owner):
    """Sign somebody in with a second factor that they have had for long, proven just now."""
    factors.sign_in_proven(client, owner)
    Authenticator.objects.filter(user=owner).update(created_at=timezone.now() - timedelta(days=30))

"""A look at a card payment, written down: the deposit's row, its chargebacks, and the entries that were missing.

A look is made with no transaction open, and counted: one that another look has overtaken is refused, so that what
stands in the books never goes back to an older state of the payment.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ledger import operations as ledger
from ledger import queries as books
from ledger.entries import Entry
from marketplace import clearing, payments, queries
from marketplace.cardpayment import Payment
from marketplace.clearing import Posting, Terms, Trouble
from marketplace.errors import CardLookOvertaken
from marketplace.models import Chargeback, Deposit
from marketplace.operations import fraud_warnings, restrictions
from marketplace.reconciling import Transit

logger = logging.getLogger(__name__)

State = Deposit.State


@dataclass(frozen=True, slots=True)
class Look:
    """A payment as Stripe had it, and how many looks the deposit had seen before this one began."""

    deposit_id: UUID
    payment: Payment
    look_count: int


def look_at(payment_id: str) -> Look | None:
    """Fetch a payment for its deposit; None where it is for no deposit of this house.

    Raises: CardsUnavailable, CardsRefused, CardsSwitchedOff.
    """
    deposit_id = queries.deposit_paid_by(payment_id)
    if deposit_id is None:
        deposit_id = payments.retrieve_payment(payment_id).deposit_id
    look_count = queries.look_count(deposit_id) if deposit_id else None
    if deposit_id is None or look_count is None:
        return None
    return Look(deposit_id, payments.retrieve_payment(payment_id), look_count)


def take_up(look: Look, *, now: datetime) -> str:
    """Write what a look showed, post what the books missed, and say in words what came of it.

    Runs in the caller's transaction.  Raises: CardLookOvertaken, InsufficientFunds (the treasury's), Busy.
    """
    deposit = queries.lock_deposit(look.deposit_id)
    assert deposit is not None, "a deposit never goes away"
    if deposit.look_count != look.look_count:
        raise CardLookOvertaken(deposit_id=deposit.id)
    deposit.look_count += 1
    seen, terms = look.payment, terms_of(deposit)
    refusal = _why_not(deposit, seen)
    if refusal:
        deposit.save(update_fields=["look_count"])
        return refusal
    missing = clearing.plan(seen, terms, posted=books.known_keys(clearing.keys_of(seen)))
    _write(deposit, seen, terms, now=now)
    post_missing(missing, owner=deposit.owner, now=now)
    fraud_warnings.note_warning(deposit, seen, now=now)
    return _outcome(deposit, missing)


def post_transit(transit: Transit, *, now: datetime) -> str:
    """Post what a payout or top-up of the house asks for and the books miss, whoever asks; say what that was."""
    done = [post_once(posting, now=now) for posting in transit.postings()]
    return ", ".join(word for word in done if word) or "nothing new"


def post_once(posting: Posting, *, now: datetime) -> str:
    """Make an entry that touches no owner; return its purpose, "" where it stood in the books before."""
    entry = Entry(key=posting.key, code=posting.code, at=now, steps=posting.moves)
    return "" if ledger.post(entry).replayed else posting.key.rpartition(":")[2]


def terms_of(deposit: Deposit) -> Terms:
    """Return what a deposit quoted, for the decisions about its payment."""
    return Terms(
        owner=deposit.owner,
        amount_cents=deposit.amount_cents,
        credit_rao=deposit.credit_rao,
        are_warnings_dismissed=deposit.warning_dismissed_at is not None,
    )


def move(deposit: Deposit, state: Deposit.State, *, credited_at: datetime | None = None) -> None:
    """Move a deposit to another state; the caller saves it."""
    assert state in Deposit.TRANSITIONS[State(deposit.state)]
    deposit.state = state
    deposit.credited_at = credited_at
    logger.info("deposit:%s deposit=%s", state, deposit.id)


def _why_not(deposit: Deposit, seen: Payment) -> str:
    """Say why a payment is not credited; "" where nothing forbids it. Reconciliation shows it to the operator."""
    if deposit.state == State.CREDITED and deposit.payment_id is None:
        return "credited before payments were kept"  # by a release that keyed entries otherwise
    if deposit.payment_id not in {None, seen.id}:
        return f"not credited: the deposit was paid by {deposit.payment_id}"
    paid, quoted = (seen.received_cents, seen.currency), (deposit.amount_cents, payments.CURRENCY)
    if seen.is_paid and paid != quoted:
        return "not credited: {} {} paid, {} {} quoted".format(*paid, *quoted)
    return ""


def _write(deposit: Deposit, seen: Payment, terms: Terms, *, now: datetime) -> None:
    state = _state_of(seen, State(deposit.state))
    if state != deposit.state:
        move(deposit, state, credited_at=now if state == State.CREDITED else None)
    if state in {State.CREDITED, State.PROCESSING}:
        deposit.payment_id = seen.id
    deposit.card_fingerprint = seen.fingerprint
    deposit.refunded_cents = seen.refunded_cents
    deposit.trouble = clearing.trouble(seen, terms) if state == State.CREDITED else Trouble.NONE
    deposit.save(
        update_fields=[
            "state", "credited_at", "payment_id", "card_fingerprint", "refunded_cents", "trouble", "look_count",
        ]
    )  # fmt: skip
    if state == State.CREDITED:
        restrictions.restrict(deposit, taken_rao=clearing.taken_rao(seen, terms), now=now)
    for chargeback in seen.chargebacks:
        Chargeback.objects.update_or_create(
            id=chargeback.id,
            defaults={
                "deposit": deposit,
                "status": chargeback.status,
                "reason": chargeback.reason,
                "amount_cents": chargeback.amount_cents,
                "due_at": chargeback.due_at,
                "seen_at": now,
            },
        )


def _state_of(seen: Payment, state: Deposit.State) -> Deposit.State:
    """Return the state that a payment puts its deposit in. What was credited stays that, whatever follows."""
    if state == State.CREDITED or seen.is_paid:
        return State.CREDITED
    match seen.status:
        case "processing":
            return State.PROCESSING
        case "canceled":
            # A page that runs out cancels its payment: that is told by the page.
            return state if state == State.EXPIRED else State.FAILED
        case "requires_payment_method" if state == State.PROCESSING:
            return State.FAILED
        case _:
            return state


def post_missing(missing: tuple[Posting, ...], *, owner: UUID, now: datetime) -> None:
    """Make the entries, with the owner's purse locked from the first to the last."""
    if not missing:
        return
    purse = queries.lock_purse(owner)
    for posting in missing:
        moves, purse = clearing.moves_of(posting.tao, owner=owner, purse=purse)
        steps = (*posting.moves, *moves)
        ledger.post(Entry(key=posting.key, code=posting.code, at=now, steps=steps))


def _outcome(deposit: Deposit, missing: tuple[Posting, ...]) -> str:
    done = [posting.key.rpartition(":")[2] for posting in missing]
    if done:
        return ", ".join(done)
    return "credited before" if deposit.state == State.CREDITED else "not paid yet"

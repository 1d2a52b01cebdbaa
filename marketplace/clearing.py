"""What the books still miss of a card payment: its state at Stripe in, postings out. Pure.

An event of Stripe only says which payment to look at. The whole payment is fetched anew, and `plan` names the
postings that its state asks for and that are not in the books yet, each under a key of its Stripe object and its
purpose. So events may come late, twice and in any order: whatever they were, the last look decides, and the books
end the same. The table of events and the recipes: docs/payments.md.

Dollars stand in the accounts of `ledger.chart.USD`, in cents; TAO is taken and given at the deposit's own rate.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from ledger import chart
from ledger.chart import Address, Code
from ledger.entries import Move, Step
from marketplace.cardpayment import FOR_THE_HOUSE, Movement, Payment, Refund


@dataclass(frozen=True, slots=True)
class Terms:
    """What a deposit quoted, and whom it credits. are_warnings_dismissed: staff looked, and found no fraud."""

    owner: UUID
    amount_cents: int
    credit_rao: int
    are_warnings_dismissed: bool = False

    def rao_of(self, cents: int) -> int:
        """Return the TAO of a part of the payment, at the deposit's own rate; never more than all of it."""
        return self.credit_rao * min(cents, self.amount_cents) // self.amount_cents


class Trouble(StrEnum):
    """What is the matter with a credited payment, the worst first."""

    DISPUTED = "disputed"
    """The cardholder disputes it; its TAO is under lien until the bank decides."""
    LOST = "lost"
    """A dispute was lost; the TAO went back, or is owed."""
    WARNED = "warned"
    """A bank says that it was fraud; its TAO is under lien."""
    INQUIRY = "inquiry"
    """A bank asks about it. Nothing was taken; nothing is withdrawn meanwhile."""
    REVIEW = "review"
    """Stripe holds it for a review. Nothing is withdrawn meanwhile."""
    NONE = ""
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Take:
    """Take TAO from an owner: what their wallet has available, and the rest as a debt."""

    amount_rao: int
    into: Address


@dataclass(frozen=True, slots=True)
class Give:
    """Give TAO to an owner; what they owe is paid first."""

    amount_rao: int
    out_of: Address


@dataclass(frozen=True, slots=True)
class Posting:
    """One entry that the books miss. moves: whatever the owner has; tao: what is had of, or given to, them."""

    key: str
    code: Code
    moves: tuple[Step, ...] = ()
    tao: Take | Give | None = None


@dataclass(frozen=True, slots=True)
class Purse:
    """What an owner can spend, and what they owe."""

    available_rao: int = 0
    owed_rao: int = 0


def key_of(object_id: str, purpose: str) -> str:
    """Name an entry by its Stripe object and what it is for."""
    return f"card:{object_id}:{purpose}"


def plan(seen: Payment, terms: Terms, *, posted: Collection[str]) -> tuple[Posting, ...]:
    """Return the postings that the payment asks for and that are missing, in the order they are to be made.

    What ends a claim comes before what begins one, so that TAO passes through the wallet, not into a debt.
    posted: the keys among `keys_of(seen)` that stand in the books.
    """
    if not seen.is_paid:
        return ()
    wanted = (
        *_credit(seen, terms),
        *_warned(seen, terms, posted),
        *_ended_claims(seen, terms, posted),
        *_refunds(seen, terms),
        *_standing_claims(seen, terms),
        *_movements(seen),
    )
    return tuple(posting for posting in wanted if posting.key not in posted)


def keys_of(seen: Payment) -> list[str]:
    """Return every key that a posting of this payment may have."""
    keys = [key_of(seen.id, "credited"), key_of(seen.charge_id or seen.id, "fee")]
    for refund in seen.refunds:
        keys += [key_of(refund.id, purpose) for purpose in ("refunded", "failed")]
        keys += [key_of(_part(seen, refund), purpose) for purpose in ("released", "lien")]
    for claim_id in (seen.id, *(chargeback.id for chargeback in seen.chargebacks)):
        keys += [key_of(claim_id, purpose) for purpose in ("lien", "released", "lost", "restored")]
    moved = (movement for chargeback in seen.chargebacks for movement in chargeback.movements)
    return [*keys, *(key_of(movement.id, "moved") for movement in moved)]


def trouble(seen: Payment, terms: Terms) -> Trouble:
    """Say what is the matter with a payment, the worst first."""
    if any(chargeback.is_open for chargeback in seen.chargebacks):
        return Trouble.DISPUTED
    if any(chargeback.is_lost for chargeback in seen.chargebacks):
        return Trouble.LOST
    if _has_standing_warning(seen, terms):
        return Trouble.WARNED
    inquiries = (c for c in seen.chargebacks if c.is_inquiry and c.status not in FOR_THE_HOUSE)
    if any(inquiries):
        return Trouble.INQUIRY
    return Trouble.REVIEW if seen.is_under_review else Trouble.NONE


def taken_rao(seen: Payment, terms: Terms) -> int:
    """Return how much of a credited payment's TAO was taken back, or is under lien; at most all of it."""
    if not seen.is_paid:
        return 0
    claimed = [c.amount_cents for c in seen.chargebacks if c.is_open or c.is_lost]
    cents = seen.refunded_cents + sum(claimed)
    return terms.credit_rao if _has_standing_warning(seen, terms) else terms.rao_of(cents)


def moves_of(tao: Take | Give | None, *, owner: UUID, purse: Purse) -> tuple[list[Move], Purse]:
    """Return the moves by which TAO is had of, or given to, an owner, and what they have and owe after them.

    A wallet never goes below zero: what it lacks is a debt, and what comes back pays the debt first.
    """
    wallet, debt = chart.wallet(owner), chart.debt(owner)
    match tao:
        case None:
            return [], purse
        case Take(amount_rao, into):
            had_rao = min(amount_rao, max(purse.available_rao, 0))
            parts = [(wallet, into, had_rao), (debt, into, amount_rao - had_rao)]
            left = Purse(purse.available_rao - had_rao, purse.owed_rao + amount_rao - had_rao)
        case Give(amount_rao, out_of):
            paid_rao = min(amount_rao, purse.owed_rao)
            parts = [(out_of, debt, paid_rao), (out_of, wallet, amount_rao - paid_rao)]
            left = Purse(purse.available_rao + amount_rao - paid_rao, purse.owed_rao - paid_rao)
        case _:
            assert_never(tao)
    return [Move(debit, credit, rao) for debit, credit, rao in parts if rao], left


def into_stripe(amount_cents: int, other: Address) -> list[Move]:
    """Move dollars between Stripe's balance and another account: in above zero, out below, none at zero."""
    if amount_cents == 0:
        return []
    if amount_cents > 0:
        return [Move(chart.STRIPE_CLEARING, other, amount_cents)]
    return [Move(other, chart.STRIPE_CLEARING, -amount_cents)]


def movement_of(movement: Movement, other: Address) -> tuple[Move, ...]:
    """Return the moves of one balance transaction: its amount, and the fee it took."""
    fee = into_stripe(-movement.fee_cents, chart.STRIPE_FEES)
    return (*into_stripe(movement.amount_cents, other), *fee)


def _credit(seen: Payment, terms: Terms) -> Iterator[Posting]:
    """Sell the TAO: dollars arrive at Stripe, TAO leaves the treasury. The fee follows when it is known."""
    yield Posting(
        key_of(seen.id, "credited"),
        Code.CARD_CREDITED,
        tuple(into_stripe(seen.received_cents, chart.FX_USD)),
        Give(terms.credit_rao, out_of=chart.TREASURY),
    )
    if seen.charge_id and seen.fee_cents:
        fee = tuple(into_stripe(-seen.fee_cents, chart.STRIPE_FEES))
        yield Posting(key_of(seen.charge_id, "fee"), Code.CARD_FEE_TAKEN, fee)


def _refunds(seen: Payment, terms: Terms) -> Iterator[Posting]:
    """Undo the sale of what was refunded, and undo that where the refund failed."""
    for refund in seen.refunds:
        if not refund.was_made:
            continue
        gone = refund.movement or Movement(refund.id, -refund.amount_cents, 0)
        rao = terms.rao_of(refund.amount_cents)
        yield Posting(
            key_of(refund.id, "refunded"),
            Code.CARD_REFUNDED,
            movement_of(gone, chart.FX_USD),
            Take(rao, into=chart.TREASURY),
        )
        if refund.has_failed:
            back = refund.returned or Movement(refund.id, -gone.amount_cents, -gone.fee_cents)
            yield Posting(
                key_of(refund.id, "failed"),
                Code.CARD_REFUND_FAILED,
                movement_of(back, chart.FX_USD),
                Give(rao, out_of=chart.TREASURY),
            )


def _warned(seen: Payment, terms: Terms, posted: Collection[str]) -> Iterator[Posting]:
    """Keep under lien what a bank warned of: all of the deposit, less what was refunded since, until it is answered.

    The whole is under the payment's own key: however many warnings come, all are about the same TAO. A refund frees its
    part, and one that failed claims it again, under keys of payment and refund: no amount hangs on what was seen first.
    """
    whole, lien = key_of(seen.id, "lien"), chart.lien(terms.owner)
    if whole not in posted and not _has_standing_warning(seen, terms):
        return
    yield Posting(whole, Code.CARD_LIEN_PLACED, tao=Take(terms.credit_rao, into=lien))
    kept_rao = terms.credit_rao
    for refund in seen.refunds:
        part, rao = _part(seen, refund), terms.rao_of(refund.amount_cents)
        freed, again = key_of(part, "released"), key_of(part, "lien")
        kept_rao += rao * ((again in posted) - (freed in posted))
        if _is_answered(seen, terms):
            continue
        if refund.has_failed and freed in posted:
            yield Posting(again, Code.CARD_LIEN_PLACED, tao=Take(rao, into=lien))
        elif not refund.has_failed:
            yield Posting(freed, Code.CARD_LIEN_RELEASED, tao=Give(rao, out_of=lien))
    if kept_rao and _is_answered(seen, terms):
        given = Give(kept_rao, out_of=lien)
        yield Posting(key_of(seen.id, "released"), Code.CARD_LIEN_RELEASED, tao=given)


def _ended_claims(seen: Payment, terms: Terms, posted: Collection[str]) -> Iterator[Posting]:
    """Release the liens of disputes that were won; restore what was lost in error."""
    for chargeback in seen.chargebacks:
        if chargeback.is_open or chargeback.is_lost:
            continue
        claim_id, cents = chargeback.id, chargeback.amount_cents
        rao = terms.rao_of(cents)
        if key_of(claim_id, "lost") in posted:
            yield Posting(
                key_of(claim_id, "restored"),
                Code.CARD_LIEN_RELEASED,
                (Move(chart.DISPUTES_RECEIVABLE, chart.FX_USD, cents),),
                Give(rao, out_of=chart.TREASURY),
            )
        elif key_of(claim_id, "lien") in posted:
            given = Give(rao, out_of=chart.lien(terms.owner))
            yield Posting(key_of(claim_id, "released"), Code.CARD_LIEN_RELEASED, tao=given)


def _standing_claims(seen: Payment, terms: Terms) -> Iterator[Posting]:
    """Put TAO under lien for disputes, and give it up where one was lost."""
    lien = chart.lien(terms.owner)
    for chargeback in seen.chargebacks:
        if not (chargeback.is_open or chargeback.is_lost):
            continue
        rao = terms.rao_of(chargeback.amount_cents)
        yield Posting(
            key_of(chargeback.id, "lien"), Code.CARD_LIEN_PLACED, tao=Take(rao, into=lien)
        )
        if chargeback.is_lost:
            undone = Move(chart.FX_USD, chart.DISPUTES_RECEIVABLE, chargeback.amount_cents)
            moves = (Move(lien, chart.TREASURY, rao), undone)
            yield Posting(key_of(chargeback.id, "lost"), Code.CARD_DISPUTE_LOST, moves)


def _movements(seen: Payment) -> Iterator[Posting]:
    """Post what banks took of Stripe's balance for disputes, and what they gave back, with the fees."""
    for chargeback in seen.chargebacks:
        for movement in chargeback.movements:
            moves = movement_of(movement, chart.DISPUTES_RECEIVABLE)
            if moves:
                yield Posting(key_of(movement.id, "moved"), Code.CARD_DISPUTE_MOVED, moves)


def _has_standing_warning(seen: Payment, terms: Terms) -> bool:
    """Say whether a warning is unanswered, and something of the payment was not given back."""
    is_refunded = seen.refunded_cents >= terms.amount_cents
    return bool(seen.warnings) and not is_refunded and not _is_answered(seen, terms)


def _is_answered(seen: Payment, terms: Terms) -> bool:
    """Say whether warnings have had their answer for good: a dispute has come of them, or staff says that all is well."""
    return terms.are_warnings_dismissed or any(not c.is_inquiry for c in seen.chargebacks)


def _part(seen: Payment, refund: Refund) -> str:
    """Name what a refund gave back of a payment that was warned of."""
    return f"{seen.id}:{refund.id}"

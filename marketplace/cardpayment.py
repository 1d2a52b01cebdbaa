"""A card payment as Stripe has it: what was paid, what of it moved, and what became of it since. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

# Statuses of a Stripe dispute that end it. A `warning_…` is an inquiry: the bank asks and takes nothing.
FOR_THE_HOUSE = frozenset({"won", "warning_closed", "prevented"})
REFUND_FAILED = frozenset({"failed", "canceled"})


@dataclass(frozen=True, slots=True)
class Movement:
    """One balance transaction of Stripe: what it added to the house's balance there, and the fee it took of it."""

    id: str
    amount_cents: int
    fee_cents: int


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back to a card. returned: the movement by which a failed refund came back.

    asked_as: what the house called it when it asked by itself; "" for one that a person asked for.
    """

    id: str
    status: str
    amount_cents: int
    movement: Movement | None = None
    returned: Movement | None = None
    asked_as: str = ""

    @property
    def has_failed(self) -> bool:
        """Say whether the card did not take the money back."""
        return self.status in REFUND_FAILED

    @property
    def was_made(self) -> bool:
        """Say whether money has left for the card, if only to come back."""
        return not self.has_failed or self.movement is not None


@dataclass(frozen=True, slots=True)
class Chargeback:
    """A payment that its cardholder disputes at the bank: what Stripe calls a dispute."""

    id: str
    status: str
    amount_cents: int
    reason: str = ""
    due_at: datetime | None = None
    movements: tuple[Movement, ...] = ()

    @property
    def is_inquiry(self) -> bool:
        """Say whether the bank only asks, and has taken nothing."""
        return self.status.startswith("warning_")

    @property
    def is_lost(self) -> bool:
        """Say whether the bank decided for its customer."""
        return self.status == "lost"

    @property
    def is_open(self) -> bool:
        """Say whether the payment is disputed and nothing is decided; an unknown status counts as that."""
        return not (self.is_lost or self.is_inquiry or self.status in FOR_THE_HOUSE)


@dataclass(frozen=True, slots=True)
class FraudWarning:
    """A bank's word that a payment was fraud. is_actionable: no dispute has come of it, and not all was refunded."""

    id: str
    is_actionable: bool = True


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment intent with all that hangs on it, as Stripe has it now.

    deposit_id: None where this house did not ask for the payment.  fee_cents: None until Stripe knows it.
    """

    id: str
    deposit_id: UUID | None
    status: str  # succeeded, processing, requires_payment_method, canceled, …
    received_cents: int
    currency: str
    charge_id: str | None = None
    fee_cents: int | None = None
    fingerprint: str = ""  # of the card, the same wherever it is used; "" before a charge
    is_under_review: bool = False
    refunds: tuple[Refund, ...] = ()
    chargebacks: tuple[Chargeback, ...] = ()
    warnings: tuple[FraudWarning, ...] = ()

    @property
    def is_paid(self) -> bool:
        """Say whether the money has arrived."""
        return self.status == "succeeded"

    @property
    def refunded_cents(self) -> int:
        """Return what was given back to the card."""
        return sum(refund.amount_cents for refund in self.refunds if not refund.has_failed)

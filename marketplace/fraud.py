"""What the house does by itself about a bank's warning of fraud: it gives back what was not spent. Pure.

A warning mostly becomes a dispute, which costs a fee whoever wins; a payment that was refunded before seldom does. All of
a deposit that was warned of is under lien, and what the wallet lacked for that is owed: so what is kept less what is owed
is had, whatever it was spent on and earned by, and only that goes back to the card. The rest stays under lien.
"""

from dataclasses import dataclass

# Stripe keeps its fee of the payment: for less than this a refund brings nobody anything.
CENTS_MIN = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to what payment, and how much in 24 hours over all of them, is refunded without a person."""

    payment_cents: int
    day_cents: int


@dataclass(frozen=True, slots=True)
class Warned:
    """A deposit that its bank warned of. owed_rao: all that its owner owes, for this deposit or another.

    day_cents: what was refunded without a person in the last 24 hours.
    """

    amount_cents: int
    credit_rao: int
    refunded_cents: int
    owed_rao: int
    day_cents: int

    @property
    def had_cents(self) -> int:
        """Return how much of the payment can be given back of what is had, rounded down."""
        kept_rao = self.credit_rao * (self.amount_cents - self.refunded_cents) // self.amount_cents
        return max(0, kept_rao - self.owed_rao) * self.amount_cents // self.credit_rao


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask Stripe to refund so much."""

    cents: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done now, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Leave:
    """A person has to look, and why."""

    why: str


def decide(warned: Warned, limits: Limits) -> Ask | Wait | Leave:
    """Say what is to be done about a standing warning.

    >>> decide(Warned(2_500, 2_500_000, 0, 500_000, day_cents=0), Limits(10_000, 10_000))
    Ask(cents=2000)
    """
    if warned.amount_cents > limits.payment_cents:
        return Leave("The payment is larger than is refunded without a person.")
    cents = warned.had_cents
    if cents < CENTS_MIN:
        return Wait("What it bought was spent.")
    if warned.day_cents + cents > limits.day_cents:
        return Wait("As much as may be was refunded without a person today.")
    return Ask(cents)

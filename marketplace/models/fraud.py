"""Refunds that the house asks for by itself, because a bank warned of fraud."""

from django.db import models
from django.db.models import Q

from marketplace.models.cards import Deposit

REASON_LENGTH_MAX = 200


class FraudRefund(models.Model):
    """What is done without a person about a deposit that its bank warned of: at most one row a deposit."""

    class State(models.TextChoices):
        WATCHED = "watched", "Looked at again"
        """Nothing is asked of Stripe: because nothing was yet, or nothing is had now."""
        ASKED = "asked", "Asked of Stripe"
        """Stripe was asked, or is about to be; whether it did is asked again until it is known."""
        LEFT = "left", "Waits for a person"
        """The house does no more by itself: staff refunds the rest, or dismisses the warning."""
        ENDED = "ended", "Answered"
        """All was given back, a dispute has come of it, or staff dismissed the warning."""

    TRANSITIONS = {
        State.WATCHED: {State.ASKED, State.LEFT, State.ENDED},
        State.ASKED: {State.WATCHED, State.LEFT, State.ENDED},
        State.LEFT: {State.ENDED},
        # A card's bank may send a refund back, and then the warning stands again.
        State.ENDED: {State.LEFT},
    }

    deposit = models.OneToOneField(
        Deposit, primary_key=True, on_delete=models.PROTECT, related_name="fraud_refund"
    )
    state = models.CharField(max_length=10, choices=State, default=State.WATCHED)
    warned_at = models.DateTimeField()
    next_at = models.DateTimeField(help_text="When it is looked at, or Stripe asked, again.")
    number = models.PositiveIntegerField(
        default=0, help_text="How many refunds Stripe has answered: the next has a key of its own."
    )
    refusal_count = models.PositiveIntegerField(default=0)
    asked_cents = models.PositiveIntegerField(
        null=True, blank=True, help_text="What Stripe is asked for."
    )
    refunded_cents = models.PositiveIntegerField(
        default=0, help_text="What was refunded without a person."
    )
    refunded_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(
        max_length=REASON_LENGTH_MAX, blank=True, help_text="Why nothing, or no more, is done."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="asked", asked_cents__gt=0)
                | Q(~Q(state="asked"), asked_cents__isnull=True),
                name="marketplace_fraudrefund_asked_has_cents",
            ),
            models.CheckConstraint(
                condition=Q(refunded_cents=0, refunded_at__isnull=True)
                | Q(refunded_cents__gt=0, refunded_at__isnull=False),
                name="marketplace_fraudrefund_refunded_has_refunded_at",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=Q(state__in=["watched", "asked"]),
                name="marketplace_fraudrefund_due",
            ),
            models.Index(fields=["refunded_at"], name="marketplace_fraudrefund_recent"),
        ]

    def __str__(self) -> str:
        return f"fraud refund of {self.deposit_id}"

    @property
    def asked_as(self) -> str:
        """Name the refund that Stripe is asked for: its key there, and by what it is found again."""
        return f"fraud:{self.deposit_id}:{self.number}"

    def move_to(self, state: "FraudRefund.State", *, reason: str = "") -> None:
        """Move on; the caller saves it."""
        assert state == self.state or state in self.TRANSITIONS[FraudRefund.State(self.state)]
        self.state, self.reason = state, reason
        if state != self.State.ASKED:
            self.asked_cents = None

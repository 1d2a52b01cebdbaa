"""Card top-ups, what became of their payments, and what Stripe tells of them."""

import uuid

from django.db import models
from django.db.models import Q

from ledger.triggers import append_only
from marketplace.clearing import Trouble
from marketplace.reconciling import Kind


class Deposit(models.Model):
    class State(models.TextChoices):
        CREATED = "created", "Waiting for payment"
        """The quote stands; the card page is open."""
        PROCESSING = "processing", "On its way"
        """Somebody paid by a slow method; the money has not arrived."""
        CREDITED = "credited", "Credited"
        """Stripe confirmed the payment; the TAO is in the wallet."""
        EXPIRED = "expired", "Expired"
        """The card page ran out unpaid."""
        FAILED = "failed", "Failed"
        """The payment was given up, or a slow method brought no money."""

    TRANSITIONS = {
        State.CREATED: {State.PROCESSING, State.CREDITED, State.EXPIRED, State.FAILED},
        State.PROCESSING: {State.CREDITED, State.FAILED},
        # A payment that arrives after the expiry notice is still money received.
        State.EXPIRED: {State.PROCESSING, State.CREDITED, State.FAILED},
        State.FAILED: {State.PROCESSING, State.CREDITED},
        State.CREDITED: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner = models.UUIDField(db_index=True)
    key = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.CREATED)
    amount_cents = models.PositiveIntegerField()
    credit_rao = models.BigIntegerField()
    session_id = models.CharField(max_length=200, unique=True, null=True, blank=True)
    checkout_url = models.TextField(blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="Until when the quote stands and the page is open.")
    credited_at = models.DateTimeField(null=True, blank=True)
    payment_id = models.CharField(max_length=200, unique=True, null=True, blank=True)
    card_fingerprint = models.CharField(max_length=200, blank=True)
    refunded_cents = models.PositiveIntegerField(default=0)
    trouble = models.CharField(
        max_length=10,
        choices=[(trouble.value, trouble.name.title()) for trouble in Trouble],
        default=Trouble.NONE.value,
        blank=True,
    )
    warning_dismissed_at = models.DateTimeField(null=True, blank=True)
    look_count = models.PositiveIntegerField(
        default=0, help_text="How often the payment was looked at: an older look never follows."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="credited", credited_at__isnull=False)
                | Q(~Q(state="credited"), credited_at__isnull=True),
                name="marketplace_deposit_credited_has_credited_at",
            ),
            models.CheckConstraint(
                condition=Q(amount_cents__gt=0, credit_rao__gt=0),
                name="marketplace_deposit_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(trouble="") | Q(state="credited"),
                name="marketplace_deposit_in_trouble_is_credited",
            ),
        ]
        indexes = [
            models.Index(
                fields=["owner"], condition=~Q(trouble=""), name="marketplace_deposit_troubled"
            ),
            models.Index(
                fields=["card_fingerprint", "credited_at"],
                condition=~Q(card_fingerprint=""),
                name="marketplace_deposit_by_card",
            ),
        ]

    def __str__(self) -> str:
        return f"deposit {self.id}"


class Chargeback(models.Model):
    """A dispute of a card payment at the cardholder's bank, as Stripe had it at the last look."""

    id = models.CharField(max_length=200, primary_key=True)
    deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT, related_name="chargebacks")
    status = models.CharField(max_length=40)
    reason = models.CharField(max_length=60, blank=True)
    amount_cents = models.PositiveIntegerField()
    due_at = models.DateTimeField(
        null=True, blank=True, help_text="Until when Stripe takes evidence."
    )
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"chargeback {self.id}"


class CardFailure(models.Model):
    """A card that did not pay, as an event told: a fact. Many in a day are somebody who tries out stolen cards."""

    event_id = models.CharField(max_length=200, primary_key=True)
    deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT, related_name="failures")
    owner = models.UUIDField()
    reason = models.CharField(max_length=60)
    failed_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["owner", "failed_at"], name="marketplace_cardfailure_recent")
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.reason} {self.event_id}"


class CardDifference(models.Model):
    """Where the books and Stripe did not agree, from when it was found until it was resolved."""

    subject = models.CharField(
        max_length=200, unique=True, help_text="The key of the entry, or the payout."
    )
    kind = models.CharField(
        max_length=10, choices=[(kind.value, kind.name.title()) for kind in Kind]
    )
    about = models.CharField(
        max_length=60, blank=True, help_text="The type of balance transaction."
    )
    stripe_cents = models.BigIntegerField()
    booked_cents = models.BigIntegerField()
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["found_at"],
                condition=Q(resolved_at__isnull=True),
                name="marketplace_carddifference_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class WebhookEvent(models.Model):
    id = models.CharField(max_length=200, primary_key=True)
    type = models.CharField(max_length=100)
    payload = models.JSONField()
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["received_at"],
                condition=Q(processed_at__isnull=True),
                name="marketplace_webhook_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

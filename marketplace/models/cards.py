"""Card top-ups, and what Stripe tells of them."""

import uuid

from django.db import models
from django.db.models import Q


class Deposit(models.Model):
    class State(models.TextChoices):
        CREATED = "created", "Waiting for payment"
        """The quote stands; the card page is open."""
        CREDITED = "credited", "Credited"
        """Stripe confirmed the payment; the TAO is in the wallet."""
        EXPIRED = "expired", "Expired"
        """The card page ran out unpaid."""

    TRANSITIONS = {
        State.CREATED: {State.CREDITED, State.EXPIRED},
        # A payment that arrives after the expiry notice is still money received.
        State.EXPIRED: {State.CREDITED},
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
    credited_at = models.DateTimeField(null=True, blank=True)

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
        ]

    def __str__(self) -> str:
        return f"deposit {self.id}"


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

"""Webhooks that go out: where to, and each message on its way. What Stripe sends in is `cards.WebhookEvent`."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from marketplace.models.notices import Notice
from marketplace.models.people import User


class WebhookEndpoint(models.Model):
    class State(models.TextChoices):
        ENABLED = "enabled", "On"
        """Takes what its owner is told."""
        DISABLED = "disabled", "Off"
        """Switched off by its owner, by its own answer 410, or because all attempts of a delivery failed."""
        REMOVED = "removed", "Removed"
        """Gone for its owner; its deliveries stay for the record."""

    TRANSITIONS = {
        State.ENABLED: {State.DISABLED, State.REMOVED},
        State.DISABLED: {State.ENABLED, State.REMOVED},
        State.REMOVED: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="webhook_endpoints")
    key = models.CharField(max_length=200, unique=True)
    url = models.CharField(max_length=500)
    # Kinds of notices that go here; empty stands for all.
    kinds = ArrayField(models.CharField(max_length=30), default=list, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.ENABLED)
    reason = models.CharField(max_length=200, blank=True)
    # Both encrypted (marketplace.vault); the earlier one signs beside the new one until `earlier_until`.
    secret = models.TextField()
    earlier_secret = models.TextField(blank=True)
    earlier_until = models.DateTimeField(null=True, blank=True)
    # Under which key the secret was rotated last: a rotation sent twice must not push out the secret in use.
    rotation_key = models.CharField(max_length=200, blank=True)
    # A worker has the endpoint until then; also, what a busy receiver asked to wait for.
    taken_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(earlier_secret="", earlier_until__isnull=True)
                | Q(~Q(earlier_secret=""), earlier_until__isnull=False),
                name="marketplace_webhookendpoint_earlier_secret_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"endpoint {self.id}"


class Delivery(models.Model):
    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        """Goes out at `next_at`, again after each failure."""
        DELIVERED = "delivered", "Delivered"
        """The receiver answered 2xx."""
        FAILED = "failed", "Given up"
        """The receiver did not answer 2xx in as many attempts as there are, or the endpoint was switched off."""

    TRANSITIONS = {
        State.WAITING: {State.DELIVERED, State.FAILED},
        # Its owner may ask for it again.
        State.DELIVERED: {State.WAITING},
        State.FAILED: {State.WAITING},
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    # None for an event that is only to try the endpoint.
    notice = models.ForeignKey(
        Notice, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    created_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.CharField(max_length=1024, blank=True)
    fault = models.CharField(max_length=200, blank=True)
    took_ms = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "notice"], name="marketplace_delivery_is_made_once"
            ),
            models.CheckConstraint(
                condition=~Q(state="delivered") | Q(status__gte=200, status__lt=300),
                name="marketplace_delivery_delivered_was_taken",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_at"],
                condition=Q(state="waiting"),
                name="marketplace_delivery_due",
            ),
            models.Index(fields=["endpoint", "-created_at"], name="marketplace_delivery_newest"),
            models.Index(
                fields=["created_at"],
                condition=Q(notice__isnull=True),
                name="marketplace_delivery_of_a_test",
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.id}"

"""Who belongs together, and what buyers say went wrong."""

import uuid

from django.db import models
from django.db.models import F, Q

from marketplace.models.sales import Sale


class AccountLink(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    # The smaller id first, so that a pair is one row whoever was named first.
    first = models.UUIDField()
    second = models.UUIDField(db_index=True)
    note = models.CharField(max_length=200)
    linked_by = models.UUIDField()
    linked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["first", "second"], name="marketplace_accountlink_pair_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(first__lt=F("second")), name="marketplace_accountlink_is_ordered"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first} and {self.second}"


class Dispute(models.Model):
    class State(models.TextChoices):
        OPEN = "open", "Open"
        """The buyer says that the subnet is not what was stated; staff looks into it."""
        UPHELD = "upheld", "Upheld"
        """Staff agrees with the buyer; it counts against the seller."""
        DISMISSED = "dismissed", "Dismissed"
        """Staff does not agree; it counts against nobody."""
        WITHDRAWN = "withdrawn", "Withdrawn"
        """The buyer took it back."""

    TRANSITIONS = {
        State.OPEN: {State.UPHELD, State.DISMISSED, State.WITHDRAWN},
        State.UPHELD: set(),
        State.DISMISSED: set(),
        State.WITHDRAWN: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    sale = models.OneToOneField(Sale, on_delete=models.PROTECT, related_name="dispute")
    buyer = models.UUIDField(db_index=True)
    seller = models.UUIDField(db_index=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    text = models.CharField(max_length=2000)
    answer = models.CharField(max_length=2000, blank=True)
    opened_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.UUIDField(null=True, blank=True)

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", decided_at__isnull=True)
                | Q(~Q(state="open"), decided_at__isnull=False),
                name="marketplace_dispute_decided_has_decided_at",
            ),
        ]

    def __str__(self) -> str:
        return f"dispute about {self.sale_id}"

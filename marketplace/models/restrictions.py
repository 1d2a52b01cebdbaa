"""What of a wallet cannot be withdrawn yet, because a card paid for it."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import F, Q

from marketplace.models.cards import Deposit


class Restriction(models.Model):
    """So much of an owner's wallet came of a deposit and has not cleared.

    granted_rao: what came; carried_rao: what went on to sellers; taken_rao: what refunds and claims took.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    source = models.CharField(
        max_length=200, unique=True, help_text="The deposit, or the sale and the row before."
    )
    owner = models.UUIDField()
    deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT, related_name="restrictions")
    granted_rao = models.BigIntegerField()
    carried_rao = models.BigIntegerField(default=0)
    taken_rao = models.BigIntegerField(default=0)
    clears_at = models.DateTimeField()
    released_at = models.DateTimeField(
        null=True, blank=True, help_text="When staff let it go, whatever becomes of the deposit."
    )

    class Meta:
        indexes = [
            models.Index(fields=["owner", "clears_at"], name="marketplace_restriction_owner")
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(granted_rao__gt=0, carried_rao__gte=0, taken_rao__gte=0)
                & Q(carried_rao__lte=F("granted_rao")),
                name="marketplace_restriction_carries_what_came",
            )
        ]

    def __str__(self) -> str:
        return f"{self.uncleared_rao} rao until {self.clears_at}"

    @property
    def uncleared_rao(self) -> int:
        """Return what is restricted while it has not cleared."""
        return max(0, self.granted_rao - self.carried_rao - self.taken_rao)

    def until(self) -> datetime | None:
        """Return when it clears; None where a claim has to be decided first."""
        return None if self.deposit.trouble else self.clears_at

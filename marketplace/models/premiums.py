"""What a free slot costs above the lock cost, while an operator says so."""

import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

from ledger import spoken


class SlotPremium(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    premium_rao = models.BigIntegerField()
    half_life_s = models.PositiveIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    opened_by = models.UUIDField()
    opened_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            ExclusionConstraint(
                name="marketplace_slotpremium_one_at_any_instant",
                expressions=[
                    (
                        Func(
                            F("starts_at"),
                            F("ends_at"),
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=Q(withdrawn_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(premium_rao__gt=0, half_life_s__gt=0),
                name="marketplace_slotpremium_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="marketplace_slotpremium_ends_after_its_start",
            ),
        ]

    def __str__(self) -> str:
        return f"premium on slots from {spoken.instant(self.starts_at)}"

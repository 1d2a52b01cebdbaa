"""Computers that miners brought."""

import uuid

from django.db import models
from django.db.models import Q

from compute.reliability import Record
from subnets.models import Blueprint


class Machine(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    hotkey = models.CharField(max_length=48)
    owner = models.UUIDField(db_index=True)
    name = models.CharField(max_length=40)
    cpu_model = models.CharField(max_length=120)
    cpu_count = models.PositiveIntegerField()
    memory_bytes = models.BigIntegerField()
    gpus = models.JSONField(default=list)
    blueprints = models.JSONField()
    concurrency = models.PositiveSmallIntegerField(default=1)
    reported_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(db_index=True)
    # When a gateway last held its tunnel, and of which subnets it answers the chats there.
    tunneled_at = models.DateTimeField(null=True, blank=True)
    tunnel_netuids = models.JSONField(default=list, blank=True)
    # Of which subnets it answers some model, if not the one that orders are asked of.
    tunnel_measured = models.JSONField(default=list, blank=True)
    # Of the program's run that reported energy last: its id, and what it had used by then.
    energy_run = models.CharField(max_length=32, blank=True, default="")
    energy_run_mj = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hotkey", "name"], name="compute_machine_name_is_unique_per_hotkey"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.hotkey[:8]}…"


class EnergyDay(models.Model):
    """What a machine says it used on one day (UTC), where it can read that."""

    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="energy_days")
    day = models.DateField()
    used_mj = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "machine"], name="compute_energyday_one_per_machine"
            ),
            models.CheckConstraint(
                condition=Q(used_mj__gte=0), name="compute_energyday_is_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.machine_id} on {self.day}"


class TrackRecord(models.Model):
    """What a machine did lately in one blueprint, as of `as_of` (compute/reliability.py)."""

    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="records")
    blueprint = models.CharField(max_length=20, choices=Blueprint)
    good_milli = models.BigIntegerField(default=0)
    bad_milli = models.BigIntegerField(default=0)
    busy_ms = models.BigIntegerField(default=0)
    failures_count = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True, blank=True)
    as_of = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["machine", "blueprint"], name="compute_trackrecord_one_per_kind"
            ),
            models.CheckConstraint(
                condition=Q(good_milli__gte=0, bad_milli__gte=0, busy_ms__gte=0),
                name="compute_trackrecord_is_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.machine_id} at {self.blueprint}"

    @property
    def plain(self) -> Record:
        """Return it as dispatch reads it."""
        return Record(
            good_milli=self.good_milli,
            bad_milli=self.bad_milli,
            busy_ms=self.busy_ms,
            failures_count=self.failures_count,
            failed_at=self.failed_at,
            as_of=self.as_of,
        )

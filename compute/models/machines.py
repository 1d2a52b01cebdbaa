"""Computers that miners brought."""

import uuid

from django.db import models


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

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hotkey", "name"], name="compute_machine_name_is_unique_per_hotkey"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.hotkey[:8]}…"

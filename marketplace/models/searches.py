"""Searches that people keep."""

import uuid

from django.db import models


class SavedSearch(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner = models.UUIDField()
    name = models.CharField(max_length=60)
    # The same filter twice: as the address that shows it, and as browsing.Wanted reads it.
    address = models.CharField(max_length=500)
    wanted = models.JSONField()
    saved_at = models.DateTimeField()
    looked_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"], name="marketplace_savedsearch_name_is_unique_per_owner"
            ),
        ]

    def __str__(self) -> str:
        return f"search {self.name}"

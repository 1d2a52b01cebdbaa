"""What a seller shows of a subnet in files, and who read them."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import Q

from ledger.triggers import Refuse


class Document(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    netuid = models.PositiveSmallIntegerField()
    owner = models.UUIDField(db_index=True)
    name = models.CharField(max_length=100)
    content_type = models.CharField(max_length=50)
    size_bytes = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    content = models.BinaryField()
    uploaded_at = models.DateTimeField()
    # A document that was shown stays on record; withdrawn, nobody but staff reads it.
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-uploaded_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(size_bytes__gt=0), name="marketplace_document_is_not_empty"
            ),
            models.UniqueConstraint(
                fields=["netuid", "owner", "digest"],
                condition=Q(withdrawn_at__isnull=True),
                name="marketplace_document_is_shown_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DocumentReading(models.Model):
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="readings")
    reader = models.UUIDField()
    read_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        triggers = [
            Refuse(name="readings_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.document_id} read by {self.reader}"

"""Documents of a data room: shown by the owner, read by people with an account, every reading on record."""

import hashlib
import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace import filetypes, queries
from marketplace.errors import DocumentRefused, TooManyDocuments
from marketplace.models import Document, DocumentReading
from subnets import naming
from subnets import queries as slots

logger = logging.getLogger(__name__)

# Accounts of a year as a scanned PDF; more belongs behind a link in the description.
SIZE_BYTES_MAX = 5 * 1024 * 1024
DOCUMENTS_MAX = 10  # of a subnet and owner: people read a handful
NAME_MAX = 100


@transaction.atomic
def add_document(*, netuid: int, owner: UUID, name: str, content: bytes, now: datetime) -> Document:
    """Show a file to everybody with an account. The same bytes again are the same document.

    Raises: SubnetUnknown, NotTheOwner, DocumentRefused, TextRefused, TooManyDocuments.
    """
    slots.lock_own_subnet(netuid, owner)
    kind = _checked_kind(content)
    digest = hashlib.sha256(content).hexdigest()
    if earlier := queries.same_document(netuid, owner=owner, digest=digest):
        return earlier
    if queries.shown_count(netuid, owner=owner) >= DOCUMENTS_MAX:
        raise TooManyDocuments(limit=DOCUMENTS_MAX)
    document = Document.objects.create(
        netuid=netuid,
        owner=owner,
        name=naming.read_prose(name, field="name", length_max=NAME_MAX) or "Document",
        content_type=kind,
        size_bytes=len(content),
        digest=digest,
        content=content,
        uploaded_at=now,
    )
    logger.info("document:added document=%s netuid=%s bytes=%s", document.id, netuid, len(content))
    return document


@transaction.atomic
def withdraw_document(*, document_id: UUID, owner: UUID, now: datetime) -> Document:
    """Show a document no longer; what was read of it stays on record. Raises: DocumentUnknown."""
    document = queries.lock_document(document_id, owner=owner)
    if document.withdrawn_at is None:
        document.withdrawn_at = now
        document.save(update_fields=["withdrawn_at"])
    return document


@transaction.atomic
def read_document(*, document_id: UUID, reader: UUID, now: datetime) -> Document:
    """Hand a document out and put the reading on record; the owner's own are not. Raises: DocumentUnknown."""
    document = queries.document(document_id)
    if document.owner != reader:
        DocumentReading.objects.create(document=document, reader=reader, read_at=now)
    return document


def _checked_kind(content: bytes) -> str:
    """Return the kind of a file that is taken. Raises: DocumentRefused."""
    if not 0 < len(content) <= SIZE_BYTES_MAX:
        raise DocumentRefused(reason=f"it has to hold 1 byte to {SIZE_BYTES_MAX // 1024**2} MB")
    kind = filetypes.content_type(content)
    if kind is None:
        raise DocumentRefused(reason="PDF, PNG, JPEG and plain text (UTF-8) are taken")
    return kind

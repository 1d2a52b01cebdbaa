"""Documents of a data room. Their bytes are read only to hand them out."""

from uuid import UUID

from django.db.models import Count, QuerySet

from marketplace.errors import DocumentUnknown
from marketplace.models import Document, DocumentReading
from subnets.models import Subnet

READINGS_SHOWN = 200  # the newest; older ones stay on record


def documents_of(netuid: int) -> list[Document]:
    """List what the present owner of a subnet shows, the newest first, with how often each was read."""
    owner = Subnet.objects.filter(netuid=netuid).values("owner")
    shown = _shown(netuid).filter(owner=owner[:1]).annotate(reading_count=Count("readings"))
    return list(shown.order_by("-uploaded_at", "id"))


def document(document_id: UUID) -> Document:
    """Return a document that its subnet's present owner shows. Raises: DocumentUnknown."""
    found = Document.objects.filter(pk=document_id, withdrawn_at=None).first()
    if found is None or not Subnet.objects.filter(netuid=found.netuid, owner=found.owner).exists():
        raise DocumentUnknown(document_id=document_id)
    return found


def lock_document(document_id: UUID, *, owner: UUID) -> Document:
    """Lock a document of an owner. Raises: DocumentUnknown."""
    rows = Document.objects.select_for_update(of=("self",)).defer("content")
    found = rows.filter(pk=document_id, owner=owner).first()
    if found is None:
        raise DocumentUnknown(document_id=document_id)
    return found


def same_document(netuid: int, *, owner: UUID, digest: str) -> Document | None:
    """Find the document with these bytes that an owner shows already."""
    return _shown(netuid).filter(owner=owner, digest=digest).first()


def shown_count(netuid: int, *, owner: UUID) -> int:
    """Count what an owner shows of a subnet."""
    return _shown(netuid).filter(owner=owner).count()


def readings_of(netuid: int, *, owner: UUID) -> list[DocumentReading]:
    """List who read an owner's documents, the newest first."""
    rows = DocumentReading.objects.filter(document__netuid=netuid, document__owner=owner)
    named = rows.select_related("document").defer("document__content")
    return list(named[:READINGS_SHOWN])


def _shown(netuid: int) -> QuerySet[Document]:
    return Document.objects.filter(netuid=netuid, withdrawn_at=None).defer("content")

"""Documents of a data room: what is taken, who reads it, and the record of it."""

from uuid import uuid4

import pytest

from marketplace import filetypes, operations, queries
from marketplace.errors import DocumentRefused, DocumentUnknown, TooManyDocuments
from marketplace.models import DocumentReading
from marketplace.operations import documents
from subnets import operations as subnets
from subnets.errors import NotTheOwner
from tests.marketplace import world
from tests.marketplace.conftest import NOW

PDF = b"%PDF-1.7\nbooks of the year"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PDF, "application/pdf"),
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        ("Umsätze;1 234\r\n".encode(), "text/plain"),
        (b"<html><script>alert(1)</script>", "text/plain"),
        (b"PK\x03\x04", None),
        (b"MZ\x90\x00", None),
        (b"\x7fELF", None),
        (b"text with a \x1b sequence", None),
        ("Umsätze".encode("latin-1"), None),
    ],
)
def test_the_kind_of_a_file_is_told_by_what_is_in_it(content, kind):
    assert filetypes.content_type(content) == kind


@pytest.mark.parametrize(
    ("name", "handed_out"),
    [
        ("books 2026.exe", "books-2026.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ('a"; filename="b.html', "a-filename-b.pdf"),
        ("账本.pdf", "document.pdf"),
        ("x" * 200, "x" * 60 + ".pdf"),
    ],
)
def test_a_file_is_handed_out_under_a_plain_name(name, handed_out):
    assert filetypes.file_name(name, filetypes.PDF) == handed_out


@pytest.fixture
def room(db):
    """Return an owner and the number of their subnet."""
    owner = world.person(tao=1_000)
    return owner, world.subnet(owner)


def shown(room, content=PDF, **changes):
    owner, netuid = room
    said = {"netuid": netuid, "owner": owner.id, "name": "Books", "now": NOW} | changes
    return operations.add_document(content=content, **said)


def test_the_same_bytes_are_one_document(room):
    first, again, other = (
        shown(room),
        shown(room, name="Again"),
        shown(room, b"A table; 1; 2", now=NOW + world.HOUR),
    )

    assert (first, first.name) == (again, "Books")
    assert [one.id for one in queries.documents_of(room[1])] == [other.id, first.id]


@pytest.mark.parametrize("content", [b"", b"MZ\x90\x00", b"x" * (documents.SIZE_BYTES_MAX + 1)])
def test_other_files_are_refused(room, content):
    with pytest.raises(DocumentRefused):
        shown(room, content)
    assert queries.documents_of(room[1]) == []


def test_only_the_owner_shows_documents_and_so_many(room, monkeypatch):
    with pytest.raises(NotTheOwner):
        shown(room, owner=uuid4())
    monkeypatch.setattr(documents, "DOCUMENTS_MAX", 1)
    first = shown(room)
    with pytest.raises(TooManyDocuments):
        shown(room, b"one more")

    operations.withdraw_document(document_id=first.id, owner=room[0].id, now=NOW)
    assert shown(room, b"one more").name == "Books"


def test_every_reading_but_the_owners_is_on_record(room):
    document, reader = shown(room), uuid4()
    for who in (reader, room[0].id):
        read = operations.read_document(document_id=document.id, reader=who, now=NOW)
        assert bytes(read.content) == PDF

    readings = queries.readings_of(room[1], owner=room[0].id)
    assert [(one.reader, one.read_at) for one in readings] == [(reader, NOW)]
    assert queries.documents_of(room[1])[0].reading_count == 1


def test_nobody_reads_what_was_withdrawn_or_what_a_former_owner_showed(room):
    owner, netuid = room
    document, other = shown(room), shown(room, b"other")
    operations.withdraw_document(document_id=other.id, owner=owner.id, now=NOW)
    subnets.transfer_ownership(
        netuid=netuid, seller=owner.id, buyer=world.person().id, price_rao=1, now=NOW
    )

    for gone in (document, other):
        with pytest.raises(DocumentUnknown):
            operations.read_document(document_id=gone.id, reader=uuid4(), now=NOW)
    assert queries.documents_of(netuid) == []
    assert not DocumentReading.objects.exists()

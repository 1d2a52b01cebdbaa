"""Pages of documents and disputes, and what staff decides about them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from marketplace import queries as market
from marketplace.models import AccountLink, Dispute, DocumentReading
from tests import make
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, open_auction, read  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client):
    owner = world.person(tao=100)
    client.force_login(owner)
    return owner


def shown(client, netuid, content=b"%PDF-1.7 books", name="Books"):
    file = SimpleUploadedFile("../x.html", content, content_type="text/html")
    return client.post(
        reverse("documents", args=[netuid]), {"name": name, "file": file}, follow=True
    ).content.decode()


def test_a_document_is_shown_read_and_withdrawn(client, owner):
    netuid = world.subnet(owner)
    assert "You show nothing yet" in read(client, "documents", netuid)
    assert "can read the document now" in shown(client, netuid)
    document = market.documents_of(netuid)[0]
    place = reverse("document", args=[document.id])

    client.logout()
    assert "Books" in read(client, "documents", netuid)
    assert client.get(place).status_code == 302
    reader = world.person()
    client.force_login(reader)
    file = client.get(place)

    assert file.content == b"%PDF-1.7 books"
    assert file["Content-Type"] == "application/pdf"
    assert file["Content-Disposition"] == 'attachment; filename="Books.pdf"'
    assert "sandbox" in file["Content-Security-Policy"]
    assert DocumentReading.objects.get().reader == reader.id
    assert client.post(reverse("withdraw_document", args=[document.id])).status_code == 404
    client.force_login(owner)
    assert str(reader.id)[:8] in read(client, "documents", netuid)
    client.post(reverse("withdraw_document", args=[document.id]))
    assert client.get(place).status_code == 404


def test_files_that_are_not_taken_are_refused_where_they_were_chosen(client, owner):
    netuid = world.subnet(owner)
    assert "PDF, PNG, JPEG and plain text" in shown(client, netuid, b"MZ\x90\x00")
    client.force_login(world.person())
    assert "not yours" in shown(client, netuid)
    client.logout()
    assert "You are not signed in" in shown(client, netuid)
    assert market.documents_of(netuid) == []


def test_a_problem_is_reported_by_the_buyer_and_decided_by_staff(client):
    on, buyer = open_auction(), world.person(tao=100)
    world.bid(on, buyer, 20, now=timezone.now())
    sale = world.settle(on, now=max(on.closes_at, timezone.now()))
    client.force_login(world.person())
    read(client, "dispute", sale.id, status=404)
    client.force_login(buyer)
    assert "Report it" in read(client, "dispute", sale.id)
    client.post(reverse("dispute", args=[sale.id]), {"text": "No miner answers."})
    assert "Staff looks into it" in read(client, "dispute", sale.id)
    opened = Dispute.objects.get()

    client.force_login(make.user(staff=True))
    place = reverse("admin:marketplace_dispute_change", args=[opened.pk])
    client.post(place, {"state": "upheld", "answer": "The books agree."})

    opened.refresh_from_db()
    assert (opened.state, opened.answer) == ("upheld", "The books agree.")
    assert market.reputation(sale.seller).disputed_count == 1


def test_staff_links_two_accounts_in_whatever_order(client):
    one, other = sorted([world.person().id, world.person().id])
    client.force_login(make.user(staff=True))

    client.post(
        reverse("admin:marketplace_accountlink_add"),
        {"first": other, "second": one, "note": "one address"},
    )

    link = AccountLink.objects.get()
    assert (link.first, link.second, link.note) == (one, other, "one address")

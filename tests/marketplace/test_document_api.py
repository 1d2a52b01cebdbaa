"""Documents, disputes and reputations over REST."""

from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from marketplace.models import DocumentReading
from tests.marketplace import world
from tests.marketplace.reading import open_auction

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7 books"


def sent(client, netuid, content):
    return client.post(
        reverse("api-documents", args=[netuid]),
        {"name": "Books", "file": SimpleUploadedFile("x.pdf", content)},
    )


def test_a_document_is_shown_listed_read_and_withdrawn(client):
    owner, reader = world.person(tao=100), world.person()
    netuid = world.subnet(owner)
    client.force_login(owner)
    shown = sent(client, netuid, PDF)
    assert shown.status_code == 201
    place = reverse("api-document", args=[shown.json()["id"]])

    client.logout()
    listed = client.get(reverse("api-documents", args=[netuid])).json()["results"]
    assert [one["name"] for one in listed] == ["Books"]
    assert client.get(place).status_code in {401, 403}
    client.force_login(reader)
    assert client.get(place).content == PDF
    assert DocumentReading.objects.get().reader == reader.id
    gone = reverse("api-withdraw-document", args=[shown.json()["id"]])
    assert client.post(gone).status_code == 404
    client.force_login(owner)
    assert client.post(gone).status_code == 200
    assert client.get(place).status_code == 404


def test_a_file_of_another_kind_or_for_another_subnet_is_refused(client):
    netuid = world.subnet(world.person(tao=100))
    owner = world.person(tao=100)
    own = world.subnet(owner)
    client.force_login(owner)

    assert sent(client, own, b"MZ\x90\x00").json()["code"] == "document_refused"
    assert sent(client, netuid, PDF).json()["code"] == "not_the_owner"
    assert client.get(reverse("api-documents", args=[99])).json()["code"] == "subnet_unknown"


def test_a_purchase_is_disputed_and_counted(client):
    on, buyer = open_auction(), world.person(tao=100)
    world.bid(on, buyer, 20, now=timezone.now())
    sale = world.settle(on)
    client.force_login(buyer)

    said = client.post(
        reverse("api-dispute", args=[sale.id]),
        {"text": "Not as stated."},
        content_type="application/json",
    )

    assert (said.status_code, said.json()["state"]) == (201, "open")
    known = client.get(reverse("api-reputation", args=[sale.seller])).json()
    assert (known["sold_count"], known["open_dispute_count"]) == (1, 1)
    other = client.post(
        reverse("api-dispute", args=[uuid4()]), {"text": "x"}, content_type="application/json"
    )
    assert other.json()["code"] == "sale_unknown"

"""A bundle lies in the database as the bytes that were hashed, and those of older databases are packed as they are."""

import hashlib
import json
import zlib

import pytest
from django.core.management import call_command
from django.db import connection

from neurons.protocol import canonical_json
from subnets import bundle as bundles
from subnets import packing, queries
from subnets.models import Epoch
from tests.subnets import town, worlds

BEFORE = "0002_pay_engine"


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def migrate(*targets):
    call_command("migrate", *targets, verbosity=0)


def test_what_was_packed_comes_back():
    value = {"b": [1, 2.5, None], "a": {"ß": "x" * 1_000}}

    assert packing.unpacked(packing.packed(value)) == value
    assert packing.text(packing.packed(value)) == canonical_json(value)
    assert len(packing.packed(value)) < 200


def test_what_zlib_deflated_is_read_like_what_is_deflated_today():
    content = canonical_json({"digest": "0f" * 5_000, "ß": list(range(2_000))})

    assert packing.text(zlib.compress(content, 1)) == content
    assert zlib.decompress(packing.deflated(content)) == content


@pytest.mark.django_db
def test_a_bundle_is_served_as_the_bytes_that_were_hashed(client):
    place = town.founded()
    epoch = town.closed(place)

    served = client.get(f"/api/v1/subnets/{place.netuid}/epochs/1/bundle.json")

    body = json.loads(served.content)
    assert served.content == canonical_json(body) == queries.bundle_text(place.netuid, 1)
    assert body == epoch.bundle == Epoch.objects.get().bundle
    stated = body.pop("digest")
    assert stated == hashlib.sha256(canonical_json(body)).hexdigest() == epoch.digest
    assert client.get(f"/api/v1/subnets/{place.netuid}/epochs/2/bundle.json").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_bundles_of_an_older_database_are_packed_and_hand_on_what_they_did():
    place = town.founded()
    first = town.closed(place)
    handed_on = queries.handover(place.netuid, 1)
    try:
        migrate("subnets", BEFORE)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT bundle -> 'record' ->> 'number', jsonb_typeof(bundle) FROM subnets_epoch"
            )
            assert cursor.fetchall() == [("1", "object")]
    finally:
        migrate()

    kept = Epoch.objects.get()
    assert kept.bundle == first.bundle
    assert bundles.digest(kept.bundle) == kept.digest == first.digest
    assert queries.handover(place.netuid, 1) == handed_on
    assert handed_on.smoothed
    assert town.closed(place).bundle["previous_digest"] == first.digest
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'subnets_epoch'::regclass"
            " AND tgenabled = 'D'"
        )
        assert cursor.fetchall() == []

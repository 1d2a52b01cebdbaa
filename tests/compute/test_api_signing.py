"""Who signed this? Every way in which a request can be somebody else's, old, or changed on the way."""

import json
import time

import pytest
from bittensor import http_auth
from bittensor_core import Keypair as OfficialKeypair
from redis.exceptions import ConnectionError as RedisGone

from compute.models import Machine
from neurons import protocol
from subnets import operations as subnets
from subnets.api import authentication
from subnets.api.authentication import receiver
from tests import make
from tests.compute import wire
from tests.compute.wire import MACHINE, refusal, send, signed, signed_headers

pytestmark = pytest.mark.usefixtures("db")

BODY = json.dumps(MACHINE).encode()
SECOND_NS = 10**9


@pytest.fixture
def key(db):
    return make.linked(make.user().pk, now=wire.now())


def test_a_signed_request_of_a_linked_hotkey_is_taken(key):
    answer = signed(key, "POST", "machines/", MACHINE)

    assert answer.status_code == 200
    machine = Machine.objects.get()
    assert answer.json() == {"machine_id": str(machine.pk)}
    assert machine.hotkey == key.ss58_address


def test_the_official_sdk_signs_what_is_accepted_here():
    official = OfficialKeypair.create_from_seed(bytes(range(32)))
    code = subnets.open_challenge(owner=make.user().pk, now=wire.now()).code
    subnets.link_hotkey(ss58=official.ss58_address, code=code, name="sdk", now=wire.now())

    headers = http_auth.sign(
        official, method="POST", path="/api/v1/machines/", body=BODY, receiver_ss58=receiver()
    )

    assert send("POST", "machines/", BODY, headers=headers).status_code == 200


def test_an_unsigned_request_is_refused():
    answer = send("POST", "machines/", BODY)

    assert refusal(answer) == (401, "signature_missing")
    assert answer.headers["WWW-Authenticate"]
    assert not Machine.objects.exists()


@pytest.mark.parametrize("seconds", [-11, 3])
def test_a_request_from_another_time_is_refused(key, seconds):
    at_ns = time.time_ns() + seconds * SECOND_NS

    answer = signed(key, "POST", "machines/", MACHINE, at_ns=at_ns)

    assert refusal(answer) == (401, "stale_request")
    assert not Machine.objects.exists()


def test_a_request_sent_again_is_refused(key):
    headers = signed_headers(key, "POST", "machines/", BODY)
    assert send("POST", "machines/", BODY, headers=headers).status_code == 200

    answer = send("POST", "machines/", BODY, headers=headers)

    assert refusal(answer) == (401, "replayed_request")


def test_a_body_changed_on_the_way_is_refused(key):
    headers = signed_headers(key, "POST", "machines/", BODY)

    answer = send("POST", "machines/", BODY.replace(b"rig", b"rug"), headers=headers)

    assert refusal(answer) == (401, "bad_signature")
    assert not Machine.objects.exists()


def test_a_signature_for_another_path_or_query_is_refused(key):
    headers = signed_headers(key, "GET", "samples/?netuid=1", b"")

    assert refusal(send("GET", "samples/?netuid=2", headers=headers)) == (401, "bad_signature")


def test_a_signature_for_another_method_is_refused(key):
    headers = signed_headers(key, "GET", "machines/", BODY)

    assert refusal(send("POST", "machines/", BODY, headers=headers)) == (401, "bad_signature")


def test_a_request_for_another_server_is_refused(key):
    answer = signed(key, "POST", "machines/", MACHINE, to=make.keypair().ss58_address)

    assert refusal(answer) == (401, "wrong_receiver")
    assert not Machine.objects.exists()


def test_a_request_for_no_server_at_all_is_refused(key):
    headers = signed_headers(key, "POST", "machines/", BODY)
    del headers[protocol.HEADER_RECEIVER]

    assert refusal(send("POST", "machines/", BODY, headers=headers)) == (401, "wrong_receiver")


def test_a_hotkey_cannot_speak_for_another(key):
    thief = make.keypair()
    headers = signed_headers(thief, "POST", "machines/", BODY)
    headers[protocol.HEADER_HOTKEY] = key.ss58_address

    assert refusal(send("POST", "machines/", BODY, headers=headers)) == (401, "bad_signature")
    assert not Machine.objects.exists()


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (protocol.HEADER_VERSION, "2"),
        (protocol.HEADER_NONCE, "-1"),
        (protocol.HEADER_NONCE, "1" * 21),
        (protocol.HEADER_NONCE, "٣"),
        (protocol.HEADER_SIGNATURE, "0x00"),
        (protocol.HEADER_HOTKEY, "5" + "F" * 47),
        (protocol.HEADER_CRYPTO, "ecdsa"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(key, header, value):
    headers = signed_headers(key, "POST", "machines/", BODY) | {header: value}

    assert refusal(send("POST", "machines/", BODY, headers=headers)) == (401, "signature_malformed")


def test_a_hotkey_nobody_answers_for_is_told_to_link_first():
    stranger = make.keypair()

    answer = signed(stranger, "POST", "machines/", MACHINE)

    assert refusal(answer) == (403, "hotkey_not_linked")
    assert answer.json()["hotkey"] == stranger.ss58_address
    assert not Machine.objects.exists()


def test_without_the_store_of_nonces_nothing_is_accepted(key, monkeypatch):
    def broken(*_):
        raise RedisGone

    monkeypatch.setattr(authentication.cache, "add", broken, raising=False)

    answer = signed(key, "POST", "machines/", MACHINE)

    assert refusal(answer) == (503, "nonce_store_unavailable")
    assert not Machine.objects.exists()


def test_a_session_does_not_replace_a_signature(key):
    client = wire.session(make.user())

    answer = client.post(wire.address("machines/"), BODY, content_type="application/json")

    assert refusal(answer) == (401, "signature_missing")

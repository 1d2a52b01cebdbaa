"""Requests to the API as neurons and consumers send them."""

import json
import time
from itertools import count

from django.test import Client
from django.utils import timezone

from neurons import protocol
from subnets.api.authentication import receiver
from tests import make

MACHINE = {
    "name": "rig",
    "cpu_model": "a processor",
    "cpu_count": 4,
    "memory_bytes": 2**33,
    "gpus": [],
    "blueprints": ["matmul"],
    "concurrency": 1,
}
_nonces = count()


def address(path):
    return f"/api/v1/{path}"


def nonce_ns():
    """Name the time, never twice the same."""
    return time.time_ns() + next(_nonces)


def signed_headers(key, method, path, body, *, to=None, at_ns=None):
    return protocol.auth_headers(
        keypair=key,
        method=method,
        path=address(path),
        body=body,
        receiver=to or receiver(),
        nonce_ns=at_ns or nonce_ns(),
    )


def send(method, path, body=b"", *, headers=None):
    return Client().generic(
        method, address(path), body, content_type="application/json", headers=headers or {}
    )


def signed(key, method, path, body=None, **options):
    """Send a signed request; a body that is no bytes is written as JSON."""
    content = (
        b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    )
    return send(
        method, path, content, headers=signed_headers(key, method, path, content, **options)
    )


def session(user):
    """Sign somebody in."""
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def ordered(client, body, *, key="one order"):
    """Order a job over the API."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(address("jobs/"), body, content_type="application/json", headers=headers)


def refusal(answer):
    """Return status and code of a problem document, which it must be."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.content
    body = answer.json()
    assert body["status"] == answer.status_code
    assert {"type", "title", "detail"} <= set(body)
    return answer.status_code, body["code"]


def now():
    """Return the time that the API's edge will ask for."""
    return timezone.now()


def miner(netuid, **options):
    return make.miner(netuid, now=now(), **options)


def leased(netuid):
    """Return a miner and its open lease on an ordered job."""
    worker = miner(netuid)
    make.job(netuid, make.rich_owner(10, now=now()), now=now())
    [lease] = make.dispatched(now=now())
    return worker, lease


def judged(netuid):
    """Return a result that waits for scores, and a validator."""
    worker, lease = leased(netuid)
    validator = make.validator(netuid, now=now())
    return make.returned(lease, worker, now=now()), validator


def as_json(score):
    return {
        "result_id": str(score.result_id),
        "score_ppm": score.score_ppm,
        "reason": score.reason,
        "signature": score.signature,
    }

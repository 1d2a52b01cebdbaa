"""Lines as JSON: one object each, its ids as members; and no secret in any of them."""

import json
import logging
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from config.logs import JsonLines, RequestIdFilter
from ledger.scopes import Scope
from marketplace import operations
from tests import make
from tests.compute import wire


def written(message, *args, **facts):
    record = logging.LogRecord("a.logger", logging.INFO, "file", 1, message, args, None)
    record.__dict__.update(facts)
    return JsonLines().format(record)


def test_a_line_is_one_object_whose_ids_are_members():
    line = json.loads(written("job:settled job=%s price_rao=%s", "j-1", 7, request_id="r-1"))

    assert (line["job"], line["price_rao"], line["request"]) == ("j-1", "7", "r-1")
    assert (line["level"], line["logger"]) == ("INFO", "a.logger")
    assert line["event"] == "job:settled job=j-1 price_rao=7"


def test_what_a_message_says_cannot_write_a_line_of_its_own_or_pass_for_its_id():
    line = written('x=1\n{"level": "FATAL"} request=forged level=FATAL', request_id="r-1")

    assert "\n" not in line
    assert (json.loads(line)["request"], json.loads(line)["level"]) == ("r-1", "INFO")


class Kept(logging.Handler):
    def __init__(self):
        super().__init__(logging.DEBUG)
        self.addFilter(RequestIdFilter())
        self.setFormatter(JsonLines())
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.mark.django_db
def test_no_key_signature_password_or_webhook_secret_is_logged(settings):
    settings.WEBHOOKS_TO_LOOPBACK = True
    now, kept = timezone.now(), Kept()
    make.network(now=now)
    user, neuron = make.user(email="ada@example.com"), make.keypair()
    key = operations.create_api_key(
        owner=user.pk, name="bot", scopes=list(Scope), expires_at=now + timedelta(1), now=now
    )
    root = logging.getLogger()
    root.addHandler(kept)
    try:
        headers = {"Authorization": f"Bearer {key.text}", "Idempotency-Key": "one"}
        body = {"url": "http://127.0.0.1:9/hook", "kinds": []}
        made = Client().post("/api/v1/webhook-endpoints/", body, content_type="application/json", headers=headers)  # fmt: skip
        wrong = f"{key.text[:-4]}xxxx"
        Client().get("/api/v1/wallet/", headers={"Authorization": f"Bearer {wrong}"})
        wire.signed(neuron, "POST", "machines/", {"name": "rig"})
        form = {"login": user.email, "password": "a wrong and secret word"}
        Client().post("/accounts/login/", form)
    finally:
        root.removeHandler(kept)

    assert made.status_code == 201, made.content
    said = "\n".join(kept.lines)
    secret = key.text.rpartition("_")[2]
    for one in (secret, wrong, made.json()["secret"], "secret word", "sr25519"):
        assert one not in said
    assert len(kept.lines) >= 2

"""API keys: what they open, what they do not, and how they end."""

import logging
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from ledger.rest import limits
from ledger.rest.limits import AuthThrottle, Throttle
from ledger.scopes import Scope
from marketplace import operations, queries, tokens
from marketplace.errors import ApiKeyTermsInvalid, ApiKeyUnknown, TooManyApiKeys
from marketplace.models import ApiKey, Bid
from marketplace.operations import api_keys
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db


def made(owner, *scopes, now=NOW, days=90, **terms):
    return operations.create_api_key(
        owner=owner.id,
        name="bot",
        scopes=scopes or list(Scope),
        expires_at=now + timedelta(days=days),
        now=now,
        **terms,
    )


def bearer(text, **headers):
    return {"Authorization": f"Bearer {text}", **headers}


def bid(text, on, tao=40, key="one"):
    return Client(enforce_csrf_checks=True).post(
        f"/api/v1/auctions/{on.id}/bids/",
        {"max_rao": str(tao * TAO)},
        content_type="application/json",
        headers=bearer(text, **{"Idempotency-Key": key}),
    )


@pytest.fixture
def ada(db):
    return world.person(tao=100)


@pytest.fixture
def key(ada):
    return made(ada, now=timezone.now())


def refusal(answer):
    return answer.status_code, answer.json()["code"]


# What is kept ------------------------------------------------------------------------------------


def test_a_secret_is_shown_once_and_kept_as_a_digest(ada):
    new = made(ada, Scope.READ)

    row = ApiKey.objects.get()
    token = tokens.read_token(new.text)
    assert (row.id, row.secret_digest) == (token.id, tokens.digest(token.secret))
    assert token.secret not in repr(new)
    assert token.secret not in " ".join(str(value) for value in vars(row).values())


def test_a_key_ends_within_a_year_and_may_do_something(ada):
    for terms in ({"days": 0}, {"days": 367}, {"networks": ["anywhere"]}):
        with pytest.raises(ApiKeyTermsInvalid):
            made(ada, **terms)
    with pytest.raises(ApiKeyTermsInvalid):
        operations.create_api_key(
            owner=ada.id, name="bot", scopes=[], expires_at=NOW + timedelta(days=1), now=NOW
        )

    assert made(ada, days=366).row.scopes == [scope.value for scope in Scope]


def test_a_person_keeps_a_bounded_number_of_working_keys(ada, monkeypatch):
    monkeypatch.setattr(api_keys, "API_KEYS_MAX", 2)
    first, _ = made(ada), made(ada)
    with pytest.raises(TooManyApiKeys) as refused:
        made(ada)

    operations.revoke_api_key(key_id=first.row.id, owner=ada.id, now=NOW)

    assert refused.value.fields == {"limit": 2}
    assert made(ada).row.revoked_at is None


def test_a_key_keeps_its_rights_and_its_row(ada):
    row = made(ada, Scope.READ).row

    for change in ({"scopes": ["bid"]}, {"secret_digest": "0" * 64}, {"expires_at": NOW}):
        with pytest.raises(DatabaseError), transaction.atomic():
            ApiKey.objects.filter(pk=row.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        ApiKey.objects.filter(pk=row.pk).delete()


def test_nobody_revokes_somebody_elses_key(ada):
    row = made(ada).row

    with pytest.raises(ApiKeyUnknown):
        operations.revoke_api_key(key_id=row.id, owner=world.person().id, now=NOW)

    row.refresh_from_db()
    assert row.revoked_at is None


def test_use_is_noted_once_a_minute(ada, django_assert_num_queries):
    row = made(ada).row
    operations.note_use(row, now=NOW)
    row.refresh_from_db()

    with django_assert_num_queries(0):
        operations.note_use(row, now=NOW + timedelta(seconds=59))
    operations.note_use(row, now=NOW + timedelta(seconds=60))

    row.refresh_from_db()
    assert row.last_used_at == NOW + timedelta(seconds=60)


# What it opens -----------------------------------------------------------------------------------


def test_a_key_bids_without_a_csrf_token(ada, key):
    on = world.auction(now=timezone.now())

    answer = bid(key.text, on)

    assert answer.status_code == 201
    assert Bid.objects.get().bidder == ada.id
    assert queries.api_key(key.row.id).last_used_at is not None


@pytest.mark.parametrize(
    ("scope", "expected"), [(Scope.BID, 201), (Scope.READ, 403), (Scope.SELL, 403)]
)
def test_a_key_does_what_its_scopes_say(ada, scope, expected):
    on = world.auction(now=timezone.now())

    answer = bid(made(ada, scope, now=timezone.now()).text, on)

    assert answer.status_code == expected
    if expected == 403:
        assert (answer.json()["code"], answer.json()["scope"]) == ("scope_missing", "bid")
        assert Bid.objects.count() == 0


def test_a_key_reads_its_owners_wallet_with_the_scope_for_it(ada, client):
    reading, bidding = (made(ada, scope, now=timezone.now()) for scope in (Scope.READ, Scope.BID))

    assert client.get("/api/v1/wallet/", headers=bearer(reading.text)).json()["posted_rao"] == str(
        100 * TAO
    )
    refused = client.get("/api/v1/wallet/", headers=bearer(bidding.text))
    assert (refused.status_code, refused.json()["scope"]) == (403, "read")


def test_two_keys_work_until_the_old_one_is_revoked(ada, client):
    old, new = (made(ada, now=timezone.now()) for _ in range(2))
    path = f"/api/v1/api-keys/{old.row.id}/"

    both = [client.get("/api/v1/wallet/", headers=bearer(one.text)) for one in (old, new)]
    revoked = client.delete(path, headers=bearer(new.text))
    after = client.get("/api/v1/wallet/", headers=bearer(old.text))

    assert [answer.status_code for answer in both] == [200, 200]
    assert revoked.json()["revoked_at"] is not None
    assert refusal(after) == (401, "api_key_revoked")
    assert client.get("/api/v1/wallet/", headers=bearer(new.text)).status_code == 200


def test_no_key_makes_another(ada, key, client):
    answer = client.post(
        "/api/v1/api-keys/", {}, content_type="application/json", headers=bearer(key.text)
    )

    assert refusal(answer) == (403, "api_key_not_accepted")
    assert ApiKey.objects.count() == 1


def test_a_person_lists_their_own_keys_without_secrets(ada, key, client):
    made(world.person())

    answer = client.get("/api/v1/api-keys/", headers=bearer(key.text))

    assert [row["id"] for row in answer.json()["results"]] == [key.row.id]
    assert "digest" not in answer.content.decode()


# What it does not --------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["", "nonsense", "snm_live_x_y", "snm_live_%s_" + "0" * 40, "a b"])
def test_a_wrong_key_is_401_and_says_how_to_ask(ada, key, client, sent):
    text = sent.replace("%s", key.row.id)

    answer = client.get("/api/v1/wallet/", headers=bearer(text))

    assert refusal(answer) == (401, "api_key_invalid")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_nobody_is_401_with_the_scheme(client, db):
    answer = client.get("/api/v1/wallet/")

    assert refusal(answer) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_wrong_key_costs_one_look_up(key, client, django_assert_num_queries):
    text = f"snm_live_{key.row.id}_{'0' * 40}"

    with django_assert_num_queries(1):
        client.get("/api/v1/wallet/", headers=bearer(text))


def test_a_key_past_its_end_is_said_to_be(ada, client):
    old = made(ada, now=timezone.now() - timedelta(days=91))

    assert refusal(client.get("/api/v1/wallet/", headers=bearer(old.text))) == (
        401,
        "api_key_expired",
    )


def test_a_key_of_a_closed_account_opens_nothing(ada, key, client):
    ada.is_active = False
    ada.save(update_fields=["is_active"])

    answer = client.get("/api/v1/wallet/", headers=bearer(key.text))

    assert refusal(answer) == (401, "api_key_invalid")


def test_a_key_is_used_from_its_networks_alone(ada, client):
    near = made(ada, now=timezone.now(), networks=["127.0.0.0/8"])
    far = made(ada, now=timezone.now(), networks=["192.0.2.0/24"])

    assert client.get("/api/v1/wallet/", headers=bearer(near.text)).status_code == 200
    refused = client.get("/api/v1/wallet/", headers=bearer(far.text))
    assert refusal(refused) == (403, "api_key_address_refused")
    forged = client.get(
        "/api/v1/wallet/", headers=bearer(far.text, **{"X-Forwarded-For": "192.0.2.1"})
    )
    assert forged.status_code == 403


def test_an_address_that_sends_many_wrong_keys_is_slowed_down(key, client, monkeypatch):
    monkeypatch.setattr(AuthThrottle, "usual_rate", "2/min")

    answers = [client.get("/api/v1/wallet/", headers=bearer("nonsense")) for _ in range(3)]
    elsewhere = client.get("/api/v1/wallet/", headers=bearer(key.text), REMOTE_ADDR="192.0.2.1")

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert int(answers[2]["Retry-After"]) > 0
    assert '"auth";r=0' in answers[2]["RateLimit"]
    assert elsewhere.status_code == 200


@pytest.fixture
def suspects(monkeypatch):
    """Let this process know no address yet, as one that was just started."""
    monkeypatch.setattr(limits, "_suspects", limits._Suspects())
    return limits._suspects


def looks_at_wrong_keys(monkeypatch):
    """Note what Redis is asked about addresses."""
    asked, count = [], Throttle.count

    def noted(throttle, identity, *, by=1):
        asked.extend([by] * (throttle.bucket == "auth"))
        return count(throttle, identity, by=by)

    monkeypatch.setattr(Throttle, "count", noted)
    return asked


def test_redis_is_asked_about_addresses_that_sent_wrong_keys_alone(
    key, client, suspects, monkeypatch
):
    asked = looks_at_wrong_keys(monkeypatch)

    for sent in (key.text, "nonsense", key.text):
        client.get("/api/v1/wallet/", headers=bearer(sent))
    client.get("/api/v1/wallet/", headers=bearer(key.text), REMOTE_ADDR="192.0.2.1")

    assert asked == [1, 0]


def test_what_another_process_counted_is_heard_with_the_first_wrong_key(
    key, client, suspects, monkeypatch
):
    monkeypatch.setattr(AuthThrottle, "usual_rate", "2/min")
    for _ in range(3):
        client.get("/api/v1/wallet/", headers=bearer("nonsense"))
    suspects._until_ms.clear()  # which those were told to

    wrong, right = (
        client.get("/api/v1/wallet/", headers=bearer(sent)) for sent in ("nonsense", key.text)
    )

    assert (wrong.status_code, right.status_code) == (429, 429)


def test_a_process_that_knows_too_many_addresses_asks_about_all(suspects, monkeypatch):
    monkeypatch.setattr(limits, "SUSPECTS_MAX", 2)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        suspects.add(address, for_ms=60_000)

    assert suspects.has("192.0.2.9")
    for address in suspects._until_ms:
        suspects._until_ms[address] = 0
    suspects.add("192.0.2.4", for_ms=60_000)
    assert [suspects.has(f"192.0.2.{last}") for last in (1, 4, 9)] == [False, True, False]


def test_no_log_line_holds_a_secret(ada, client, caplog):
    caplog.set_level(logging.DEBUG)
    key = made(ada, now=timezone.now())
    secret = tokens.read_token(key.text).secret

    client.get("/api/v1/wallet/", headers=bearer(key.text))
    client.get("/api/v1/wallet/", headers=bearer(f"{key.text}0"))

    assert secret not in caplog.text


def test_a_bid_by_key_costs_eight_statements_and_a_savepoint(ada, key, django_assert_num_queries):
    on = world.auction(now=timezone.now())
    bid(key.text, on)  # the first use of a minute is noted

    # The key with its person; the claim and what it was refused, the lock, the auction, the accounts, the bid, the
    # posting; around these a savepoint.
    with django_assert_num_queries(10):
        answer = bid(key.text, on, tao=41, key="two")

    assert answer.status_code == 201


def test_a_limit_is_set_by_the_keys_owner_alone(ada, key):
    with pytest.raises(ApiKeyUnknown):
        operations.limit_api_key(key_id=key.row.id, owner=world.person().id, spend_limit_rao=1)
    with pytest.raises(ApiKeyTermsInvalid):
        operations.limit_api_key(key_id=key.row.id, owner=ada.id, spend_limit_rao=-1)

    operations.limit_api_key(key_id=key.row.id, owner=ada.id, spend_limit_rao=5)

    assert queries.api_key(key.row.id).spend_limit_rao == 5


def test_the_api_lists_limits_as_every_amount(ada, key, client):
    operations.limit_api_key(key_id=key.row.id, owner=ada.id, spend_limit_rao=TAO)

    answer = client.get("/api/v1/api-keys/", headers=bearer(key.text))

    assert answer.json()["results"][0]["spend_limit_rao"] == str(TAO)

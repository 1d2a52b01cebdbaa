"""Webhooks that go out, to a receiver on loopback that checks every signature; and mail."""

from datetime import timedelta
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.utils import timezone
from standardwebhooks import Webhook

from ledger.errors import IdempotencyConflict
from marketplace import operations, queries, retrying
from marketplace.errors import AddressRefused, EndpointUnknown, TooManyEndpoints
from marketplace.models import Delivery, Letter, Notice, User, WebhookEndpoint
from marketplace.operations.notices import _write_deliveries, _write_letters
from tests.marketplace import world
from tests.marketplace.test_egress import receiver, says

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def at_home(settings):
    settings.WEBHOOKS_TO_LOOPBACK = True


@pytest.fixture
def ada(db):
    return world.person(email="ada@example.com")


def endpoint(owner, url, *, kinds=(), key=None):
    return operations.add_endpoint(
        owner=owner.id, url=url, kinds=kinds, key=key or uuid4().hex, now=timezone.now()
    )


def notice(person, kind="won", *, about=None):
    """Write a notice and what goes out with it, as the sweep does."""
    now = timezone.now()
    row = Notice.objects.create(
        key=f"{kind}:{about or uuid4()}:{person.id}",
        person=person,
        kind=kind,
        netuid=1,
        data={"name": "Prime", "price_rao": "1500000000", "closes_at": now.isoformat()},
        happened_at=now,
        created_at=now,
    )
    _write_letters([row.pk], now=now)
    _write_deliveries([row.pk], now=now)
    return row


def deliver(now=None):
    return operations.deliver_due_webhooks(now=now or timezone.now(), jitter=0.0)


def verified(secret, asked):
    _, headers, body = asked
    return Webhook(secret).verify(body, headers)


def test_a_notice_arrives_signed_and_once(ada):
    with receiver(says(200)) as (url, seen):
        made = endpoint(ada, url)
        told = notice(ada)
        counts = [deliver(), deliver()]

    assert counts == [1, 0]
    said = verified(made.secret, seen[0])
    assert said["type"] == "auction.won"
    assert (said["data"]["notice_id"], said["data"]["price_rao"]) == (told.pk, "1500000000")
    assert "You won Prime for 1.5 TAO" in said["data"]["sentence"]
    row = Delivery.objects.get()
    assert (row.state, row.attempts, row.status) == ("delivered", 1, 200)
    assert seen[0][1]["webhook-id"] == str(row.pk)


def test_a_secret_is_not_kept_as_it_is(ada):
    with receiver(says(200)) as (url, _):
        made = endpoint(ada, url)

    made.endpoint.refresh_from_db()
    assert made.secret.startswith("whsec_")
    assert made.secret not in made.endpoint.secret


def test_a_failure_is_tried_again_under_the_same_id_when_its_time_has_come(ada):
    answers = iter([says(500, b"later"), says(200)])

    def in_turn(handler):
        next(answers)(handler)

    with receiver(in_turn) as (url, seen):
        made = endpoint(ada, url)
        notice(ada)
        now = timezone.now()
        counts = [deliver(now), deliver(now + timedelta(seconds=4))]
        row = Delivery.objects.get()
        assert (row.state, row.status, row.answer) == ("waiting", 500, "later")
        counts.append(deliver(now + timedelta(seconds=6)))

    assert counts == [1, 0, 1]
    assert seen[0][1]["webhook-id"] == seen[1][1]["webhook-id"]
    assert seen[0][2] == seen[1][2]
    assert verified(made.secret, seen[1])


def test_a_receiver_that_is_gone_is_switched_off_and_gets_no_more(ada):
    with receiver(says(410)) as (url, seen):
        made = endpoint(ada, url)
        notice(ada)
        deliver()
        notice(ada)
        deliver()

    made.endpoint.refresh_from_db()
    assert (made.endpoint.state, made.endpoint.reason) == ("disabled", "it answered 410 Gone")
    assert len(seen) == 1
    assert list(Delivery.objects.values_list("state", flat=True)) == ["failed"]


def test_a_redirect_is_a_failure(ada):
    with receiver(says(307, Location="https://example.com/")) as (url, _):
        endpoint(ada, url)
        notice(ada)
        deliver()

    row = Delivery.objects.get()
    assert (row.state, row.status) == ("waiting", 307)


def test_a_busy_receiver_is_left_alone_as_long_as_it_asks_but_not_for_ever(ada):
    with receiver(says(429, Retry_After="999999")) as (url, seen):
        made = endpoint(ada, url)
        notice(ada)
        now = timezone.now()
        deliver(now)
        notice(ada)
        deliver(now + timedelta(minutes=10))

    made.endpoint.refresh_from_db()
    assert len(seen) == 1
    assert made.endpoint.taken_until == now + timedelta(seconds=retrying.PAUSE_MAX_S)


def test_after_the_last_attempt_a_delivery_is_given_up_and_its_endpoint_switched_off(ada):
    with receiver(says(500)) as (url, seen):
        made = endpoint(ada, url)
        notice(ada)
        now = timezone.now()
        for _ in retrying.WEBHOOK_WAITS_S:
            deliver(now)
            now += timedelta(days=1, seconds=1)

    made.endpoint.refresh_from_db()
    assert len(seen) == len(retrying.WEBHOOK_WAITS_S)
    assert (Delivery.objects.get().state, made.endpoint.state) == ("failed", "disabled")


def test_a_delivery_of_a_worker_that_died_goes_out_once_its_time_is_over(ada):
    with receiver(says(200)) as (url, seen):
        made = endpoint(ada, url)
        notice(ada)
        now = timezone.now()
        WebhookEndpoint.objects.filter(pk=made.endpoint.pk).update(taken_until=now + 2 * HOUR)
        counts = [deliver(now), deliver(now + 2 * HOUR)]

    assert (counts, len(seen)) == ([0, 1], 1)


def test_after_a_rotation_both_secrets_sign_for_a_day(ada):
    with receiver(says(200)) as (url, seen):
        made = endpoint(ada, url)
        now = timezone.now()
        newer, again = (
            operations.rotate_secret(endpoint_id=made.endpoint.pk, owner=ada.id, key="one", now=now)
            for _ in range(2)
        )
        notice(ada)
        deliver()
        WebhookEndpoint.objects.update(earlier_until=now - HOUR)
        notice(ada)
        deliver()

    assert again.secret == newer.secret
    assert verified(made.secret, seen[0]) == verified(newer.secret, seen[0])
    assert len(seen[0][1]["webhook-signature"].split()) == 2
    assert len(seen[1][1]["webhook-signature"].split()) == 1
    assert verified(newer.secret, seen[1])


def test_what_was_delivered_is_sent_again_under_the_same_id_when_its_owner_asks(ada):
    with receiver(says(200)) as (url, seen):
        made = endpoint(ada, url)
        operations.test_endpoint(
            endpoint_id=made.endpoint.pk, owner=ada.id, key="one", now=timezone.now()
        )
        deliver()
        row = Delivery.objects.get()
        ids = {"endpoint_id": made.endpoint.pk, "delivery_id": row.pk}
        operations.resend(**ids, owner=ada.id, now=timezone.now())
        deliver()

    assert seen[0][1]["webhook-id"] == seen[1][1]["webhook-id"] == str(row.pk)
    assert verified(made.secret, seen[1])["type"] == "test"
    with pytest.raises(EndpointUnknown):
        operations.resend(**ids, owner=world.person().id, now=timezone.now())


def test_an_endpoint_gets_what_its_filter_and_its_owners_choice_let_through(ada):
    with receiver(says(200)) as (url, seen):
        endpoint(ada, url, kinds=["won", "lost"])
        operations.choose_ways(person=ada.id, ways={"lost": (False, False)})
        for kind in ("won", "lost", "outbid"):
            notice(ada, kind)
        notice(world.person())
        deliver()

    assert len(seen) == 1


def test_an_address_is_checked_again_at_every_delivery(ada, settings):
    with receiver(says(200)) as (url, seen):
        endpoint(ada, url)
        notice(ada)
        settings.WEBHOOKS_TO_LOOPBACK = False
        deliver()

    row = Delivery.objects.get()
    assert (seen, row.state, row.status) == ([], "waiting", None)
    assert "not public" in row.fault or "https" in row.fault


def test_the_same_key_makes_one_endpoint_and_an_account_has_so_many(ada):
    with receiver(says(200)) as (url, _):
        first, again = (endpoint(ada, url, key="one") for _ in range(2))
        assert (again.endpoint.pk, again.secret) == (first.endpoint.pk, first.secret)
        with pytest.raises(IdempotencyConflict):
            endpoint(ada, url + "x", key="one")
        for _ in range(4):
            endpoint(ada, url)
        with pytest.raises(TooManyEndpoints) as refused:
            endpoint(ada, url)
    assert refused.value.fields == {"limit": 5}
    with pytest.raises(AddressRefused):
        endpoint(ada, "https://169.254.169.254/")


# Mail ---------------------------------------------------------------------------------------------


@pytest.fixture
def mailed(ada, settings):
    settings.EMAIL_HOST = "mail.example.com"
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    return ada


def send(after=timedelta(minutes=2)):
    return operations.send_due_letters(now=timezone.now() + after, jitter=0.0)


def test_notices_of_one_minute_are_one_mail_that_can_be_stopped_with_one_click(mailed, client):
    for kind in ("won", "outbid", "lost"):
        notice(mailed, kind)

    assert (send(timedelta()), send(), send()) == (0, 1, 0)

    sent = mail.outbox[0]
    assert sent.to == [mailed.email]
    assert sent.subject.startswith("2 notices: You won Prime")
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = sent.extra_headers["List-Unsubscribe"].strip("<>")
    assert link in sent.body
    client.post(link.partition("//")[2].partition("/")[2].join(("/", "")))
    still = {one.kind for one in queries.choices_of(mailed.id) if one.by_email}
    assert ({"won", "outbid"} & still, "sold" in still) == (set(), True)


def test_a_mail_server_that_is_down_delays_a_letter_and_loses_none(mailed, settings, monkeypatch):
    notice(mailed)

    def refuses(message):
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMessage.send", refuses)
        assert send() == 0
    row = Letter.objects.get()
    assert (row.state, row.attempts, row.fault) == ("waiting", 1, "ConnectionRefusedError")

    assert (send(), send(timedelta(minutes=4))) == (0, 1)
    assert (len(mail.outbox), Letter.objects.get().state) == (1, "sent")


def test_no_letter_is_written_without_a_mail_server_or_to_an_address_that_was_not_confirmed(
    mailed, settings
):
    EmailAddress.objects.update(verified=False)
    notice(mailed)
    EmailAddress.objects.update(verified=True)
    settings.EMAIL_HOST = ""
    notice(mailed)

    assert Letter.objects.count() == 0
    assert User.objects.filter(notices__isnull=False).distinct().count() == 1

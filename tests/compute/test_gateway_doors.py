"""What stands before an answer: where a request comes from, and what is kept for who asks again."""

import pytest

from compute.gateway import replays, wire
from compute.gateway.replays import Replays
from ledger.errors import IdempotencyConflict

SCOPE = {
    "client": ("192.0.2.1", 5),
    "headers": [(b"x-forwarded-for", b"203.0.113.9, 198.51.100.7")],
}


@pytest.mark.parametrize(("proxies", "address"), [(0, "192.0.2.1"), (1, "198.51.100.7")])
def test_only_a_proxy_of_ours_is_believed_where_a_request_comes_from(settings, proxies, address):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": proxies}

    assert wire.address(SCOPE) == address


def complete(kept, key, body=b"answer"):
    replay, is_first = kept.begin(key, b"asked")
    assert is_first
    replay.add(body)
    replay.is_complete = True
    kept.end(key, replay)
    return replay


def test_what_is_kept_is_bounded_and_the_oldest_goes_first(monkeypatch):
    monkeypatch.setattr(replays, "KEPT_MAX_BYTES", 10)
    kept = Replays()
    for number in range(3):
        complete(kept, f"chat:key:{number}", b"12345")

    assert not kept.begin("chat:key:2", b"asked")[1]
    assert kept.begin("chat:key:0", b"asked")[1]


def test_an_answer_that_made_room_while_it_was_under_way_is_not_counted(monkeypatch):
    monkeypatch.setattr(replays, "KEPT_MAX", 1)
    kept = Replays()
    early, _ = kept.begin("chat:key:early", b"asked")
    later = complete(kept, "chat:key:later")
    early.add(b"answer")
    early.is_complete = True

    kept.end("chat:key:early", early)

    assert early.is_ended.is_set()
    assert kept.begin("chat:key:later", b"asked") == (later, False)


def test_a_conflict_names_the_clients_own_words():
    kept = Replays()
    complete(kept, "chat:key:my:own words")

    with pytest.raises(IdempotencyConflict, match="'my:own words'"):
        kept.begin("chat:key:my:own words", b"something else")

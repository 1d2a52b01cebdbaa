"""Two hundred people bid on one auction in its last seconds, over HTTP: what was answered is what stands in the log."""

import http.client
import json
from datetime import timedelta
from itertools import count
from threading import Event, Lock, Thread
from uuid import uuid4

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move
from ledger.invariants import asked
from ledger.money import RAO_PER_TAO as TAO
from marketplace import bidding, invariants, queries
from marketplace.models import Auction, Bid, User
from marketplace.operations import HouseTerms
from tests import make
from tests.marketplace import world
from tests.processes import House, collected_static

pytestmark = [pytest.mark.network, pytest.mark.django_db(transaction=True)]

BIDDERS = 200
BIDS_EACH = 4
OPEN_S = 10  # long enough for some hundred bids, short enough that many come too late
SOFT_CLOSE = HouseTerms(soft_close_s=2, soft_close_cap_s=4, fee_bps=250)
CSRF = "c" * 32


@pytest.fixture
def house(tmp_path, tmp_path_factory):
    with House(tmp_path, static=collected_static(tmp_path_factory)) as house:
        house.start("web")
        yield house


def rich_people():
    """Sign people up at once, each with enough for any maximum of this story, and begin their sessions."""
    people = User.objects.bulk_create(
        User(email=f"{uuid4().hex}@example.com", password="!") for _ in range(BIDDERS)
    )
    moves = [Move(chart.ISSUANCE, chart.wallet(who.id), 50_000 * TAO) for who in people]
    ledger.post(Entry(key="riches", code=Code.SUPPLY_ISSUED, at=timezone.now(), steps=tuple(moves)))
    sessions = []
    for who in people:
        session = SessionStore()
        session[SESSION_KEY] = str(who.id)
        session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
        session[HASH_SESSION_KEY] = who.get_session_auth_hash()
        session.create()
        sessions.append(session.session_key)
    return sessions


class Crowd:
    """Bidders with a connection each; every third bid is sent twice under its key, as after a lost answer."""

    def __init__(self, port, auction_id, sessions):
        self.port, self.auction_id, self.sessions = port, auction_id, sessions
        self.amounts, self.lock = count(20, 3), Lock()
        self.answers, self.refusals, self.faults = [], [], []

    def bid_until_closed(self):
        threads = [Thread(target=self._bids, args=(session,)) for session in self.sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _bids(self, session):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            for turn in range(BIDS_EACH):
                with self.lock:
                    tao = next(self.amounts)
                key = uuid4().hex
                first = self._send(line, session, tao, key)
                again = self._send(line, session, tao, key) if turn % 3 == 0 else first
                if again != first and first[0] in {200, 201}:
                    self.faults.append((first, again))
                if first[1].get("code") == "auction_closed":
                    return
        except (OSError, http.client.HTTPException, ValueError) as fault:
            self.faults.append(fault)
        finally:
            line.close()

    def _send(self, line, session, tao, key):
        line.request(
            "POST",
            f"/api/v1/auctions/{self.auction_id}/bids/",
            body=json.dumps({"max_rao": str(tao * TAO)}),
            headers={
                "Content-Type": "application/json",
                "Cookie": f"sessionid={session}; csrftoken={CSRF}",
                "X-CSRFToken": CSRF,
                "Idempotency-Key": key,
            },
        )
        answer = line.getresponse()
        said = json.loads(answer.read())
        kept = self.answers if answer.status in {200, 201} else self.refusals
        kept.append((answer.status, said))
        return answer.status, said


class Sampler(Thread):
    """Asks again and again, until told to stop, whether what is held is what leads."""

    def __init__(self):
        super().__init__()
        self.stop, self.looks, self.faults = Event(), 0, []

    def run(self):
        while not self.stop.is_set():
            self.faults += asked(invariants.ESCROW, invariants.SAID)
            self.looks += 1
        connection.close()


def replayed(auction):
    """Play the log again by the pure rules; yield what each bid must have made of the auction, and what it did."""
    play = bidding.opening(queries.terms_of(auction))
    for bid in auction.bids.order_by("sequence"):
        accepted = bidding.check_bid(
            play,
            bidder=bid.bidder,
            max_rao=bid.max_rao,
            sequence=bid.sequence,
            now=bid.placed_at,
        )
        play, derived = accepted.play, accepted.standing
        yield (
            (derived.leader, derived.price_rao, derived.closes_at),
            (bid.leader, bid.price_rao, bid.closes_at),
        )


def test_two_hundred_bidders_in_the_last_seconds_lose_double_and_smuggle_no_bid(house):
    make.network(now=timezone.now() - timedelta(hours=1))
    with override_settings(SECRET_KEY=house.env["SECRET_KEY"]):  # by which the house reads sessions
        sessions = rich_people()
    on = world.auction(duration_s=OPEN_S, house=SOFT_CLOSE, now=timezone.now())
    crowd, sampler = Crowd(house.port, on.id, sessions), Sampler()

    sampler.start()
    crowd.bid_until_closed()
    sampler.stop.set()
    sampler.join()

    assert crowd.faults == []
    assert {said["code"] for _, said in crowd.refusals} <= {
        "bid_too_low",
        "auction_closed",
        "maximum_not_raised",
    }
    auction = Auction.objects.get(pk=on.id)
    answered = {said["bid_id"]: said for _, said in crowd.answers}
    log = {str(bid.id): bid for bid in Bid.objects.all()}
    assert answered.keys() == log.keys()
    assert all(said["version"] == log[name].sequence for name, said in answered.items())
    assert sorted(bid.sequence for bid in log.values()) == list(range(1, auction.bid_count + 1))
    assert len(log) > BIDDERS // 10

    # A bid at or after the end would be refused by the rules that play the log again.
    for derived, shown in replayed(auction):
        assert derived == shown
    assert (sampler.faults, sampler.looks > 5) == ([], True)

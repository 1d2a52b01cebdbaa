"""Limits: a crowd is counted one by one, the answer says where one stands, and Redis may be away."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from ledger.rest import limits
from ledger.rest.limits import Rate, Throttle
from marketplace.api.limits import ReadThrottle
from tests.marketplace import world

pytestmark = pytest.mark.database  # Redis stands beside the database


class TenAMinute(Throttle):
    bucket = "ten"
    usual_rate = "10/min"


def test_of_32_requests_at_once_as_many_pass_as_may():
    caller = uuid4().hex

    with ThreadPoolExecutor(32) as crowd:
        counted = list(crowd.map(lambda _: TenAMinute().count(caller), range(32)))

    assert sorted(one.used for one in counted) == list(range(1, 33))
    assert sum(one.is_within for one in counted) == 10
    assert all(0 < one.left_ms <= 60_000 for one in counted)


def test_one_callers_requests_do_not_use_up_anothers():
    callers = [uuid4().hex for _ in range(2)]

    for _ in range(11):
        spent = TenAMinute().count(callers[0])

    assert not spent.is_within
    assert TenAMinute().count(callers[1]).remaining == 9


def test_a_window_ends():
    caller = uuid4().hex
    first = TenAMinute().count(caller)
    # The clock of a window is Redis's: this one is told that it has passed.
    limits._redis(settings.REDIS_URL).pexpire(f"limit:ten:{caller}", 0)

    assert (first.used, TenAMinute().count(caller).used) == (1, 1)


def test_an_operator_sets_a_rate_by_its_bucket(monkeypatch):
    monkeypatch.setattr(settings, "RATE_LIMITS", {"ten": "3/5"}, raising=False)

    assert TenAMinute().rate() == Rate(quota=3, window_s=5)


def test_while_redis_is_away_nothing_is_counted_and_all_pass(monkeypatch, rf, caplog):
    class Gone:
        def eval(self, *_):
            raise redis.ConnectionError

    monkeypatch.setattr(limits, "_redis", lambda _: Gone())
    request = rf.get("/")

    assert TenAMinute().allow_request(request, None)
    assert limits.headers_of(request) == {}
    assert "limit_not_counted bucket=ten" in caplog.text


@pytest.mark.django_db
def test_each_answer_says_where_its_caller_stands(client):
    world.network()

    first, second = (client.get("/api/v1/auctions/") for _ in range(2))

    assert first.headers["RateLimit-Policy"] == '"read";q=600;w=60'
    assert first.headers["RateLimit"].startswith('"read";r=599;t=')
    assert second.headers["RateLimit"].startswith('"read";r=598;t=')


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["network/", "subnets/", "epochs/", "subnets/1/hyperparameters/", "subnets/1/models/"]
)
def test_what_is_public_of_the_network_leaves_room_for_many_neurons_at_one_address(client, path):
    world.subnet(world.person(tao=100))

    answer = client.get(f"/api/v1/{path}")

    assert answer.status_code == 200
    assert answer.headers["RateLimit-Policy"] == '"public";q=3000;w=60'


@pytest.mark.django_db
def test_a_refused_request_says_when_to_come_back(client, monkeypatch):
    world.network()
    monkeypatch.setattr(ReadThrottle, "usual_rate", "1/min")

    _, refused = (client.get("/api/v1/auctions/") for _ in range(2))

    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit"].startswith('"read";r=0;t=')


@pytest.mark.django_db
def test_an_address_is_what_the_own_proxy_says_and_nobody_else(client, monkeypatch):
    world.network()
    monkeypatch.setattr(ReadThrottle, "usual_rate", "1/min")
    forged = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in range(2)]

    answers = [client.get("/api/v1/auctions/", headers=headers) for headers in forged]

    assert [answer.status_code for answer in answers] == [200, 429]

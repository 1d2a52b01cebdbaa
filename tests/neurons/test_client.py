"""The client signs each attempt, tries again where that helps, and names refusals."""

import httpx
import pytest

from neurons import wire
from neurons.client import PAUSE_MAX_S, Client, Refused, Unreachable, pause_s
from neurons.keys import Keypair
from tests.neurons.fake_network import SERVER, FakeNetwork

MINER = Keypair.from_seed("22" * 32)


@pytest.fixture
def network():
    return FakeNetwork()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def client(network, slept):
    made = Client("http://market.test/", MINER, sleep=slept.append, transport=network.transport())
    yield made
    made.close()


def test_the_receiver_is_fetched_once_before_the_first_signed_request(client, network):
    client.standings()
    client.standings()

    assert network.seen == [
        "GET /api/v1/network/",
        "GET /api/v1/hotkeys/me/",
        "GET /api/v1/hotkeys/me/",
    ]


def test_answers_come_as_records(client, network):
    network.neurons = {1: 4}

    (standing,) = client.standings()

    assert (standing.netuid, standing.uid, standing.last_payout_rao) == (1, 4, 1_500_000_000)


def test_a_query_is_part_of_what_is_signed(client, network):
    assert client.samples(netuid=1, limit=5) == []
    assert network.seen[-1] == "GET /api/v1/samples/?netuid=1&limit=5"


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError("no route"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(500, text="<html>"),
        httpx.Response(503, json={"code": "busy"}),
        httpx.Response(429, json={"code": "throttled"}),
    ],
)
def test_a_passing_trouble_is_tried_again_with_a_new_nonce(client, network, slept, fault):
    client.network()
    network.faults = [fault]

    assert client.standings() == []
    assert len(slept) == 1
    assert len(network.nonces) == 1


def test_the_time_the_server_asks_for_is_waited(client, network, slept):
    client.network()
    network.faults = [httpx.Response(429, headers={"Retry-After": "7"})]

    client.standings()

    assert slept == [7.0]


def test_a_long_retry_after_is_cut(client, network, slept):
    network.faults = [httpx.Response(429, headers={"Retry-After": "86400"})]

    client.network()

    assert slept == [PAUSE_MAX_S]


def test_a_server_that_stays_away_is_unreachable_after_five_attempts(client, network, slept):
    network.faults = [httpx.ConnectError("no route")] * 9

    with pytest.raises(Unreachable, match="no route"):
        client.network()
    assert len(slept) == 5
    assert slept == sorted(slept)


def test_pauses_double_up_to_a_limit_and_differ():
    for attempt in range(3):
        assert 0.25 * 2**attempt <= pause_s(attempt) <= 0.5 * 2**attempt
    assert 30 <= pause_s(1000) <= PAUSE_MAX_S
    assert len({pause_s(3) for _ in range(50)}) > 10


def test_a_refusal_is_raised_with_its_code_and_not_tried_again(client, network, slept):
    network.linked = False

    with pytest.raises(Refused) as refusal:
        client.standings()

    assert (refusal.value.status, refusal.value.code) == (403, "hotkey_not_linked")
    assert slept == []


def test_field_errors_of_a_problem_document_are_told(client, network):
    client.network()
    errors = [{"pointer": "/name", "code": "max_length", "detail": "Too long."}]
    body = {"code": "invalid_input", "detail": "Not acceptable.", "errors": errors}
    network.faults = [httpx.Response(400, json=body)]

    with pytest.raises(Refused, match=r"Not acceptable\. /name: Too long\."):
        client.standings()


def test_a_refusal_without_a_problem_document_has_the_status_as_its_code(client, network):
    client.network()
    network.faults = [httpx.Response(404, text="<html>no</html>")]

    with pytest.raises(Refused) as refusal:
        client.standings()
    assert refusal.value.code == "http_404"


def test_a_server_with_a_new_key_is_asked_for_it_once(client, network):
    client.standings()
    network.receiver = Keypair.from_seed("33" * 32).ss58_address

    assert client.standings() == []
    assert SERVER.ss58_address != network.receiver


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>a page</html>"),
        httpx.Response(200, json=[1]),
        httpx.Response(
            200, json={"receiver": "nobody", "block": 1, "block_ms": 1, "subnet_count": 1}
        ),
        httpx.Response(200, json={"receiver": SERVER.ss58_address, "block": "1"}),
        httpx.Response(200, content=b"x" * (33 * 2**20)),
    ],
)
def test_an_answer_against_the_contract_is_malformed(client, network, response):
    network.faults = [response]

    with pytest.raises(wire.AnswerMalformed):
        client.network()


def test_nonces_rise_even_when_the_clock_stands():
    network = FakeNetwork()
    import time

    frozen = time.time_ns()
    client = Client("http://m.test", MINER, clock_ns=lambda: frozen, transport=network.transport())

    for _ in range(3):
        client.standings()

    assert len(network.nonces) == 3


def test_who_finds_no_place_to_wait_stays_away_as_long_as_the_server_says(client, network, slept):
    client.network()
    network.faults = [httpx.Response(204, headers={"Retry-After": "15"})]

    assert client.take_lease(machine_id="00000000-0000-0000-0000-000000000002") is None
    assert slept == [15.0]


def test_no_lease_is_none(client):
    assert client.take_lease(machine_id="00000000-0000-0000-0000-000000000002") is None

"""Stake over REST: signed by the hotkey, moved once per key, never nothing."""

import json

import pytest

from ledger.money import RAO_PER_TAO as TAO
from subnets import queries
from tests import make
from tests.compute import wire
from tests.compute.wire import refusal, send, signed_headers

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def validator(db):
    return make.validator(make.subnet(now=wire.now()), stake_tao=10, now=wire.now())


def move(validator, method, amount, *, key="k"):
    path, body = f"subnets/{validator.netuid}/stake/", json.dumps({"amount_rao": amount}).encode()
    headers = signed_headers(validator.key, method, path, body)
    return send(method, path, body, headers=headers | {"Idempotency-Key": key})


def staked(validator):
    return queries.stake_of(validator.hotkey, validator.netuid)


def test_stake_is_added_once_per_key_and_taken_back(validator):
    first, second = (move(validator, "POST", str(5 * TAO)) for _ in range(2))
    back = move(validator, "DELETE", str(15 * TAO))

    assert (first.status_code, second.status_code, back.status_code) == (201, 201, 200)
    assert first.json()["stake_rao"] == second.json()["stake_rao"] == str(15 * TAO)
    assert staked(validator) == 0


@pytest.mark.parametrize("amount", ["0", "-1", "", 5, str(2**63)])
def test_an_amount_that_is_none_is_refused(validator, amount):
    assert refusal(move(validator, "POST", amount)) == (400, "invalid_input")
    assert staked(validator) == 10 * TAO


def test_more_than_is_staked_does_not_come_back(validator):
    assert refusal(move(validator, "DELETE", str(11 * TAO))) == (402, "insufficient_funds")
    assert staked(validator) == 10 * TAO


def test_one_key_for_two_amounts_is_refused_in_the_callers_own_words(validator):
    move(validator, "POST", str(5 * TAO))

    answer = move(validator, "POST", str(6 * TAO))

    assert refusal(answer) == (422, "idempotency_key_reused")
    assert (answer.json()["key"], answer.json()["field"]) == ("k", "amount_rao")
    assert staked(validator) == 15 * TAO

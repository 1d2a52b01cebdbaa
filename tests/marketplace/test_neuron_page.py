"""The page of a hotkey: why it was paid in any closed epoch, who scored it, and a line for each subnet."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from compute import queries as compute
from compute.queries.scores import ScoreLine
from marketplace.pages import browse
from subnets import queries
from tests import make
from tests.subnets import town
from tests.subnets.rule_builders import document

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(transactional_db):
    found = town.founded()
    for _ in range(3):
        town.closed(found)
    return found


def page_of(neuron, **asked):
    return Client().get(f"/neurons/{neuron.hotkey}/", asked).content.decode()


def test_an_epoch_older_than_those_to_choose_from_is_explained(place, monkeypatch):
    best = place.miners[0]
    newest = queries.payouts_of_hotkey
    monkeypatch.setattr(queries, "payouts_of_hotkey", lambda ss58, **_: newest(ss58, limit=1))

    page = page_of(best, why=f"{place.netuid}-1")

    assert f"Epoch 1 paid uid {best.uid}" in page
    assert f'<option value="{place.netuid}-1" selected>' in page
    assert f'<option value="{place.netuid}-3">' in page
    assert "the newest one is shown" not in page


@pytest.mark.parametrize("epoch", [4, 9999, 999_999_999])
def test_an_epoch_that_is_not_there_is_said_to_be_missing(place, epoch):
    best = place.miners[0]

    page = page_of(best, why=f"{place.netuid}-{epoch}")

    sentence = f"No closed epoch {epoch} of subnet {place.netuid} knows this hotkey"
    assert page.index(sentence) < page.index(f"Epoch 3 paid uid {best.uid}")


@pytest.mark.parametrize("asked", ["nonsense", "1-2-3", "99999999-1", "-1"])
def test_an_address_that_names_no_epoch_is_said_to_name_none(place, asked):
    assert "The address names no epoch" in page_of(place.miners[0], why=asked)


def test_who_judges_nobody_has_no_trust_rather_than_none_of_it(place):
    cell = '<td class="num" data-label="Trust">'

    assert f"{cell}–</td>" in page_of(place.miners[0])
    assert f"{cell}–</td>" not in page_of(place.validators[0])


def test_the_newest_epoch_is_shown_without_a_word_when_none_is_asked_for(place):
    page = page_of(place.miners[0])

    assert "Epoch 3 paid uid" in page
    assert "newest one is shown" not in page


def test_each_score_names_its_validator(place, monkeypatch):
    result_id = uuid4()
    told = [
        ScoreLine(result_id, place.netuid, one.hotkey, 1_000_000, "equal", make.NOW)
        for one in place.validators
    ]
    monkeypatch.setattr(compute, "scores_of_miner", lambda *_, **__: told)

    page = page_of(place.miners[0])

    scores = page[page.index("Scores, with their reasons") :]
    assert all(f'title="{validator.hotkey}"' in scores for validator in place.validators)


def test_what_two_subnets_paid_is_two_lines():
    payouts = [payout(netuid, epoch) for epoch in (2, 1) for netuid in (3, 1)]

    lines = browse.earned_lines(payouts)

    assert [title for title, _ in lines] == [
        "Paid by epoch on subnet 1, as it came",
        "Paid by epoch on subnet 3, as it came",
    ]
    assert [[rao for _, rao in points] for _, points in lines] == [[101, 102], [301, 302]]


def payout(netuid, epoch):
    return queries.Payout(
        netuid=netuid, epoch=epoch, uid=0, closed_at=make.NOW + timedelta(hours=epoch),
        has_permit=False, incentive_u16=0, dividends_u16=0, validator_trust_u16=0, consensus_u16=0,
        miner_rao=100 * netuid + epoch, validator_rao=0,
    )  # fmt: skip


def test_a_subnets_page_shows_what_was_burned_once_something_was(place):
    address, column = f"/subnets/{place.netuid}/", '<th scope="col" class="num">Burned</th>'
    assert column not in Client().get(address).content.decode()

    town.published(place, document(burn_bps=1_000), version=2, from_epoch=4)
    town.closed(place)

    assert column in Client().get(address).content.decode()

"""A rule is told in sentences to those it pays, with its history and what goes wrong with it."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from marketplace.pages.rule_words import rule_words
from subnets import operations
from tests.marketplace import world
from tests.subnets import town
from tests.subnets.rule_builders import document

SMOOTHED = "The score is smoothed: the newest epoch counts 30 %, what was before counts the rest."


def sentences(**changes):
    return [sentence.text for sentence in rule_words(document(**changes)).sentences]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"one_per_owner": True}, "Of each owner’s miners only the best counts."),
        (
            {"max_share_ppm": 250_000},
            "Nobody gets more than 25.0 % of the weight, unless too few are paid for that.",
        ),
        ({"floor_ppm": 1_000}, "Whoever has a score gets at least 0.10 % of the weight."),
        (
            {"shaping": {"kind": "rank_decay", "decay_ppm": 500_000}},
            "Weight by place: each place is worth a fixed part of the place before it (decay 0.5).",
        ),
        (
            {"smoothing": {"ema_alpha_ppm": 300_000, "bias_corrected": True}},
            f"{SMOOTHED} A newcomer’s first scores count alike.",
        ),
    ],
)
def test_each_member_of_a_rule_has_its_sentence(changes, said):
    assert said in [text.replace("\u202f", " ") for text in sentences(**changes)]


def test_a_shaping_that_is_no_longer_known_is_named():
    assert any("“forgotten”" in text for text in sentences(shaping={"kind": "forgotten"}))


def test_what_a_rule_leaves_out_is_not_told():
    told = " ".join(sentences())

    assert "owner" not in told
    assert "Nobody gets more" not in told
    assert "at least" not in told


@pytest.fixture
def place(db):
    owner = world.person(tao=100)
    netuid = world.subnet(owner)
    return town.Town(netuid, owner.pk, (), ())


def page(client, place):
    return client.get(reverse("subnet", args=[place.netuid])).content.decode()


def published(place, **changes):
    now = timezone.now()
    draft = operations.save_draft(
        netuid=place.netuid, owner=place.owner, document=document(**changes), now=now
    )
    return operations.publish_rule(
        netuid=place.netuid, owner=place.owner, version=draft.version, digest=draft.digest, now=now
    )


def test_a_subnets_page_tells_what_an_announced_rule_changes(client, place):
    announced = published(place, burn_bps=100)

    text = page(client, place)

    assert f"Version 2 takes over at epoch {announced.from_epoch}" in text
    assert "(announced)" in text
    assert "The burned part of what miners earn: 1 %; before: 0 %." in text
    assert announced.digest in text


def test_a_subnets_page_tells_that_its_rule_cannot_be_applied(client, place):
    assert "cannot be applied" not in page(client, place)
    town.published(place, document() | {"shaping": {"kind": "forgotten"}}, version=2)
    town.closed(place, rows=[], now=timezone.now() + timedelta(days=2))

    text = page(client, place)

    assert "A newer version cannot be applied." in text
    assert "Since epoch 1 version 1 pays in its place." in text
    assert "Pay for verified work" in text

    town.published(place, document(), version=3, from_epoch=2)
    assert "cannot be applied" not in page(client, place)


def test_a_restored_version_names_the_one_it_brings_back(client, place):
    published(place)
    operations.restore_rule(netuid=place.netuid, owner=place.owner, version=1, now=timezone.now())

    text = page(client, place)
    assert "brings back version 1" in text
    assert "Version 3 takes over" in text
    assert "Version 2 takes over" not in text

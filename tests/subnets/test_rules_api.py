"""Rules over REST: anyone reads their history and what changed; who is signed in has a new one checked."""

import pytest
from django.test import Client

from subnets import limits, operations, queries
from tests import make
from tests.compute.wire import refusal
from tests.subnets import town
from tests.subnets.consoles import signed_in
from tests.subnets.rule_builders import METRIC, document
from tests.subnets.town import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(db):
    found = town.founded(miner_count=1)
    published(found, title="Two", burn_bps=100)
    return found


def test_what_anybody_reads_is_told_to_be_unchanged_while_it_is(place):
    answer = read(place)
    known = {"If-None-Match": answer.headers["ETag"]}

    again = Client().get(f"/api/v1/subnets/{place.netuid}/rules/", headers=known)
    published(place, title="Three")
    later = Client().get(f"/api/v1/subnets/{place.netuid}/rules/", headers=known)

    assert (again.status_code, again.content) == (304, b"")
    assert later.status_code == 200


def published(place, **changes):
    draft = operations.save_draft(
        netuid=place.netuid, owner=place.owner, document=document(**changes), now=NOW
    )
    return operations.publish_rule(
        netuid=place.netuid, owner=place.owner, version=draft.version, digest=draft.digest, now=NOW
    )


def read(place, rest=""):
    return Client().get(f"/api/v1/subnets/{place.netuid}/rules/{rest}")


def checked(place, sent, client=None):
    client = client or signed_in(make.user(email="ada@example.com"))
    return client.post(
        f"/api/v1/subnets/{place.netuid}/rules/check/",
        {"document": sent},
        content_type="application/json",
    )


def test_the_versions_are_listed_newest_first_without_drafts(place):
    operations.save_draft(netuid=place.netuid, owner=place.owner, document=document(), now=NOW)

    rows = read(place).json()["results"]

    assert [row["version"] for row in rows] == [2, 1]
    assert set(rows[0]) == {
        "version",
        "state",
        "document",
        "digest",
        "published_at",
        "from_epoch",
        "restores",
    }


def test_a_list_is_read_page_by_page(place):
    first = read(place, "?limit=1").json()
    second = Client().get(first["next"]).json()

    assert [row["version"] for row in first["results"]] == [2]
    assert [row["version"] for row in second["results"]] == [1]
    assert second["next"] is None
    assert read(place, "?limit=99").status_code == 400


def test_a_version_tells_what_it_changed(place):
    body = read(place, "2/").json()

    assert (body["rule"]["version"], body["before_version"]) == (2, 1)
    assert body["rule"]["document"]["title"] == "Two"
    burned = next(item for item in body["changes"] if item["pointer"] == "/burn_bps")
    assert (burned["before"], burned["after"]) == (0, 100)
    assert burned["words"] == "The burned part of what miners earn: 1 %; before: 0 %."


def test_the_first_version_is_compared_with_nothing(place):
    body = read(place, "1/").json()

    assert (body["before_version"], body["changes"]) == (None, [])


def test_a_restored_version_says_which_it_brings_back(place):
    operations.restore_rule(netuid=place.netuid, owner=place.owner, version=1, now=NOW)

    assert read(place, "3/").json()["rule"]["restores"] == 1


def test_a_draft_and_an_unknown_version_are_not_there(place):
    operations.save_draft(netuid=place.netuid, owner=place.owner, document=document(), now=NOW)

    assert [read(place, f"{version}/").json()["code"] for version in (3, 9)] == ["rule_unknown"] * 2
    assert Client().get("/api/v1/subnets/99/rules/1/").json()["code"] == "subnet_unknown"


def test_a_check_tells_problems_warnings_and_the_digest(place):
    ada = signed_in(make.user(email="ada@example.com"))

    good = checked(place, document(), ada).json()
    risky = checked(place, document(score="1.0 / double(failed_count)"), ada).json()
    wrong = checked(place, document(score="qualty"), ada).json()

    assert (good["problems"], good["warnings"], len(good["digest"])) == ([], [], 64)
    assert [item["pointer"] for item in risky["warnings"]] == ["/score"]
    assert (risky["problems"], len(risky["digest"])) == ([], 64)
    assert [item["pointer"] for item in wrong["problems"]] == ["/score"]
    assert (wrong["warnings"], wrong["digest"]) == ([], "")
    assert len(queries.rules_of(place.netuid)) == 2


@pytest.mark.parametrize("sent", [[], 7, "quality", None, {}])
def test_a_check_answers_whatever_is_sent(place, sent):
    answer = checked(place, sent)

    assert answer.status_code == 400 if sent is None else answer.json()["problems"]


def test_a_check_is_for_who_is_signed_in(place):
    assert checked(place, document(), Client()).status_code in {401, 403}


def test_a_check_tries_the_miners_of_the_last_epoch(place, monkeypatch):
    monkeypatch.setattr(queries, "last_miners", lambda netuid: {f"5F{netuid}": METRIC})
    sent = document(score="work_units == 10 ? 1.0 / 0.0 : quality")

    passed_over, of_the_miner = checked(place, sent).json()["warnings"]

    assert "the version before it pays" in passed_over["detail"]
    assert f"5F{place.netuid}…" in of_the_miner["detail"]


def test_an_epoch_tells_that_its_rule_failed(place):
    town.closed(place, rows=[(5,)] * 2)
    broken = document() | {"shaping": {"kind": "forgotten"}}
    town.published(place, broken, version=3, from_epoch=2)
    town.closed(place, rows=[(5,)] * 2)

    rows = Client().get(f"/api/v1/subnets/{place.netuid}/epochs/").json()["results"]

    assert (rows[0]["rule_version"], rows[1]["rule_fault"]) == (2, "")
    assert "Version 3" in rows[0]["rule_fault"]


def test_the_last_miners_are_those_most_seen_in_the_newest_epoch(place):
    assert queries.last_miners(place.netuid) == {}
    town.closed(place, rows=[(1_000_000,), (None,)])

    miners = queries.last_miners(place.netuid)

    assert [metrics.quality for metrics in miners.values()] == [1.0]


def test_checks_are_slowed_down_for_one_person_and_not_for_another(place, monkeypatch):
    monkeypatch.setattr(limits.RuleCheckThrottle, "usual_rate", "2/min")
    ada = signed_in(make.user(email="ada@example.com"))

    answers = [checked(place, {}, ada) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert refusal(answers[2]) == (429, "throttled")
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert checked(place, {}, signed_in(make.user(email="bob@example.com"))).status_code == 200

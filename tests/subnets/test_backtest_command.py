"""manage.py backtest_rule: a table of winners and losers, before a rule is published."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from subnets import operations, queries
from tests.subnets import town
from tests.subnets.test_backtest_runs import UPSIDE_DOWN
from tests.subnets.town import NOW

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def place(db):
    place = town.founded()
    town.closed(place)
    town.closed(place)
    return place


def told(*words, **options):
    out, err = StringIO(), StringIO()
    call_command("backtest_rule", *words, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_the_rule_in_force_changes_nothing(place):
    out, err = told(str(place.netuid))

    assert "Nobody would have earned a rao more or less." in out
    assert "2/2 epochs" in err


def test_a_rule_in_a_file_has_winners_and_losers(place, tmp_path):
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(UPSIDE_DOWN))

    out, _ = told(str(place.netuid), "--rule", str(path), "--epochs", "1")

    assert "Epochs 2 to 2" in out
    winners, losers = out.index("winners, the greatest first"), out.index("losers")
    assert winners < out.index(place.miners[2].hotkey) < losers < out.index(place.miners[0].hotkey)


def test_without_a_choice_the_draft_is_replayed(place):
    operations.save_draft(netuid=place.netuid, owner=place.owner, document=UPSIDE_DOWN, now=NOW)

    out, _ = told(str(place.netuid))

    assert out.startswith("Upside down")
    assert "Nobody would" not in told(str(place.netuid), "--version", "2")[0]
    assert "Nobody would" in told(str(place.netuid), "--version", "1")[0]


def test_everything_is_there_as_json(place):
    facts = json.loads(told(str(place.netuid), "--json", "--sybil")[0])

    assert facts["digest"] == queries.rule_in_force(place.netuid, 1).digest
    assert [epoch["epoch"] for epoch in facts["epochs"]] == [1, 2]
    assert place.miners[0].hotkey in facts["epochs"][1]["hotkeys"]
    assert facts["sybil"]["splitting"] == "is neutral to"


def test_splitting_and_copying_are_said_in_words(place):
    assert (
        "Splitting into 4 hotkeys would pay the best miner" in told(str(place.netuid), "--sybil")[0]
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["9"], "subnet 9"),
        (["1", "--epochs", "0"], "--epochs must lie between 1 and 200"),
        (["1", "--version", "8"], "no version 8"),
        (["1", "--rule", "/nowhere.json"], "cannot be read"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_words(place, words, said):
    with pytest.raises(CommandError) as refusal:
        told(*words)

    assert said.lower() in str(refusal.value).lower()


def test_every_problem_of_a_rule_is_told(place, tmp_path):
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(UPSIDE_DOWN | {"score": "qualty", "burn_bps": -1}))

    with pytest.raises(CommandError) as refusal:
        told(str(place.netuid), "--rule", str(path))

    assert "/score: " in str(refusal.value)
    assert "/burn_bps: " in str(refusal.value)


def test_a_rule_that_could_not_be_saved_is_not_replayed(place, tmp_path):
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(UPSIDE_DOWN | {"score": "1/0"}))

    with pytest.raises(CommandError, match="/score: The score could not be computed for any") as no:
        told(str(place.netuid), "--rule", str(path))

    assert no.value.returncode == 1


def test_a_subnet_without_an_epoch_says_so(db):
    place = town.founded()

    with pytest.raises(CommandError, match="not closed an epoch"):
        told(str(place.netuid))

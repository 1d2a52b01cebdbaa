"""The owner's console: ask for a backtest from a draft, watch it, read it; a stranger finds nothing."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from subnets import operations, queries, sybil, tasks
from subnets.models import Backtest
from tests.subnets import town
from tests.subnets.consoles import Owner, signed_in
from tests.subnets.rule_builders import document
from tests.subnets.test_backtest_runs import UPSIDE_DOWN
from tests.subnets.town import NOW

pytestmark = pytest.mark.usefixtures("db")


class Console:
    """The owner of a town, signed in, with a draft."""

    def __init__(self, place):
        self.place = place
        self.client = signed_in(get_user_model().objects.get(pk=place.owner))
        self.draft = operations.save_draft(
            netuid=place.netuid, owner=place.owner, document=UPSIDE_DOWN, now=NOW
        )

    def get(self, page, *args, **headers):
        return self.client.get(reverse(f"owner:{page}", args=args), headers=headers)

    def ask(self, **fields):
        return self.client.post(
            reverse("owner:subnets_backtest_ask", args=[self.draft.pk]), fields, follow=True
        )


@pytest.fixture
def console(db):
    place = town.founded()
    town.closed(place)
    town.closed(place)
    return Console(place)


def test_a_draft_offers_a_backtest_and_the_sybil_check(console):
    page = console.get("subnets_incentiverule_change", console.draft.pk).content.decode()

    assert reverse("owner:subnets_backtest_ask", args=[console.draft.pk]) in page
    assert reverse("owner:subnets_backtest_poses", args=[console.draft.pk]) in page


def test_asking_leads_to_a_page_that_shows_how_far_it_is(console):
    answer = console.ask(epoch_count="50")

    found = Backtest.objects.get()
    assert (found.epoch_count, found.author) == (2, console.place.owner)
    page = answer.content.decode()
    assert "Waiting for a worker" in page
    assert "0 of 2 epochs" in page
    assert reverse("owner:subnets_backtest_state", args=[found.pk]) in page
    assert '<meta http-equiv="refresh"' in page


def test_the_answer_names_winners_losers_totals_and_the_rule(console):
    console.ask()
    tasks.run_asked_backtests()
    found = Backtest.objects.get()

    page = console.get("subnets_backtest_change", found.pk).content.decode()

    assert "Epochs 1 to 2" in page
    assert found.digest in page
    assert 'class="gains-gain"' in page
    assert 'class="gains-loss"' in page
    assert "Burned" in page
    assert "data-again" not in page
    assert all(miner.hotkey[:8] in page for miner in console.place.miners)


def test_a_script_gets_the_part_alone(console):
    console.ask()
    found = Backtest.objects.get()

    part = console.get("subnets_backtest_state", found.pk, **{"X-Part": "1"})

    assert "<html" not in part.content.decode()
    assert "data-again" in part.content.decode()
    assert "no-store" in part.headers["Cache-Control"]
    assert "<html" in console.get("subnets_backtest_state", found.pk).content.decode()


def test_a_failure_is_told(console):
    console.ask()
    Backtest.objects.update(state="failed", fault="It broke <b>badly</b>.")

    page = console.get("subnets_backtest_change", Backtest.objects.get().pk).content.decode()

    assert "It broke &lt;b&gt;badly&lt;/b&gt;." in page


@pytest.mark.parametrize("count", ["0", "999", "-5", "1.5", "", "²", "9" * 5_000])
def test_a_number_of_epochs_that_cannot_be_is_refused_and_not_altered(console, count):
    where = reverse("owner:subnets_backtest_ask", args=[console.draft.pk])

    page = console.client.post(where, {"epoch_count": count}, follow=True).content.decode()

    assert "whole number from 1 to 200; no backtest was asked for" in page
    assert Backtest.objects.count() == 0


def test_the_page_says_that_the_saved_draft_is_replayed(console):
    page = console.get("subnets_incentiverule_change", console.draft.pk).content.decode()

    assert "Backtest the saved draft" in page
    assert "<b data-unsaved hidden>" in page


def test_a_second_one_is_refused_in_words(console):
    console.ask()

    page = console.ask().content.decode()

    assert "is under way already" in page
    assert Backtest.objects.count() == 1


def test_before_the_first_epoch_it_says_so(db):
    console = Console(town.founded())

    assert "has not closed an epoch yet" in console.ask().content.decode()
    poses = console.get("subnets_backtest_poses", console.draft.pk).content.decode()
    assert "twelve sample miners" in poses


def test_what_posing_would_earn_is_said_before_publishing(console):
    page = console.get("subnets_backtest_poses", console.draft.pk).content.decode()

    assert "Splitting into 4 hotkeys would pay the best miner" in page
    assert "Tried on what the validators with the most stake measured in epoch 2" in page


def test_posing_is_tried_once_a_rule_and_epoch(console, monkeypatch):
    tried = []
    report = sybil.report
    monkeypatch.setattr(sybil, "report", lambda *a, **k: tried.append(a) or report(*a, **k))

    def page():
        headers = {"X-Part": "1"}
        return console.get("subnets_backtest_poses", console.draft.pk, **headers).content

    assert page() == page()
    assert len(tried) == 1
    town.closed(console.place)
    assert b"measured in epoch 3" in page()
    other = operations.save_draft(
        netuid=console.place.netuid, owner=console.place.owner, document=document(), now=NOW
    )
    console.get("subnets_backtest_poses", other.pk)
    assert len(tried) == 3


def test_the_list_shows_ones_own_backtests(console):
    console.ask()

    page = console.get("subnets_backtest_changelist").content.decode()

    assert console.draft.digest[:12] in page


def test_a_stranger_finds_nothing(console):
    console.ask()
    found = Backtest.objects.get()
    stranger = Owner("mallory")

    for page, key in [
        ("subnets_backtest_change", found.pk),
        ("subnets_backtest_state", found.pk),
        ("subnets_backtest_poses", console.draft.pk),
    ]:
        assert stranger.get(page, key).status_code == 404
    assert stranger.post("subnets_backtest_ask", console.draft.pk).status_code == 404
    assert (
        console.draft.digest[:12]
        not in stranger.get("subnets_backtest_changelist").content.decode()
    )
    assert Backtest.objects.count() == 1


@pytest.mark.parametrize("key", ["nothing", "00000000-0000-0000-0000-000000000000"])
def test_what_is_not_there_is_not_found(console, key):
    url = f"/owner/subnets/backtest/{key}/change/"

    assert console.client.get(url).status_code == 404


def test_who_is_signed_out_is_sent_to_sign_in(console, client):
    answer = client.post(reverse("owner:subnets_backtest_ask", args=[console.draft.pk]))

    assert answer.status_code == 302
    assert not Backtest.objects.exists()


def test_asking_takes_a_post(console):
    assert console.get("subnets_backtest_ask", console.draft.pk).status_code == 405


def test_running_is_done_between_epochs_closing(console):
    console.ask()
    operations.run_backtest(backtest_id=queries.waiting_backtests(limit=1)[0], now=timezone.now())

    assert queries.backtests_of(console.place.netuid)[0].state == "done"

"""The operator's commands: starting the network, and letting its clock go on."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from subnets import operations, queries
from subnets.models import Network

pytestmark = pytest.mark.django_db


def said(command, *arguments):
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def test_founding_opens_block_zero_at_the_least_lock(settings):
    facts = json.loads(said("found_network", "--json", "--min-lock-tao", "2.5"))

    network = Network.objects.get()
    assert facts["block_ms"] == network.block_ms == settings.BLOCK_MS
    assert facts["min_lock_rao"] == str(network.last_lock_rao) == "2500000000"
    assert queries.block_now(timezone.now()) == 0


def test_founding_again_changes_nothing_and_shows_what_is():
    said("found_network", "--block-ms", "500")

    again = said("found_network", "--block-ms", "900")

    assert "every 500 ms; a slot costs at least 1000 TAO" in again
    assert Network.objects.get().block_ms == 500


@pytest.mark.parametrize(
    "arguments",
    [
        ("--block-ms", "0"),
        ("--block-ms", "-5"),
        ("--block-ms", "600001"),
        ("--min-lock-tao", "0"),
        ("--min-lock-tao", "-1"),
        ("--min-lock-tao", "1e3"),
    ],
)
def test_a_network_that_could_not_run_is_not_founded(arguments):
    with pytest.raises(CommandError, match=arguments[0]):
        said("found_network", f"{arguments[0]}={arguments[1]}")

    assert not Network.objects.exists()


def test_a_clock_that_stood_goes_on_after_the_last_accrued_block():
    founded_at = timezone.now() - timedelta(hours=5)
    operations.found_network(block_ms=1_000, min_lock_rao=TAO, now=founded_at)
    operations.accrue_emission(up_to_block=40)

    facts = json.loads(said("resume_clock", "--json"))

    assert facts == {"block": 40}
    assert 40 <= queries.block_now(timezone.now()) <= 42


def test_there_is_no_clock_before_there_is_a_network():
    with pytest.raises(CommandError, match="found_network"):
        said("resume_clock")


@pytest.mark.parametrize("command", ["found_network", "resume_clock"])
def test_each_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit):
        call_command(command, "--help")

    assert "--json" in capsys.readouterr().out

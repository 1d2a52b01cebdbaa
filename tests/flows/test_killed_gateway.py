"""A gateway is killed while requests end: whoever had an answer is charged for it once, and the books balance."""

import asyncio
import os
import subprocess
import sys
import time
from uuid import UUID

import numpy as np
import pytest
from django.db.models import Sum

from compute.bookkeeping import Bookkeeper
from compute.journal import Journal
from compute.models import Tab, Usage
from compute.till import Till
from ledger import chart
from ledger import queries as books
from ledger.models import Entry
from tests import make
from tests.make import NOW
from tests.processes import database_url

KILLS = 2
PRICE_RAO = 90


def killed(folder, who, miner, *, after_s):
    """Run a gateway and kill it; return id → price of what it told consumers."""
    program = [sys.executable, "-m", "tests.compute.killed_gateway", str(folder)]
    gateway = subprocess.Popen(
        [*program, str(who), "0123456789abcdef", str(miner.netuid), miner.hotkey],
        stdout=subprocess.PIPE,
        env=os.environ | {"DATABASE_URL": database_url(), "DEBUG": "1"},
    )
    first = gateway.stdout.readline()
    time.sleep(after_s)
    gateway.kill()
    said = first + gateway.communicate()[0]
    lines = [line.split() for line in said.decode().splitlines(keepends=False)]
    return {UUID(usage_id): int(price_rao) for usage_id, price_rao in lines}


def recovered(folder):
    """Start anew in the folder; return how many lines were left behind."""

    async def start():
        bookkeeper = Bookkeeper()
        till = Till(bookkeeper, Journal(folder))
        try:
            lines_count = await till.recover(now=NOW)
            assert await till.recover(now=NOW) == 0
            await till.close(now=NOW)
        finally:
            await bookkeeper.close()
        return lines_count

    return asyncio.run(start())


@pytest.mark.django_db(transaction=True)
def test_a_gateway_that_is_killed_charges_every_answer_once(tmp_path):
    owner = make.rich_owner()
    miner = make.miner(make.subnet(owner))
    who = make.rich_owner(100)
    before_rao = books.balance(chart.wallet(who)).posted_rao
    earned_rao = books.balance(chart.wallet(miner.owner)).posted_rao
    told, rng = {}, np.random.default_rng()

    for after_s in rng.uniform(0.0, 0.6, KILLS):
        told |= killed(tmp_path, who, miner, after_s=after_s)
        recovered(tmp_path)

    used = dict(Usage.objects.values_list("id", "price_rao"))
    assert told
    # A line may be in the journal whose consumer was not told any more: at most one for each that ran.
    assert told.items() <= used.items()
    assert len(used) - len(told) <= KILLS * 4
    assert set(used.values()) == {PRICE_RAO}
    assert not Tab.objects.filter(state=Tab.State.OPEN).exists()
    spent_rao = Tab.objects.aggregate(rao=Sum("spent_rao"))["rao"]
    balance = books.balance(chart.wallet(who))
    assert spent_rao == len(used) * PRICE_RAO
    assert (before_rao - balance.posted_rao, balance.held_rao) == (spent_rao, 0)
    assert Entry.objects.filter(code="tab:settled").count() <= Tab.objects.count()
    assert books.balance(chart.wallet(miner.owner)).posted_rao > earned_rao
    assert list(tmp_path.iterdir()) == []

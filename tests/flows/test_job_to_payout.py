"""The story of work: jobs are ordered and paid, one miner works, one lies, one dies, and epochs pay who was right."""

import json
import os
import subprocess
import sys
from urllib.parse import urljoin

import httpx
import numpy as np
import pytest

from compute.models import Lease
from launch.programs import ROOT
from ledger import chart
from ledger import queries as books
from ledger.money import RAO_PER_TAO as TAO
from neurons.client import Client
from neurons.workloads import matmul
from subnets.models import EpochTerm

pytestmark = pytest.mark.network

BLOCK_MS = 15  # an epoch of 360 blocks lasts 5.4 s: at least one batch of scores falls into each
MATRIX_N = 64
JOB_COUNT = 5
STAKES_TAO = {"val": 5_000, "vic": 3_000}
FUNDS_TAO = {"owner": 100, "consumer": 10, "honest": 30, "liar": 30, "mortal": 30}
FUNDS_TAO |= {name: stake_tao + 30 for name, stake_tao in STAKES_TAO.items()}
LIAR = "tests.neurons.lying_miner"


def slot(owner):
    """Buy a matmul subnet; return its netuid."""
    bought = owner.post(
        "slots/",
        {
            "name": "Prime Products",
            "summary": "Multiplies matrices.",
            "blueprint": "matmul",
            "max_cost_rao": str(50 * TAO),
        },
    )
    return bought["netuid"]


def ordered(consumer, netuid):
    """Order matrix products; return job id → payload."""
    rng = np.random.default_rng(7)
    jobs = {}
    for _ in range(JOB_COUNT):
        payload = matmul.make(rng, MATRIX_N)
        body = {"netuid": netuid, "payload": payload, "max_price_rao": str(TAO)}
        jobs[consumer.post("jobs/", body)["id"]] = payload
    return jobs


def leases(jobs, keypair):
    """Return the leases of these jobs that a hotkey got."""
    return Lease.objects.filter(job__in=list(jobs), hotkey=keypair.ss58_address)


def earned_rao(keypair):
    """Return what a hotkey's mining earned, epoch by epoch, without those that paid it nothing."""
    terms = EpochTerm.objects.filter(hotkey=keypair.ss58_address, miner_rao__gt=0)
    return list(terms.order_by("epoch__number").values_list("miner_rao", flat=True))


def standings(house, keypair):
    """Ask as a hotkey how it stands and why."""
    client = Client(house.address, keypair)
    try:
        return client._call("GET", "hotkeys/me/")
    finally:
        client.close()


def audit(source):
    """Run the public audit as a stranger would: a program of its own, without the server's settings."""
    outsider = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"}
    run = subprocess.run(
        [sys.executable, "-m", "subnets.audit", str(source)],
        cwd=ROOT,
        env=outsider,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def test_honest_work_is_paid_and_lies_are_not(house, tmp_path):
    house.start("web", "worker", "beat")
    people = {name: house.person(name, tao=tao) for name, tao in FUNDS_TAO.items()}
    consumer = people["consumer"]
    netuid = slot(people["owner"])
    words = ("--netuid", str(netuid), "--workloads", "matmul")

    # The jobs wait before there is a miner, so that the first ones to come are given these.
    jobs = ordered(consumer, netuid)
    slow = {"NEURON_LIE": "slow", "NEURON_LIE_DELAY_S": "600"}
    mortal = house.neuron("mortal", "miner", *words, owner=people["mortal"], program=LIAR, env=slow)
    liar = house.neuron("liar", "miner", *words, owner=people["liar"], program=LIAR)
    for name, stake_tao in STAKES_TAO.items():
        stake = ("--stake-tao", str(stake_tao))
        house.neuron(name, "validator", *words, *stake, owner=people[name])
    at_work = leases(jobs, mortal).filter(state=Lease.State.TAKEN)
    house.until(at_work.exists, "the mortal miner has a job in hand")
    house.kill("mortal")
    lied = leases(jobs, liar).filter(state=Lease.State.RETURNED)
    house.until(lied.exists, "the liar returns a job")
    honest = house.neuron("honest", "miner", *words, owner=people["honest"])

    # Every job ends well: what the liar and the dead had goes on to the honest miner.
    def ends():
        said = [consumer.get(f"jobs/{job_id}/") for job_id in jobs]
        return said if all(job["ended_at"] for job in said) else None

    done = house.until(ends, "every job ends")
    assert {job["state"] for job in done} == {"verified"}
    assert all(job["output"] == matmul.run(jobs[job["id"]]) for job in done)
    assert leases(jobs, honest).filter(state=Lease.State.RETURNED).count() == JOB_COUNT
    assert leases(jobs, mortal).filter(state=Lease.State.EXPIRED).exclude(taken_at=None).exists()

    # The consumer paid each job's price, once; the miner, the subnet's owner and the market shared it.
    house.until(lambda: len(earned_rao(honest)) >= 2, "two epochs paid the miner")
    prices = [int(job["price_rao"]) for job in done]
    assert consumer.wallet == (10 * TAO - sum(prices), 0)
    paid = {
        name: [rao for code, rao in people[name].statement() if code == "job:settled"]
        for name in people
    }
    assert sorted(paid["honest"]) == sorted(price * 80 // 100 for price in prices)
    assert sorted(paid["owner"]) == sorted(price * 18 // 100 for price in prices)
    assert paid["liar"] == paid["mortal"] == paid["val"] == paid["vic"] == []
    assert books.balance(chart.FEES).posted_rao == sum(price * 2 // 100 for price in prices)

    # Epochs pay the honest miner and not the liar; owner and validators have their part.
    assert sum(earned_rao(liar)) == 0
    for name in ("honest", "owner", *STAKES_TAO):
        assert [rao for code, rao in people[name].statement() if code == "epoch:paid"], name
    assert not [rao for code, rao in people["liar"].statement() if code == "epoch:paid"]
    explained = standings(house, liar)
    assert explained["neurons"][0]["incentive_u16"] == 0
    assert {score["score_ppm"] for score in explained["scores"]} == {0}
    assert all(score["reason"] for score in explained["scores"])
    explained = standings(house, honest)
    assert explained["neurons"][0]["rank"] == 1
    assert {int(p["payout_rao"]) for p in explained["payouts"]} >= set(earned_rao(honest)[:2])
    assert {score["score_ppm"] for score in explained["scores"]} == {1_000_000}

    # Anybody recomputes an epoch from its public bundle, and finds where a copy was touched.
    epochs = consumer.get("epochs/", netuid=netuid)["results"]
    paid_epoch = next(epoch for epoch in epochs if int(epoch["miners_rao"]))
    url = urljoin(house.address, paid_epoch["bundle_url"])
    status, said = audit(url)
    assert (status, said.split()[0]) == (0, "MATCH"), said
    bundle = httpx.get(url, trust_env=False).json()
    account = str(people["honest"].id)
    bundle["payroll"]["payouts"][account] = str(int(bundle["payroll"]["payouts"][account]) + 1)
    copy = tmp_path / "bundle.json"
    copy.write_text(json.dumps(bundle))
    status, said = audit(copy)
    assert status == 1
    assert f"/payroll/payouts/{account}" in said
    assert consumer.get("network/")["is_balanced"] is True

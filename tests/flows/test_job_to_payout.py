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


def slot(owner, *, blueprint="matmul"):
    """Buy a subnet; return its netuid."""
    bought = owner.post(
        "slots/",
        {
            "name": "Prime Products",
            "summary": "Multiplies matrices.",
            "blueprint": blueprint,
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


def start_miners(house, people, netuid, jobs):
    """Let one miner die at work, one lie, and an honest one come last; return the keys of all three by name."""
    words = ("miner", "--netuid", str(netuid), "--workloads", "matmul")
    slow = {"NEURON_LIE": "slow", "NEURON_LIE_DELAY_S": "600"}
    mortal = house.neuron("mortal", *words, owner=people["mortal"], program=LIAR, env=slow)
    liar = house.neuron("liar", *words, owner=people["liar"], program=LIAR)
    at_work = leases(jobs, mortal).filter(state=Lease.State.TAKEN)
    house.until(at_work.exists, "the mortal miner has a job in hand")
    house.kill("mortal")
    lied = leases(jobs, liar).filter(state=Lease.State.RETURNED)
    house.until(lied.exists, "the liar returns a job")
    honest = house.neuron("honest", *words, owner=people["honest"])
    return {"mortal": mortal, "liar": liar, "honest": honest}


def start_validators(house, people, netuid):
    for name, stake_tao in STAKES_TAO.items():
        words = ("--netuid", str(netuid), "--workloads", "matmul", "--stake-tao", str(stake_tao))
        house.neuron(name, "validator", *words, owner=people[name])


def lines(person, code):
    """Return what a wallet's lines of one kind changed, smallest first."""
    return sorted(rao for why, rao in person.statement() if why == code)


def test_honest_work_is_paid_and_lies_are_not(house, tmp_path):
    house.start("web", "worker", "beat")
    people = {name: house.person(name, tao=tao) for name, tao in FUNDS_TAO.items()}
    consumer = people["consumer"]
    netuid = slot(people["owner"])
    # The jobs wait before there is a miner, so that the first ones to come are given these.
    jobs = ordered(consumer, netuid)
    start_validators(house, people, netuid)
    keys = start_miners(house, people, netuid, jobs)

    def ends():
        said = [consumer.get(f"jobs/{job_id}/") for job_id in jobs]
        return said if all(job["ended_at"] for job in said) else None

    done = house.until(ends, "every job ends")
    every_job_is_done_by_the_honest_miner(done, jobs, keys)
    house.until(lambda: len(earned_rao(keys["honest"])) >= 2, "two epochs paid the miner")
    each_price_is_paid_once_and_shared(done, people)
    epochs_pay_who_was_right(people, keys)
    a_miner_is_told_why(house, keys)
    anybody_can_audit(house, netuid, people, tmp_path)
    assert consumer.get("network/")["is_balanced"] is True


def every_job_is_done_by_the_honest_miner(done, jobs, keys):
    assert {job["state"] for job in done} == {"verified"}
    assert all(job["output"] == matmul.run(jobs[job["id"]]) for job in done)
    returned = leases(jobs, keys["honest"]).filter(state=Lease.State.RETURNED)
    assert returned.count() == JOB_COUNT
    died = leases(jobs, keys["mortal"]).filter(state=Lease.State.EXPIRED, taken_at__isnull=False)
    assert died.exists()


def each_price_is_paid_once_and_shared(done, people):
    prices = sorted(int(job["price_rao"]) for job in done)
    assert people["consumer"].wallet == (FUNDS_TAO["consumer"] * TAO - sum(prices), 0)
    assert lines(people["honest"], "job:settled") == [price * 80 // 100 for price in prices]
    assert lines(people["owner"], "job:settled") == [price * 18 // 100 for price in prices]
    assert books.balance(chart.FEES).posted_rao == sum(price * 2 // 100 for price in prices)
    for name in ("liar", "mortal", *STAKES_TAO):
        assert lines(people[name], "job:settled") == [], name


def epochs_pay_who_was_right(people, keys):
    for name in ("honest", "owner", *STAKES_TAO):
        assert lines(people[name], "epoch:paid"), name
    for name in ("liar", "mortal"):
        assert lines(people[name], "epoch:paid") == earned_rao(keys[name]) == [], name


def a_miner_is_told_why(house, keys):
    liar, honest = standings(house, keys["liar"]), standings(house, keys["honest"])
    assert liar["neurons"][0]["incentive_u16"] == 0
    assert {score["score_ppm"] for score in liar["scores"]} == {0}
    assert all(score["reason"] for score in liar["scores"])
    assert honest["neurons"][0]["rank"] == 1
    assert {score["score_ppm"] for score in honest["scores"]} == {1_000_000}
    payouts = {int(payout["payout_rao"]) for payout in honest["payouts"]}
    assert payouts >= set(earned_rao(keys["honest"])[:2])


def anybody_can_audit(house, netuid, people, folder):
    """Recompute a paid epoch from its public bundle, and find where a copy was touched."""
    epochs = people["consumer"].get("epochs/", netuid=netuid)["results"]
    paid = next(epoch for epoch in epochs if int(epoch["miners_rao"]))
    url = urljoin(house.address, paid["bundle_url"])
    status, said = audit(url)
    assert (status, said.split()[0]) == (0, "MATCH"), said

    bundle = httpx.get(url, trust_env=False).json()
    payouts, account = bundle["payroll"]["payouts"], str(people["honest"].id)
    payouts[account] = str(int(payouts[account]) + 1)
    copy = folder / "bundle.json"
    copy.write_text(json.dumps(bundle))
    status, said = audit(copy)
    assert status == 1
    assert f"/payroll/payouts/{account}" in said

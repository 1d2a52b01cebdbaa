"""Each fault is made by force, with the triggers off, and the check must name it."""

from datetime import timedelta

import pytest

from compute import operations as compute
from compute.invariants import CLAIMS, check_books
from compute.models import Job
from tests import make
from tests.compute.serving_world import line, payer
from tests.faults import forced
from tests.make import NOW

pytestmark = pytest.mark.django_db

SECOND_LEASE = """
INSERT INTO compute_lease (id, job_id, netuid, machine_id, hotkey, state, offered_at, deadline_at, fault)
SELECT gen_random_uuid(), lease.job_id, lease.netuid, lease.machine_id, lease.hotkey, 'taken', now(), now(), ''
FROM compute_lease AS lease JOIN compute_job AS job ON job.id = lease.job_id
WHERE job.state = '{state}'
"""
LOOSE_HOLDS = "ALTER TABLE ledger_hold DROP CONSTRAINT ledger_hold_state_fits_its_facts"

# A claim, and statements that break it.
FAULTS = [
    (
        "price is set aside for it",
        "UPDATE compute_job SET price_rao = price_rao + 1 WHERE state = 'leased'",
    ),
    (
        "price is set aside for it",
        "UPDATE compute_job SET hold = gen_random_uuid() WHERE state = 'leased'",
    ),
    (
        "stays set aside",
        LOOSE_HOLDS,
        "UPDATE ledger_hold SET state = 'voided' WHERE state = 'open'",
    ),
    (
        "paid its price by its one entry",
        "UPDATE ledger_hold SET posted_rao = posted_rao - 1 WHERE state = 'posted'",
    ),
    (
        "paid its price by its one entry",
        "UPDATE ledger_entry SET key = 'lost' WHERE code = 'job:settled'",
    ),
    (
        "paid its price by its one entry",
        LOOSE_HOLDS,
        "UPDATE ledger_hold SET state = 'voided' WHERE state = 'posted'",
    ),
    (
        "failed or cancelled job costs nothing",
        "UPDATE compute_job SET state = 'failed' WHERE state = 'verified'",
    ),
    (
        "failed or cancelled job costs nothing",
        LOOSE_HOLDS,
        "UPDATE ledger_hold SET state = 'open' WHERE state = 'voided'",
    ),
    ("only verified jobs", "UPDATE compute_job SET state = 'failed' WHERE state = 'verified'"),
    (
        "only verified jobs",
        "UPDATE compute_job SET hold = gen_random_uuid() WHERE state = 'verified'",
    ),
    (
        "nobody ordered costs",
        "UPDATE compute_job SET origin = 'canary', owner = NULL, known_answer = '{}'",
    ),
    (
        "a replica is done by none",
        """
        UPDATE compute_job SET origin = 'replica', owner = NULL, price_rao = 0, hold = NULL, replicates_id = done.id
        FROM compute_job AS done WHERE done.state = 'verified' AND compute_job.state = 'failed'
        """,
        "UPDATE compute_lease SET state = 'returned' WHERE state = 'expired'",
    ),
    (
        "one open lease",
        "DROP INDEX compute_lease_one_open_per_job",
        SECOND_LEASE.format(state="leased"),
    ),
    ("one open lease", SECOND_LEASE.format(state="verified")),
    ("one open lease", "DELETE FROM compute_lease WHERE state = 'offered'"),
    ("has a result", "DELETE FROM compute_result"),
    ("came back on a lease", "UPDATE compute_result SET hotkey = 'x'"),
    ("money is set aside", "UPDATE compute_tab SET held_rao = held_rao + 1"),
    ("money is set aside", "UPDATE ledger_entry SET key = 'lost' || id WHERE code = 'tab:opened'"),
    (
        "money is set aside",
        LOOSE_HOLDS,
        "UPDATE ledger_hold SET state = 'voided' WHERE state = 'open'",
    ),
    ("stays within it", "UPDATE compute_usage SET price_rao = 1000 * price_rao"),
    (
        "what its usages cost",
        "UPDATE compute_tab SET spent_rao = spent_rao - 1 WHERE spent_rao > 0",
    ),
    ("what its usages cost", "UPDATE compute_usage SET price_rao = price_rao + 1"),
    ("paid by its one entry", "UPDATE ledger_entry SET key = 'lost' WHERE code = 'tab:settled'"),
    (
        "tab is paid by its one entry",
        "UPDATE ledger_hold SET posted_rao = posted_rao - 1 WHERE posted_rao = 100",
    ),
]


@pytest.fixture
def _history():
    """Leave a verified job, a failed one and a leased one; a tab that was used, an unused and an open one."""
    netuid = make.subnet()
    miner, judge = make.miner(netuid), make.validator(netuid)
    make.job(netuid)
    (lease,) = make.dispatched()
    result = make.returned(lease, miner)
    make.scored(result, judge)
    compute.settle_job(job_id=result.job_id, now=NOW)
    failing = make.job(netuid)
    Job.objects.filter(pk=failing.pk).update(attempts_count=3)
    (lease,) = make.dispatched()
    compute.expire_lease(lease_id=lease.pk, now=NOW + timedelta(hours=1))
    make.job(netuid)
    make.dispatched()
    who = payer(owner=make.rich_owner(10))
    tabs = [make.tab(who.owner, who.key_id) for _ in range(3)]
    answered = line(tab=tabs[0].pk, price_rao=100, who=who, netuid=netuid, hotkey=miner.hotkey)
    compute.record_usages([answered], now=NOW)
    for tab in tabs[:2]:
        compute.settle_tab(tab_id=tab.pk, now=NOW)
    assert sorted(Job.objects.values_list("state", flat=True)) == ["failed", "leased", "verified"]


@pytest.mark.breaks_books
@pytest.mark.usefixtures("_history")
def test_every_fault_is_named():
    for claim, *statements in FAULTS:
        assert check_books() == []
        with forced(*statements):
            assert any(claim in fault for fault in check_books()), (claim, check_books())


def test_every_claim_has_a_fault_that_it_finds():
    for claim in CLAIMS:
        assert any(part in claim for part, *_ in FAULTS), claim


@pytest.mark.usefixtures("_history")
def test_the_check_is_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        check_books()


def test_an_owner_who_orders_on_their_own_subnet_pays_the_others_only():
    owner = make.rich_owner()
    netuid = make.subnet(owner)
    miner, judge = make.miner(netuid), make.validator(netuid)
    job = make.job(netuid, owner)
    before = make.wallet_rao(owner)
    (lease,) = make.dispatched()
    make.scored(make.returned(lease, miner), judge)

    compute.settle_job(job_id=job.pk, now=NOW)

    job.refresh_from_db()
    assert job.state == Job.State.VERIFIED
    assert make.wallet_rao(owner) == before + job.price_rao * 1_800 // 10_000
    assert check_books() == []

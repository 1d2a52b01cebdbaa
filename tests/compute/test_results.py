"""What a miner returns: taken once, in time, signed, and of the right form."""

from datetime import timedelta

import pytest
from django.conf import settings

from compute import operations
from compute.errors import (
    DigestMismatch,
    LeaseExpired,
    LeaseNotYours,
    LeaseUnknown,
    OutputInvalid,
    ResultDiffers,
    ResultSignatureInvalid,
)
from compute.models import Job, Lease, Result
from tests import make
from tests.make import NOW

LATE = NOW + timedelta(seconds=settings.LEASE_S)

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def netuid(db):
    return make.subnet()


def test_a_result_in_time_waits_for_its_scores(netuid):
    miner = make.miner(netuid)
    job = make.job(netuid)
    [lease] = make.dispatched()

    result = make.returned(lease, miner, now=NOW + timedelta(seconds=2))

    job.refresh_from_db()
    lease.refresh_from_db()
    assert (job.state, lease.state) == (Job.State.RETURNED, Lease.State.RETURNED)
    assert result.latency_ms == 2_000
    assert job.verify_by_at == NOW + timedelta(seconds=2 + settings.VERIFY_S)


def test_the_same_result_again_is_a_replay(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    [lease] = make.dispatched()
    first = make.returned(lease, miner)

    fields = make.signed_output(lease, miner.key)
    second, replayed = operations.submit_result(
        lease_id=lease.pk, hotkey=miner.hotkey, now=LATE, **fields
    )

    assert (second.pk, replayed) == (first.pk, True)
    assert Result.objects.count() == 1


def test_another_result_on_a_returned_lease_is_refused(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    [lease] = make.dispatched()
    make.returned(lease, miner)
    fields = make.signed_output(lease, miner.key, output=make.wrong_output(lease))

    with pytest.raises(ResultDiffers):
        operations.submit_result(lease_id=lease.pk, hotkey=miner.hotkey, now=NOW, **fields)


def test_a_late_result_is_refused(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    [lease] = make.dispatched()
    fields = make.signed_output(lease, miner.key)

    with pytest.raises(LeaseExpired) as refusal:
        operations.submit_result(lease_id=lease.pk, hotkey=miner.hotkey, now=LATE, **fields)

    assert refusal.value.fields == {"deadline_at": LATE}
    assert not Result.objects.exists()


def test_a_result_on_somebody_elses_lease_is_refused(netuid):
    miner, thief = make.miner(netuid), make.miner(make.subnet())
    make.job(netuid)
    [lease] = make.dispatched()
    fields = make.signed_output(lease, thief.key)

    with pytest.raises(LeaseNotYours):
        operations.submit_result(lease_id=lease.pk, hotkey=thief.hotkey, now=NOW, **fields)

    assert lease.hotkey == miner.hotkey
    assert not Result.objects.exists()


def test_a_result_on_a_lease_that_never_was_is_refused(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    [lease] = make.dispatched()
    fields = make.signed_output(lease, miner.key)

    with pytest.raises(LeaseUnknown):
        operations.submit_result(lease_id=lease.job_id, hotkey=miner.hotkey, now=NOW, **fields)


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"output_digest": "0" * 64}, DigestMismatch),
        ({"signature": "0x" + "00" * 64}, ResultSignatureInvalid),
        ({"output": {"c": "AAAA"}}, OutputInvalid),
        ({"output": {"c": None}}, OutputInvalid),
        ({"output": {"c": [[[[0]] * 9]], "d": float("nan")}}, OutputInvalid),
    ],
)
def test_a_result_that_is_not_what_it_says_is_refused_and_the_lease_stays_open(
    netuid, changed, refusal
):
    miner = make.miner(netuid)
    make.job(netuid)
    [lease] = make.dispatched()
    fields = make.signed_output(lease, miner.key) | changed

    with pytest.raises(refusal):
        operations.submit_result(lease_id=lease.pk, hotkey=miner.hotkey, now=NOW, **fields)

    lease.refresh_from_db()
    assert lease.is_open
    assert not Result.objects.exists()


def test_an_output_nested_without_end_is_refused_and_not_recursed_into(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    [lease] = make.dispatched()
    deep: object = 0
    for _ in range(200):
        deep = [deep]
    fields = make.signed_output(lease, miner.key) | {"output": {"c": deep}}

    with pytest.raises(OutputInvalid):
        operations.submit_result(lease_id=lease.pk, hotkey=miner.hotkey, now=NOW, **fields)


def test_a_signature_made_by_another_key_is_refused(netuid):
    miner, other = make.miner(netuid), make.keypair()
    make.job(netuid)
    [lease] = make.dispatched()
    fields = make.signed_output(lease, other)

    with pytest.raises(ResultSignatureInvalid):
        operations.submit_result(lease_id=lease.pk, hotkey=miner.hotkey, now=NOW, **fields)

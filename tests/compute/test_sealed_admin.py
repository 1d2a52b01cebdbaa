"""The staff's admin tells no verdict either while its scores are sealed."""
# ruff: noqa: F811  a fixture is asked for by its name

from datetime import timedelta

import pytest

from compute import operations
from tests import make
from tests.compute.test_sealing import SOON, close, house, returned, submit  # noqa: F401


@pytest.mark.parametrize("ppm", [1_000_000, 0])
def test_staff_is_shown_no_verdict_while_its_scores_are_sealed(house, client, ppm):
    netuid, (judge, _), results = house
    submit(judge, make.score(results[0], judge, ppm=ppm))
    operations.settle_job(job_id=results[0].job_id, now=SOON)
    again = make.miner(netuid)
    if not ppm:
        [lease] = make.dispatched(now=SOON + timedelta(seconds=1))
        make.returned(lease, again, now=SOON + timedelta(seconds=1))
    client.force_login(make.user(staff=True))

    page = client.get(f"/admin/compute/job/{results[0].job_id}/change/")
    pages = [client.get(f"/admin/compute/{name}/") for name in ("job", "lease", "result")]

    assert "Returned, verdict sealed" in page.content.decode()
    assert ">Verified<" not in page.content.decode()
    line = pages[0].context["cl"].result_list.get(pk=results[0].job_id)
    shown = pages[0].context["cl"].model_admin
    told = ["shown_state", "attempts", "failure_said", "queued", "verify_by", "ended"]
    assert [getattr(shown, name)(line) for name in told] == [
        "Returned, verdict sealed", None, "", None, None, None,
    ]  # fmt: skip
    assert [again.hotkey in one.content.decode() for one in pages] == [False] * 3
    assert [one.context["cl"].result_count for one in pages] == [2, 2, 2]


@pytest.mark.parametrize("asked", ["state=verified", "ended_at__isnull=0", "attempts_count=1"])
def test_no_address_filters_jobs_by_what_is_sealed(house, client, asked):
    client.force_login(make.user(staff=True))

    assert client.get(f"/admin/compute/job/?{asked}").status_code == 400
    assert client.get("/admin/compute/job/?origin__exact=consumer").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_staff_reads_verdicts_once_their_epoch_has_closed(transactional_db, client):
    netuid = make.subnet()
    judge, miner = make.validator(netuid), make.miner(netuid)
    result = returned(netuid, miner, key="job:early")
    submit(judge, make.score(result, judge))
    operations.settle_job(job_id=result.job_id, now=SOON)
    close(netuid)
    client.force_login(make.user(staff=True))

    page = client.get(f"/admin/compute/job/{result.job_id}/change/").content.decode()

    assert ">Verified<" in page
    assert "verdict sealed" not in page

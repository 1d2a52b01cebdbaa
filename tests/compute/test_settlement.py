"""From a result to money: scores, verdicts, pay, and what happens to who lies."""

from datetime import timedelta

import pytest
from django.conf import settings

from compute import operations, pricing, queries
from compute.errors import NotAValidator
from compute.models import Job, Score, TrackRecord
from compute.reliability import UNKNOWN
from compute.verification import Verdict
from ledger import chart
from ledger import queries as books
from subnets.errors import SubnetUnknown
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.usefixtures("db")

DUE = NOW + timedelta(seconds=settings.VERIFY_S)
LATE = NOW + timedelta(seconds=settings.LEASE_S)
SOON = NOW + timedelta(seconds=5)


class Market:
    """A subnet with two miners, two validators of equal stake, and one ordered job."""

    def __init__(self):
        self.owner = make.rich_owner()
        self.netuid = make.subnet(self.owner)
        self.miners = [make.miner(self.netuid), make.miner(self.netuid)]
        self.validators = [make.validator(self.netuid), make.validator(self.netuid)]
        self.consumer = make.rich_owner(10)
        self.job = make.job(self.netuid, self.consumer)

    def lease(self, *, now=NOW):
        """Dispatch; return the open lease and its miner."""
        [lease] = make.dispatched(now=now)
        return lease, next(miner for miner in self.miners if miner.hotkey == lease.hotkey)

    def result(self, *, is_wrong=False, now=NOW):
        lease, miner = self.lease(now=now)
        output = make.wrong_output(lease) if is_wrong else None
        return make.returned(lease, miner, output=output, now=now), miner

    def judge(self, result, *, ppm=1_000_000, now=NOW):
        for validator in self.validators:
            make.scored(result, validator, ppm=ppm, now=now)

    def settle(self, *, now=NOW):
        return operations.settle_job(job_id=self.job.pk, now=now)

    @property
    def state(self):
        self.job.refresh_from_db()
        return self.job.state


@pytest.fixture
def market(db):
    return Market()


def test_a_verified_job_pays_miner_owner_and_market_and_nothing_else(market):
    result, miner = market.result()
    before = {who: make.wallet_rao(who) for who in (miner.owner, market.owner, market.consumer)}
    fees_before = books.balance(chart.FEES).posted_rao
    market.judge(result)

    assert market.settle() is Verdict.ACCEPTED

    parts = pricing.shares(market.job.price_rao)
    assert market.state == Job.State.VERIFIED
    assert make.wallet_rao(miner.owner) - before[miner.owner] == parts.miner_rao
    assert make.wallet_rao(market.owner) - before[market.owner] == parts.owner_rao
    assert books.balance(chart.FEES).posted_rao - fees_before == parts.fee_rao
    assert make.held_rao(market.consumer) == 0
    assert make.wallet_rao(market.consumer) == before[market.consumer]  # it was set aside before


def test_settling_again_pays_nobody_twice(market):
    result, miner = market.result()
    market.judge(result)
    market.settle()
    paid_rao = make.wallet_rao(miner.owner)

    assert market.settle() is Verdict.PENDING
    assert market.settle(now=DUE) is Verdict.PENDING
    assert make.wallet_rao(miner.owner) == paid_rao


def test_half_the_stake_does_not_pay_before_the_deadline(market):
    result, _ = market.result()
    make.scored(result, market.validators[0])

    assert market.settle() is Verdict.PENDING
    assert market.state == Job.State.RETURNED
    assert make.held_rao(market.consumer) == market.job.price_rao


def test_at_the_deadline_those_who_spoke_decide(market):
    result, _ = market.result()
    make.scored(result, market.validators[0])

    assert market.settle(now=DUE) is Verdict.ACCEPTED
    assert market.state == Job.State.VERIFIED


def test_a_liar_loses_the_job_to_another_miner_who_is_paid(market):
    lie, liar = market.result(is_wrong=True)
    liar_rao = make.wallet_rao(liar.owner)
    market.judge(lie, ppm=0)

    assert market.settle() is Verdict.REJECTED
    truth, honest = market.result(now=SOON)
    honest_rao = make.wallet_rao(honest.owner)
    market.judge(truth)
    assert market.settle() is Verdict.ACCEPTED

    assert honest.hotkey != liar.hotkey
    assert make.wallet_rao(liar.owner) == liar_rao
    assert make.wallet_rao(honest.owner) > honest_rao
    assert queries.result_of(Job.objects.get(pk=market.job.pk)).pk == truth.pk


def test_the_scores_of_the_first_result_do_not_decide_the_second(market):
    lie, _ = market.result(is_wrong=True)
    market.judge(lie, ppm=0)
    market.settle()
    market.result(now=SOON)

    assert market.settle(now=SOON) is Verdict.PENDING


def test_a_result_nobody_judged_gives_the_job_to_another(market):
    market.result()

    assert market.settle(now=DUE) is Verdict.UNJUDGED
    assert market.state == Job.State.QUEUED


def test_a_result_nobody_judged_does_not_count_against_its_miner(market):
    result, _ = market.result()

    market.settle(now=DUE)

    result.lease.refresh_from_db()
    record = TrackRecord.objects.get(machine=result.lease.machine_id)
    assert result.lease.fault == "validator"
    assert (record.bad_milli, record.failures_count) == (0, 0)
    assert record.plain.trust == UNKNOWN.trust


def test_a_result_found_wrong_counts_against_its_miner_and_a_right_one_for_it(market):
    lie, _ = market.result(is_wrong=True)
    market.judge(lie, ppm=0)
    market.settle()
    truth, _ = market.result(now=SOON)
    market.judge(truth, now=SOON)
    market.settle(now=SOON)

    faults = [each.lease.fault for each in (lie, truth) if not each.lease.refresh_from_db()]
    records = [TrackRecord.objects.get(machine=each.lease.machine_id) for each in (lie, truth)]
    assert faults == ["miner", ""]
    assert [each.bad_milli for each in records] == [1_000, 0]
    assert [each.good_milli for each in records] == [0, 1_000]


def test_after_four_failures_the_job_ends_and_the_money_is_free_again(market):
    market.miners += [make.miner(market.netuid), make.miner(market.netuid)]
    before_rao = make.wallet_rao(market.consumer)

    for attempt in range(4):
        assert market.state == Job.State.QUEUED, attempt
        # Each attempt waits longer than the last.
        at = NOW + timedelta(seconds=10 * attempt)
        lie, _ = market.result(is_wrong=True, now=at)
        market.judge(lie, ppm=0, now=at)
        market.settle(now=at)

    assert market.state == Job.State.FAILED
    assert market.job.failure == "every result was found wrong"
    assert make.held_rao(market.consumer) == 0
    assert make.wallet_rao(market.consumer) == before_rao + market.job.price_rao


def test_expired_leases_use_attempts_up_as_well(market):
    market.miners += [make.miner(market.netuid), make.miner(market.netuid)]

    for attempt in range(4):
        at = NOW + timedelta(seconds=10 * attempt)
        lease, _ = market.lease(now=at)
        operations.expire_lease(lease_id=lease.pk, now=lease.deadline_at)
        Job.objects.filter(pk=market.job.pk).update(ready_at=at)

    assert market.state == Job.State.FAILED
    assert make.held_rao(market.consumer) == 0


def test_a_known_answer_is_verified_without_money(market):
    market.miners.append(make.miner(market.netuid, concurrency=8))
    operations.plant_known_answers(netuid=market.netuid, now=NOW)
    canary = Job.objects.filter(origin=Job.Origin.CANARY).first()
    make.dispatched()
    lease = canary.leases.get()
    miner = next(each for each in market.miners if each.hotkey == lease.hotkey)
    while True:
        taken = operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)
        if taken.pk == lease.pk:
            break
    fields = make.signed_output(lease, miner.key)
    result, _ = operations.submit_result(lease_id=lease.pk, hotkey=miner.hotkey, now=NOW, **fields)
    before_rao = make.wallet_rao(miner.owner)
    market.judge(result)

    assert operations.settle_job(job_id=canary.pk, now=NOW) is Verdict.ACCEPTED
    assert make.wallet_rao(miner.owner) == before_rao


def test_a_score_counts_once_and_stands(market):
    result, _ = market.result()
    validator = market.validators[0]
    make.scored(result, validator)

    again = make.scored(result, validator)
    changed = make.scored(result, validator, ppm=0)

    assert (again.accepted_count, again.refused) == (1, ())
    assert (changed.accepted_count, changed.refused) == (0, ((result.pk, "score_differs"),))
    assert Score.objects.get().score_ppm == 1_000_000


def test_two_different_scores_in_one_request_leave_the_first(market):
    result, _ = market.result()
    judge = market.validators[0]
    both = [make.score(result, judge, ppm=ppm) for ppm in (1_000_000, 0)]

    taken = operations.submit_scores(
        validator=judge.hotkey, owner=judge.owner, scores=both, now=NOW
    )

    assert taken.refused == ((result.pk, "score_differs"),)
    assert Score.objects.get().score_ppm == 1_000_000


def test_a_score_signed_by_another_is_refused(market):
    result, _ = market.result()
    judge, other = market.validators
    forged = make.score(result, other)

    taken = operations.submit_scores(
        validator=judge.hotkey, owner=judge.owner, scores=[forged], now=NOW
    )

    assert taken.refused == ((result.pk, "score_signature_invalid"),)
    assert not Score.objects.exists()


def test_nobody_scores_their_own_miner(market):
    result, miner = market.result()
    make.funded(miner.owner, tao=2_000)
    own = make.validator(market.netuid, owner=miner.owner)

    taken = make.scored(result, own)

    assert taken.refused == ((result.pk, "own_result"),)
    assert not Score.objects.exists()


def test_a_miners_own_stake_does_not_count_towards_the_quorum(market):
    result, miner = market.result()
    make.funded(miner.owner, tao=9_000)
    make.validator(market.netuid, owner=miner.owner, stake_tao=8_000)
    market.judge(result)

    assert market.settle() is Verdict.ACCEPTED


@pytest.mark.parametrize("stake_tao", [0, 999])
def test_who_has_too_little_stake_judges_nothing(market, stake_tao):
    result, _ = market.result()
    poor = make.validator(market.netuid, stake_tao=stake_tao)

    taken = make.scored(result, poor)

    assert taken.refused == ((result.pk, "not_a_validator"),)
    with pytest.raises(NotAValidator):
        queries.samples(validator=poor.hotkey, owner=poor.owner, netuid=market.netuid, limit=5)


def test_a_validator_of_another_subnet_judges_nothing_here(market):
    result, _ = market.result()
    stranger = make.validator(make.subnet())

    assert make.scored(result, stranger).refused == ((result.pk, "not_a_validator"),)


def test_a_score_for_a_result_that_never_was_is_refused(market):
    result, _ = market.result()
    judge = market.validators[0]
    score = make.score(result, judge)
    lost = type(score)(market.job.pk, score.score_ppm, score.reason, score.signature)

    taken = operations.submit_scores(
        validator=judge.hotkey, owner=judge.owner, scores=[lost], now=NOW
    )

    assert taken.refused == ((market.job.pk, "result_unknown"),)


def test_a_validator_is_shown_what_it_has_not_scored_and_not_its_own(market):
    result, miner = market.result()
    judge = market.validators[0]
    make.funded(miner.owner, tao=2_000)
    own = make.validator(market.netuid, owner=miner.owner)

    def shown(validator):
        rows = queries.samples(
            validator=validator.hotkey, owner=validator.owner, netuid=market.netuid, limit=20
        )
        return [row.result_id for row in rows]

    assert shown(judge) == [result.pk]
    assert shown(own) == []
    make.scored(result, judge)
    assert shown(judge) == []


def test_samples_of_a_subnet_that_is_not_there_are_refused(market):
    judge = market.validators[0]

    with pytest.raises(SubnetUnknown):
        queries.samples(validator=judge.hotkey, owner=judge.owner, netuid=99, limit=5)


def test_scores_of_the_running_epoch_stay_sealed(market):
    result, miner = market.result()
    market.judge(result)

    assert queries.scores_of_miner(miner.hotkey) == []

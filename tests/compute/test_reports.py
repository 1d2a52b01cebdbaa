"""A reported answer is laid before the subnet's validators with its consumer's consent, judged, counted and forgotten."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from compute import operations, queries, reporting
from compute.errors import AnswerReported, ReportUnknown, TooManyReports
from compute.models import AnswerReport, Job, ReportedChat, Result
from compute.queries import windows
from compute.reporting import Chat, Standing, Unchecked
from neurons import protocol
from neurons.workloads import language
from tests import make
from tests.compute.serving_world import TERMS, line, payer
from tests.make import NOW

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
PIECES = [json.dumps({"choices": [{"delta": {"content": word}}]}) for word in ("Paris", ".")]
BODY = {
    "max_tokens": 16,
    "messages": [{"content": "What is the capital of France?", "role": "user"}],
    "model": "echo",
    "stream": True,
    "temperature": 0,
}


class Affair:
    """A consumer, the miner who answered, and the validators of the subnet."""

    def __init__(self, *, blueprint="language"):
        self.owner = make.rich_owner()
        self.netuid = make.subnet(self.owner, blueprint=blueprint)
        self.miner = make.miner(self.netuid, blueprints=["language"])
        self.judges = [make.validator(self.netuid) for _ in range(2)]
        terms = replace(TERMS, netuid=self.netuid)
        operations.serve_model(owner=self.owner, terms=terms, now=NOW)
        self.consumer = make.user().pk

    def answered(self, *, miner=None, **changes):
        """Let a chat be answered and signed; return it as a gateway remembers it."""
        miner = miner or self.miner
        chat = Chat(uuid4(), uuid4(), BODY | changes, PIECES, 12, 2)
        digest = protocol.answer_digest(PIECES)
        signed = miner.key.sign(protocol.answer_message(str(chat.call_id), digest))
        used = line(
            id=chat.request_id, who=payer(owner=self.consumer), netuid=self.netuid,
            hotkey=miner.hotkey, answer_digest=digest, signature=signed, began_at=NOW,
        )  # fmt: skip
        operations.record_usages([used], now=NOW)
        return chat

    def report(self, chat, *, shows_chat=True, reason="It is nonsense.", by=None, now=NOW):
        return operations.report_answer(
            usage_id=chat.request_id,
            owner=by or self.consumer,
            reason=reason,
            shows_chat=shows_chat,
            now=now,
        )

    def checked(self, chat=None, **changes):
        """Report an answer and have its conversation handed over; return its result."""
        chat = chat or self.answered(**changes)
        self.report(chat)
        operations.hand_over_chat(chat=chat, now=NOW)
        return Result.objects.filter(request_id=chat.call_id).first(), chat

    def standing(self, chat):
        return queries.standing_of(queries.report_of(chat.request_id, self.consumer))

    def samples(self, judge):
        return queries.samples(
            validator=judge.hotkey, owner=judge.owner, netuid=self.netuid, limit=20
        )

    def settle(self, result, *, now=NOW + SECOND):
        return operations.settle_job(job_id=result.job_id, now=now)


@pytest.fixture
def affair():
    return Affair()


def test_validators_get_a_reported_answer_as_a_sample_with_its_words(affair):
    result, chat = affair.checked()

    [sample] = affair.samples(affair.judges[0])

    assert sample.result_id == result.pk
    assert sample.payload == {
        "messages": BODY["messages"], "max_tokens": 16, "temperature": 0, "seed": 0, "model": "echo",
    }  # fmt: skip
    assert (sample.output["text"], sample.pieces) == ("Paris.", PIECES)
    assert sample.report == "It is nonsense."
    assert language.payload_problem(sample.payload) is None
    assert language.output_problem(sample.payload, sample.output) is None
    assert affair.standing(chat) is Standing.CHECKING


def test_no_row_but_the_one_that_is_forgotten_holds_a_word(affair):
    result, _ = affair.checked()

    said = json.dumps([result.job.payload, result.output, result.pieces])
    assert "France" not in said
    assert "Paris" not in said

    operations.forget_chats(
        usage_ids=queries.outlived_chats(NOW + reporting.CHAT_KEPT - SECOND, limit=10)
    )
    assert ReportedChat.objects.get().body is not None
    operations.forget_chats(usage_ids=queries.outlived_chats(NOW + reporting.CHAT_KEPT, limit=10))

    kept = ReportedChat.objects.get()
    assert (kept.body, kept.pieces, kept.forget_at) == (None, None, None)
    assert affair.samples(affair.judges[0]) == []


@pytest.mark.parametrize(
    ("ppm", "standing", "fault"),
    [(0, Standing.UPHELD, "miner"), (1_000_000, Standing.NOT_UPHELD, "")],
)
def test_the_scores_of_validators_are_the_verdict_and_count_for_the_miner(
    affair, ppm, standing, fault
):
    result, chat = affair.checked()

    for judge in affair.judges:
        assert make.scored(result, judge, ppm=ppm).accepted_count == 1
    affair.settle(result)

    assert affair.standing(chat) is standing
    result.lease.refresh_from_db()
    assert result.lease.fault == fault
    window = {"starts_at": NOW - SECOND, "ends_at": NOW + SECOND}
    found = windows._gathered(affair.netuid, **window).scores
    assert [each.miner for each in found.results] == [affair.miner.hotkey]
    assert found.scores_ppm.tolist() == [ppm, ppm]


def test_a_verdict_is_all_that_a_report_comes_to(affair):
    result, chat = affair.checked()

    affair.settle(result, now=NOW + reporting.CHECKED_WITHIN)

    assert affair.standing(chat) is Standing.UNJUDGED
    result.job.refresh_from_db()
    assert result.job.state == Job.State.FAILED  # nobody else is asked for this miner's answer
    result.lease.refresh_from_db()
    assert result.lease.fault == "validator"


def test_words_alone_keep_no_conversation(affair):
    chat = affair.answered()

    affair.report(chat, shows_chat=False)

    assert queries.awaited_chats(limit=10) == []
    assert not operations.hand_over_chat(chat=chat, now=NOW)
    assert affair.standing(chat) is Standing.TOLD


def test_a_conversation_that_no_gateway_has_is_missed_after_a_minute(affair):
    chat = affair.answered()
    affair.report(chat)

    assert affair.standing(chat) is Standing.AWAITED
    assert queries.missed_chats(NOW + timedelta(seconds=59), limit=10) == []
    operations.miss_chats(
        usage_ids=queries.missed_chats(NOW + timedelta(minutes=1), limit=10), now=NOW
    )

    assert affair.standing(chat) is Standing.GONE
    assert not operations.hand_over_chat(chat=chat, now=NOW)


def test_words_that_the_miner_did_not_sign_are_not_laid_to_it(affair):
    chat = affair.answered()
    affair.report(chat)

    operations.hand_over_chat(chat=replace(chat, pieces=PIECES[:1]), now=NOW)

    assert affair.standing(chat) is Standing.GONE
    assert not Result.objects.exists()


@pytest.mark.parametrize("changes", [{"temperature": 1}, {"tools": []}, {"stop": "."}])
def test_what_cannot_be_repeated_is_shown_and_not_judged(affair, changes):
    result, chat = affair.checked(**changes)

    assert result is None
    assert affair.standing(chat) is Standing.SHOWN
    [shown] = queries.reports_on(affair.netuid, validator=affair.judges[0].hotkey, limit=5)
    assert (shown.chat.unchecked, shown.chat.pieces) == (Unchecked.OPTIONS, PIECES)


def test_validators_of_other_work_are_not_asked():
    affair = Affair(blueprint="matmul")

    result, _ = affair.checked()

    assert result is None
    assert ReportedChat.objects.get().unchecked == Unchecked.SUBNET


def test_nobody_adds_to_their_own_results_by_reporting_themselves(affair):
    affair.consumer = affair.miner.owner

    result, _ = affair.checked()

    assert result is None
    assert ReportedChat.objects.get().unchecked == Unchecked.OWN


def test_a_subnet_repeats_a_bounded_number_at_once(affair, monkeypatch):
    monkeypatch.setattr(reporting, "CHECKED_AT_ONCE_MAX", 1)
    affair.checked()

    result, chat = affair.checked()

    assert result is None
    assert affair.standing(chat) is Standing.SHOWN


def test_a_validator_of_the_reporter_is_not_asked_and_not_heard(affair):
    make.funded(affair.consumer, tao=5_000)
    interested = make.validator(affair.netuid, owner=affair.consumer, stake_tao=4_000)
    result, chat = affair.checked()

    assert affair.samples(interested) == []
    [(_, code)] = make.scored(result, interested, ppm=0).refused
    assert code == "own_report"
    for judge in affair.judges:
        make.scored(result, judge)
    affair.settle(result)
    assert affair.standing(chat) is Standing.NOT_UPHELD  # its stake does not count either


def test_who_is_no_validator_of_the_subnet_is_not_heard(affair):
    result, _ = affair.checked()
    stranger = make.validator(make.subnet())

    [(_, code)] = make.scored(result, stranger, ppm=0).refused

    assert code == "not_a_validator"


def test_who_reports_everything_is_stopped_after_so_many_a_day(affair, monkeypatch):
    monkeypatch.setattr(reporting, "REPORTS_PER_DAY_MAX", 3)
    monkeypatch.setattr(reporting, "REPORTS_OF_MINER_PER_DAY_MAX", 2)
    other = make.miner(affair.netuid)
    first = affair.answered()
    affair.report(first)
    affair.report(affair.answered())

    with pytest.raises(TooManyReports) as refused:
        affair.report(affair.answered())
    assert refused.value.fields["limit"] == "this miner"
    assert refused.value.fields["retry_after_s"] == 86_401
    affair.report(affair.answered(miner=other))
    with pytest.raises(TooManyReports) as refused:
        affair.report(affair.answered(miner=make.miner(affair.netuid)))
    assert refused.value.fields["limit"] == "all miners"

    assert affair.report(first).pk  # a replay is none more
    affair.report(affair.answered(), now=NOW + timedelta(days=1))
    assert AnswerReport.objects.count() == 4


def test_a_report_stands_as_it_was_made(affair):
    chat = affair.answered()
    affair.report(chat, shows_chat=False)

    with pytest.raises(AnswerReported):
        affair.report(chat, shows_chat=True)
    with pytest.raises(ReportUnknown):
        queries.report_of(chat.request_id, make.user().pk)

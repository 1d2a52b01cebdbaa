"""Reserving without the database: free quota first, then a tab; one opening for many, and nothing past what is held."""

import asyncio
from datetime import timedelta

import pytest

from compute import till as tills
from compute.errors import SpendingLimitReached, UsageBacklog
from compute.journal import Journal
from compute.reservations import TAB_AGE, TAB_LIFE
from compute.serving import Outcome
from compute.till import Till
from ledger.errors import InsufficientFunds
from tests.compute.serving_world import NOW, TERMS, MemoryBooks, payer, reserved, used

FREE = 1_000
# 100 bytes and 100 tokens asked for: (100 + 64) × 1 + 100 × 4 rao.
CEILING_RAO = 564


def with_free(tokens):
    return type(TERMS)(
        **{name: getattr(TERMS, name) for name in TERMS.__slots__} | {"free_tokens_per_day": tokens}
    )


def at_till(tmp_path, story, *, wallet_rao=10**9):
    """Run a story at a new till; return its books."""
    books = MemoryBooks(wallet_rao)

    async def told():
        till = Till(books, Journal(tmp_path))
        await story(till, books)

    asyncio.run(told())
    return books


def test_a_request_reserves_its_ceiling_and_pays_what_it_cost(tmp_path):
    async def story(till, books):
        who = payer()
        reservation = await reserved(till, who)
        assert reservation.amount_rao == CEILING_RAO
        record = await used(till, reservation)
        assert record.price_rao == 90
        await till.tick(now=NOW)
        assert books.usages == {record.id: record}
        await till.close(now=NOW)

    books = at_till(tmp_path, story)
    assert list(books.settled.values()) == [90]
    assert books.held == {}
    assert list(tmp_path.iterdir()) == []


def test_many_requests_of_a_key_ask_the_books_once(tmp_path):
    async def story(till, books):
        who = payer()
        reservations = await asyncio.gather(*(reserved(till, who) for _ in range(40)))
        assert books.calls == ["open_tab"]
        assert len({one.tab.id for one in reservations}) == 1
        assert reservations[0].tab.reserved_rao == 40 * CEILING_RAO

    at_till(tmp_path, story)


def test_another_tab_is_opened_only_when_the_first_is_full_and_the_first_is_settled_then(tmp_path):
    async def story(till, books):
        who = payer()
        first = [await reserved(till, who) for _ in range(50)]
        [tab] = books.held
        await reserved(till, who)
        assert books.calls == ["open_tab", "open_tab"]
        for reservation in first:
            await used(till, reservation)
        await till.tick(now=NOW)
        assert books.settled == {tab: 50 * 90}

    at_till(tmp_path, story)


def test_what_a_request_did_not_cost_serves_the_next(tmp_path):
    async def story(till, books):
        who = payer()
        for _ in range(200):
            await used(till, await reserved(till, who))
        till.cancel(await reserved(till, who))
        assert books.calls == ["open_tab"]

    at_till(tmp_path, story)


def test_a_cancelled_request_costs_nothing_and_a_finished_one_is_not_cancelled(tmp_path):
    async def story(till, books):
        who = payer()
        given_up = await reserved(till, who)
        till.cancel(given_up)
        till.cancel(given_up)
        done = await reserved(till, who)
        await used(till, done)
        till.cancel(done)
        assert (done.tab.reserved_rao, done.tab.spent_rao, done.tab.live_count) == (0, 90, 0)
        await till.close(now=NOW)

    assert list(at_till(tmp_path, story).settled.values()) == [90]


def test_a_failed_request_costs_nothing_and_counts_are_cut_to_what_was_asked(tmp_path):
    async def story(till, books):
        who = payer()
        failed = await used(till, await reserved(till, who), outcome=Outcome.FAILED)
        boastful = await used(
            till, await reserved(till, who), prompt_tokens=10**6, completion_tokens=10**6
        )
        assert (failed.price_rao, boastful.price_rao) == (0, CEILING_RAO)
        assert boastful.completion_tokens == 100
        await till.close(now=NOW)

    assert list(at_till(tmp_path, story).settled.values()) == [CEILING_RAO]


def test_an_empty_wallet_is_refused_and_looked_into_once_a_second(tmp_path):
    async def story(till, books):
        who = payer()
        for wait_s in (0, 0, 2):
            with pytest.raises(InsufficientFunds) as refused:
                await reserved(till, who, now=NOW + timedelta(seconds=wait_s))
            assert refused.value.fields == {"needed_rao": CEILING_RAO, "available_rao": 100}
        books.wallet_rao = 10**6
        assert await reserved(till, who, now=NOW + timedelta(seconds=4))

    books = at_till(tmp_path, story, wallet_rao=100)
    assert books.calls == ["open_tab"] * 3


def test_a_key_stops_at_its_limit(tmp_path):
    async def story(till, books):
        who = payer(limit_rao=CEILING_RAO)
        await reserved(till, who)
        with pytest.raises(SpendingLimitReached) as refused:
            await reserved(till, who)
        assert refused.value.fields["limit_rao"] == CEILING_RAO

    at_till(tmp_path, story)


def test_the_free_quota_is_used_first_and_a_tab_when_it_does_not_reach(tmp_path):
    async def story(till, books):
        who, terms = payer(), with_free(FREE)
        free = [await reserved(till, who, terms=terms) for _ in range(3)]
        paid = await reserved(till, who, terms=terms)
        assert [one.is_free for one in free] == [True] * 3  # 3 × 264 tokens of 1 000
        assert not paid.is_free
        for reservation in free:
            record = await used(till, reservation)
            assert (record.price_rao, record.tab) == (0, None)
        # Only 90 of 1 000 were used after all.
        assert (await reserved(till, who, terms=terms)).is_free
        assert books.calls == ["free_tokens_used", "open_tab"]

    at_till(tmp_path, story)


def test_what_was_free_today_at_another_time_counts_and_tomorrow_is_new(tmp_path):
    async def story(till, books):
        who, terms = payer(), with_free(FREE)
        books.free_used = 900
        assert not (await reserved(till, who, terms=terms)).is_free
        books.free_used = 0
        assert not (await reserved(till, who, terms=terms)).is_free
        assert (await reserved(till, who, terms=terms, now=NOW + timedelta(days=1))).is_free

    at_till(tmp_path, story)


def test_a_model_that_costs_nothing_needs_no_wallet(tmp_path):
    gratis = type(TERMS)("echo", 1, TERMS.kind, 8_192, 1_024, 0, 0, 0)

    async def story(till, books):
        assert (await used(till, await reserved(till, payer(), terms=gratis))).price_rao == 0
        await till.close(now=NOW)

    books = at_till(tmp_path, story, wallet_rao=0)
    assert len(books.usages) == 1
    assert books.calls == ["record_usages"]


def test_a_tab_is_settled_at_the_first_pause_after_five_minutes(tmp_path):
    async def story(till, books):
        who = payer()
        await used(till, await reserved(till, who))
        running = await reserved(till, who)
        await till.tick(now=NOW + TAB_AGE / 2)
        await till.tick(now=NOW + TAB_AGE)
        assert books.settled == {}
        await used(till, running)
        await till.tick(now=NOW + TAB_AGE)
        assert list(books.settled.values()) == [180]
        assert await reserved(till, who, now=NOW + TAB_AGE)

    at_till(tmp_path, story)


def test_no_request_begins_on_a_tab_of_more_than_an_hour(tmp_path):
    async def story(till, books):
        who = payer()
        old = await reserved(till, who)
        new = await reserved(till, who, now=NOW + TAB_LIFE)
        assert new.tab is not old.tab

    at_till(tmp_path, story)


def test_books_that_are_away_lose_nothing_and_stop_new_requests_at_last(tmp_path, monkeypatch):
    monkeypatch.setattr(tills, "WAITING_MAX", 3)

    async def story(till, books):
        who = payer()
        reservations = [await reserved(till, who) for _ in range(3)]
        books.is_away = True
        for reservation in reservations:
            await used(till, reservation)
        with pytest.raises(ConnectionError):
            await till.tick(now=NOW)
        with pytest.raises(UsageBacklog) as refused:
            await reserved(till, who)
        assert refused.value.fields == {"limit": 3}
        books.is_away = False
        await till.tick(now=NOW)
        assert len(books.usages) == 3
        assert await reserved(till, who)

    at_till(tmp_path, story)


def test_a_consumer_who_goes_away_while_a_tab_is_opened_leaves_it_known(tmp_path):
    async def story(till, books):
        who, gate, opened = payer(), asyncio.Event(), books.open_tab

        async def slowly(*asked, **more):
            await gate.wait()
            return await opened(*asked, **more)

        books.open_tab = slowly
        gone = asyncio.create_task(reserved(till, who))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        gate.set()
        reservation = await reserved(till, who)
        assert books.calls == ["open_tab"]
        assert reservation.tab.reserved_rao == CEILING_RAO

    at_till(tmp_path, story)


def test_a_request_that_comes_while_its_tab_is_settled_waits_for_the_money(tmp_path):
    async def story(till, books):
        who = payer()
        await used(till, await reserved(till, who))
        await till.tick(now=NOW)
        gate, settled = asyncio.Event(), books.settle_tab

        async def slowly(*asked, **more):
            await gate.wait()
            return await settled(*asked, **more)

        books.settle_tab = slowly
        later = NOW + TAB_AGE
        settling = asyncio.create_task(till.tick(now=later))
        waiting = asyncio.create_task(reserved(till, who, now=later))
        await asyncio.sleep(0)
        gate.set()
        reservation = await waiting
        await settling
        assert reservation.tab.spent_rao == 0

    # Half of it, and more than a request, is in the first tab.
    books = at_till(tmp_path, story, wallet_rao=CEILING_RAO + 90)
    assert list(books.settled.values()) == [90]


def test_a_new_process_brings_the_lines_of_a_dead_one_to_the_books_once(tmp_path):
    async def story(till, books):
        who = payer()
        record = await used(till, await reserved(till, who))
        unused = await reserved(till, payer())
        till.journal.close(is_settled=False)

        heir = Till(books, Journal(tmp_path))
        assert await heir.recover(now=NOW) == 1
        assert await heir.recover(now=NOW) == 0
        assert books.usages == {record.id: record}
        assert books.settled == {record.tab: 90, unused.tab.id: 0}
        assert books.held == {}

    at_till(tmp_path, story)


def test_a_line_that_the_disk_refuses_is_still_paid(tmp_path, caplog):
    async def story(till, books):
        reservation = await reserved(till, payer())

        def refuse(record):
            raise OSError("no space left on device")

        till.journal.append = refuse
        await used(till, reservation)
        await till.close(now=NOW)

    assert list(at_till(tmp_path, story).settled.values()) == [90]
    assert "till:unwritten" in caplog.text

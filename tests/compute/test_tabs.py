"""Money for models in the books: set aside once, recorded once, settled by one entry that pays miner, owner and market."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from compute import operations, pricing, queries
from compute.errors import SpendingLimitReached, TabUnknown
from compute.models import Tab, Usage
from compute.serving import Outcome
from ledger import chart
from ledger import queries as books
from ledger.errors import IdempotencyConflict, InsufficientFunds
from ledger.models import Entry
from tests import make
from tests.compute.serving_world import line, payer
from tests.make import NOW

pytestmark = pytest.mark.usefixtures("db")

LATER = NOW + timedelta(minutes=5)


class Shop:
    """A subnet with two miners, and a consumer with 10 TAO and a key."""

    def __init__(self):
        self.owner = make.rich_owner()
        self.netuid = make.subnet(self.owner)
        self.miners = [make.miner(self.netuid), make.miner(self.netuid)]
        self.who = payer(owner=make.rich_owner(10))

    def tab(self, *, tab_id=None, need_rao=1_000, limit_rao=None, now=NOW, who=None):
        who = who or self.who
        return operations.open_tab(
            tab_id=tab_id or uuid4(),
            owner=who.owner,
            payer=who.key_id,
            need_rao=need_rao,
            limit_rao=limit_rao,
            now=now,
        )

    def line(self, tab, *, price_rao=100, miner=0, **facts):
        return line(
            tab=tab.pk,
            price_rao=price_rao,
            who=self.who,
            netuid=self.netuid,
            hotkey=self.miners[miner].hotkey,
            **facts,
        )

    def used(self, tab, **facts):
        record = self.line(tab, **facts)
        operations.record_usages([record], now=NOW)
        return record


@pytest.fixture
def shop(db):
    return Shop()


def test_a_tab_sets_money_aside_for_many_requests(shop):
    tab = shop.tab(need_rao=1_000)

    assert tab.held_rao == 50_000
    assert make.held_rao(shop.who.owner) == 50_000


def test_the_same_id_opens_one_tab_and_nobody_else_can_have_it(shop):
    tab = shop.tab()

    assert shop.tab(tab_id=tab.pk, need_rao=7).held_rao == tab.held_rao
    with pytest.raises(IdempotencyConflict):
        shop.tab(tab_id=tab.pk, who=payer())
    assert make.held_rao(shop.who.owner) == tab.held_rao


def test_a_wallet_that_has_too_little_opens_no_tab(shop):
    poor = payer(owner=make.user().pk)

    with pytest.raises(InsufficientFunds) as refused:
        shop.tab(who=poor)

    assert refused.value.fields == {"needed_rao": 1_000, "available_rao": 0}
    assert not Tab.objects.exists()


def test_a_key_spends_up_to_its_limit_in_a_month_and_anew_in_the_next(shop):
    first = shop.tab(limit_rao=1_500)
    assert first.held_rao == 1_500
    shop.used(first, price_rao=900)
    operations.settle_tab(tab_id=first.pk, now=NOW)

    with pytest.raises(SpendingLimitReached) as refused:
        shop.tab(limit_rao=1_500)

    assert refused.value.fields == {
        "limit_rao": 1_500,
        "spent_rao": 900,
        "resets_at": datetime(2026, 12, 1, tzinfo=UTC),
    }
    assert shop.tab(limit_rao=1_500, need_rao=600).held_rao == 600
    december = datetime(2026, 12, 1, tzinfo=UTC)
    assert shop.tab(limit_rao=1_500, need_rao=500, now=december).held_rao == 900


def test_a_settled_tab_pays_all_at_once_and_gives_the_rest_back(shop):
    tab = shop.tab()
    for price_rao, miner in ((101, 0), (202, 1), (303, 1)):
        shop.used(tab, price_rao=price_rao, miner=miner)
    shop.used(tab, price_rao=0, outcome=Outcome.FAILED)
    people = [shop.who.owner, shop.owner, *(miner.owner for miner in shop.miners)]
    before = [books.balance(chart.wallet(one)).posted_rao for one in people]
    fees_before = books.balance(chart.FEES).posted_rao

    operations.settle_tab(tab_id=tab.pk, now=LATER)

    tab.refresh_from_db()
    after = [books.balance(chart.wallet(one)).posted_rao for one in people]
    few, many = pricing.shares(101), pricing.shares(505)
    assert (tab.state, tab.spent_rao, tab.settled_at) == (Tab.State.SETTLED, 606, LATER)
    assert [new - old for new, old in zip(after, before, strict=True)] == [
        -606,
        few.owner_rao + many.owner_rao,
        few.miner_rao,
        many.miner_rao,
    ]
    assert books.balance(chart.FEES).posted_rao - fees_before == few.fee_rao + many.fee_rao
    assert make.held_rao(shop.who.owner) == 0


def test_settling_again_pays_nobody_twice(shop):
    tab = shop.tab()
    shop.used(tab)
    operations.settle_tab(tab_id=tab.pk, now=LATER)
    paid_rao = make.wallet_rao(shop.miners[0].owner)

    again = operations.settle_tab(tab_id=tab.pk, now=LATER + timedelta(hours=1))

    assert again.settled_at == LATER
    assert make.wallet_rao(shop.miners[0].owner) == paid_rao
    assert Entry.objects.filter(key=f"tab:settled:{tab.pk}").count() == 1


def test_a_tab_of_which_nothing_was_used_is_released(shop):
    tab = shop.tab()

    operations.settle_tab(tab_id=tab.pk, now=LATER)

    assert make.held_rao(shop.who.owner) == 0
    assert Entry.objects.filter(key=f"tab:released:{tab.pk}").exists()


def test_who_answers_their_own_request_pays_the_others_only(shop):
    shop.who = payer(owner=shop.miners[0].owner)
    tab = shop.tab()
    before_rao = make.wallet_rao(shop.who.owner) + tab.held_rao
    shop.used(tab, price_rao=100)

    operations.settle_tab(tab_id=tab.pk, now=LATER)

    parts = pricing.shares(100)
    assert make.wallet_rao(shop.who.owner) == before_rao - parts.owner_rao - parts.fee_rao


def test_the_same_lines_twice_are_recorded_once(shop):
    tab = shop.tab()
    records = [shop.line(tab, price_rao=100) for _ in range(3)]

    assert operations.record_usages([*records, records[0]], now=NOW) == 3
    assert operations.record_usages(records, now=LATER) == 0
    assert Usage.objects.count() == 3
    assert operations.settle_tab(tab_id=tab.pk, now=LATER).spent_rao == 300


def test_a_line_after_settlement_costs_nothing(shop, caplog):
    tab = shop.tab()
    operations.settle_tab(tab_id=tab.pk, now=NOW)

    record = shop.used(tab, price_rao=100)

    row = Usage.objects.get(pk=record.id)
    assert (row.is_free, row.price_rao, row.tab) == (True, 0, None)
    assert "usage:late" in caplog.text


def test_a_batch_is_written_by_as_many_statements_as_a_line(shop, django_assert_num_queries):
    tab = shop.tab()
    for count in (1, 20):
        records = [shop.line(tab) for _ in range(count)]
        with django_assert_num_queries(5):  # savepoint, lock, known, insert, release
            operations.record_usages(records, now=NOW)


def test_a_tab_nobody_knows_is_told(shop):
    with pytest.raises(TabUnknown):
        operations.settle_tab(tab_id=uuid4(), now=NOW)


def test_free_tokens_are_those_of_the_owner_the_model_and_the_day(shop):
    who = shop.who
    shop_lines = [
        line(who=who),
        line(who=who, outcome=Outcome.FAILED),
        line(who=who, model="other"),
        line(who=who, began_at=NOW - timedelta(days=1)),
        line(),
    ]
    paid = shop.line(shop.tab())
    operations.record_usages([*shop_lines, paid], now=NOW)

    assert queries.free_tokens_used(who.owner, "echo", NOW.date()) == 30


def test_a_tab_whose_gateway_never_came_back_is_settled_after_a_day(shop):
    from compute.tasks import settle_left_tabs

    left, fresh = shop.tab(now=NOW - timedelta(days=40)), shop.tab(now=timezone.now())
    shop.used(left, price_rao=100)

    settle_left_tabs()

    left.refresh_from_db()
    fresh.refresh_from_db()
    assert (left.state, left.spent_rao) == (Tab.State.SETTLED, 100)
    assert fresh.state == Tab.State.OPEN
    operations.settle_tab(tab_id=fresh.pk, now=NOW)

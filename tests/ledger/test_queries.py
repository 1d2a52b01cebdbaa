from datetime import timedelta
from uuid import uuid4

import pytest

from ledger import operations as ledger
from ledger import queries
from ledger.chart import FEES, ISSUANCE, TREASURY, Code, stake, wallet
from ledger.entries import Move, PostHold
from tests.ledger.make import NOW, entry, funded_wallet, hold, treasury

pytestmark = pytest.mark.django_db


def test_an_account_never_opened_has_nothing():
    assert queries.balance(wallet(uuid4())) == queries.Balance(0, 0)
    assert queries.balances([]) == {}


def test_balances_of_many_accounts_come_in_one_statement(django_assert_num_queries):
    accounts = [funded_wallet(number + 1) for number in range(20)]

    for count in (1, 20):
        with django_assert_num_queries(1):
            found = queries.balances(accounts[:count])
    assert [found[account].posted_rao for account in accounts] == list(range(1, 21))


def test_a_system_account_is_folded_from_its_transfers():
    source = funded_wallet(100)
    before = queries.balance_of_system(FEES)
    ledger.post(entry(Move(source, FEES, 30), Move(FEES, source, 10)))

    assert queries.balance_of_system(FEES) == before + 20
    assert queries.balance(FEES) == queries.Balance(posted_rao=before + 20)


def test_issued_is_what_left_issuance_and_did_not_return():
    before = queries.issued_rao()
    treasury(100)
    ledger.post(entry(Move(TREASURY, ISSUANCE, 40)))

    assert queries.issued_rao() == before + 60


def test_a_statement_tells_each_change_with_the_balance_after_it():
    owner = uuid4()
    account = funded_wallet(100, owner=owner)
    ledger.post(entry(Move(account, FEES, 30), key="fee", at=NOW + timedelta(hours=1), note="why"))
    ledger.post(entry(PostHold(hold(account, 70), ((TREASURY, 20),)), code=Code.SALE_SETTLED))

    lines = queries.statement(owner)

    assert [(line.change_rao, line.balance_rao, line.counterpart) for line in lines] == [
        (-20, 50, "Treasury"),
        (-30, 70, "Fees"),
        (100, 100, "Treasury"),
    ]
    assert [line.code for line in lines] == [
        "auction:sale:settled",
        "job:settled",
        "treasury:grant:made",
    ]
    assert (lines[1].at, lines[1].note) == (NOW + timedelta(hours=1), "why")


def test_a_statement_is_read_page_by_page_in_two_statements(django_assert_num_queries):
    owner = uuid4()
    account = funded_wallet(100, owner=owner)
    for _ in range(6):
        ledger.post(entry(Move(account, FEES, 2), Move(FEES, account, 1)))
    whole = queries.statement(owner)
    assert len(whole) == 13

    pages, before_id = [], None
    while True:
        with django_assert_num_queries(2):
            page = queries.statement(owner, limit=5, before_id=before_id)
        if not page:
            break
        pages += page
        before_id = page[-1].id

    assert pages == whole


def test_holds_of_an_owner_are_listed_while_they_are_open():
    owner = uuid4()
    account = funded_wallet(100, owner=owner)
    first, second = hold(account, 10), hold(account, 20, expires_at=NOW + timedelta(hours=1))
    hold(funded_wallet(5), 5)

    assert queries.holds_of(owner) == [
        queries.HoldLine(second, "job:placed", 20, NOW, NOW + timedelta(hours=1)),
        queries.HoldLine(first, "job:placed", 10, NOW, None),
    ]
    ledger.post(entry(PostHold(first, ((FEES, 1),))))
    assert [line.hold for line in queries.holds_of(owner)] == [second]
    assert queries.held_by([first, second, uuid4()]) == {second: 20}


def test_stakes_are_those_of_one_subnet_above_zero():
    owner, other = sorted([uuid4(), uuid4()], key=str)
    source = funded_wallet(100)
    ledger.post(
        entry(
            Move(source, stake(other, "beta", 3), 5),
            Move(source, stake(owner, "beta", 3), 6),
            Move(source, stake(owner, "alpha", 3), 7),
            Move(source, stake(owner, "alpha", 31), 8),
            Move(source, stake(owner, "gamma", 3), 9),
            Move(stake(owner, "gamma", 3), source, 9),
        )
    )

    assert queries.stakes(3) == [("alpha", owner, 7), ("beta", owner, 6), ("beta", other, 5)]

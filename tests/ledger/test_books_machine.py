"""Random histories: the books and a model of twenty lines agree after every step."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from ledger import operations as ledger
from ledger import queries
from ledger.chart import FORFEITS, ISSUANCE, TREASURY, Code, stake, wallet
from ledger.entries import Entry, Move, MoveUpTo, PlaceHold, PostHold, VoidHold, hold_id
from ledger.errors import DomainError, HoldExceeded, HoldNotOpen, InsufficientFunds, NothingToMove
from ledger.invariants import check_books
from tests.ledger.make import NOW

ACCOUNTS = [
    TREASURY,
    wallet(UUID(int=1)),
    wallet(UUID(int=2)),
    stake(UUID(int=1), "hotkey", 1),
    FORFEITS,
]
accounts = st.sampled_from(ACCOUNTS)
amounts = st.integers(1, 120)


class Books(RuleBasedStateMachine):
    """The model: what each account has, and what each open hold sets aside of which account."""

    entries = Bundle("entries")
    holds = Bundle("holds")

    def __init__(self):
        super().__init__()
        self.has = dict.fromkeys(ACCOUNTS, 0)
        self.open_holds = {}
        self.count = 0
        self.world = transaction.atomic()
        self.world.__enter__()
        self.post(Move(ISSUANCE, ACCOUNTS[1], 100), Move(ISSUANCE, ACCOUNTS[2], 100))
        self.has[ACCOUNTS[1]] = self.has[ACCOUNTS[2]] = 100

    def teardown(self):
        transaction.set_rollback(True)
        self.world.__exit__(None, None, None)

    def post(self, *steps):
        self.count += 1
        made = Entry(key=f"machine:{self.count}", code=Code.JOB_SETTLED, at=NOW, steps=steps)
        try:
            assert not ledger.post(made).replayed
        except DomainError as refusal:
            return type(refusal)
        return made

    def free(self, account):
        held = sum(amount for owner, amount in self.open_holds.values() if owner == account)
        return self.has[account] - held

    @rule(target=entries, source=accounts, middle=accounts, last=accounts, amount=amounts)
    def move(self, source, middle, last, amount):
        pairs = [(a, b) for a, b in ((source, middle), (middle, last)) if a != b]
        if not pairs:
            return multiple()
        answer = self.post(*(Move(a, b, amount) for a, b in pairs))

        before = dict(self.has)
        for a, b in pairs:
            if a != FORFEITS and self.free(a) < amount:
                self.has = before
                assert answer is InsufficientFunds
                return multiple()
            self.has[a] -= amount
            self.has[b] += amount
        return answer

    @rule(source=st.sampled_from(ACCOUNTS[:4]), receiver=accounts, amount=amounts)
    def empty(self, source, receiver, amount):
        if source == receiver:
            return
        answer = self.post(MoveUpTo(source, receiver, amount))
        moved = min(amount, self.free(source))
        if moved == 0:
            assert answer is NothingToMove
            return
        self.has[source] -= moved
        self.has[receiver] += moved

    @rule(target=holds, account=st.sampled_from(ACCOUNTS[:4]), amount=amounts, lapses=st.booleans())
    def place(self, account, amount, lapses):
        hold = hold_id(f"machine:{self.count}")
        answer = self.post(
            PlaceHold(hold, account, amount, NOW + timedelta(hours=1) if lapses else None)
        )
        if self.free(account) < amount:
            assert answer is InsufficientFunds
            return multiple()
        self.open_holds[hold] = (account, amount)
        return hold

    @rule(hold=holds, to=st.lists(st.tuples(accounts, st.integers(1, 60)), min_size=1, max_size=3))
    def settle(self, hold, to):
        answer = self.post(PostHold(hold, tuple(to)))
        if hold not in self.open_holds:
            assert answer is HoldNotOpen
        elif sum(amount for _, amount in to) > self.open_holds[hold][1]:
            assert answer is HoldExceeded
        else:
            account, _ = self.open_holds.pop(hold)
            for target, amount in to:
                self.has[account] -= amount
                self.has[target] += amount

    @rule(hold=holds)
    def void(self, hold):
        answer = self.post(VoidHold(hold))
        if self.open_holds.pop(hold, None) is None:
            assert answer is HoldNotOpen

    @rule(
        target=entries, old=consumes(holds), account=st.sampled_from(ACCOUNTS[:4]), amount=amounts
    )
    def replace(self, old, account, amount):
        fresh = hold_id(f"machine:{self.count}")
        answer = self.post(VoidHold(old), PlaceHold(fresh, account, amount))
        if old not in self.open_holds:
            assert answer is HoldNotOpen
            return multiple()
        kept = self.open_holds.pop(old)
        if self.free(account) < amount:
            self.open_holds[old] = kept
            assert answer is InsufficientFunds
            return multiple()
        self.open_holds[fresh] = (account, amount)
        return answer

    @rule(earlier=entries)
    def replay(self, earlier):
        assert ledger.post(earlier).replayed

    @rule()
    def expire(self):
        assert ledger.expire_due_holds(now=NOW, limit=10) == 0

    @invariant()
    def books_agree_with_the_model(self):
        found = queries.balances(ACCOUNTS)
        assert {account: found[account].posted_rao for account in ACCOUNTS} == self.has
        for account in ACCOUNTS[:4]:
            assert found[account].available_rao == self.free(account)

    @invariant()
    def books_balance(self):
        assert check_books() == []


@pytest.mark.django_db
def test_the_books_agree_with_a_model_of_them_after_any_history():
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

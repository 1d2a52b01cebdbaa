"""Many connections post at random; then everything is replayed through the model in the ledger's own order.

An entry's number is drawn while its accounts are locked, so among entries that share an account numbers are the order
in which they were decided: whoever replays all of them by number decides each as it was decided. A refusal has no
number; it was decided between what was acknowledged before it was asked and what was begun before it was answered, and
the model has to refuse it so at one of the places between (linearizability, as Jepsen's checkers ask for it).
"""

import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from django.db import connection

from bench._ledger_model import Books, Refused
from ledger import operations as ledger
from ledger.chart import FEES, FORFEITS, ISSUANCE, TREASURY, Address, Code, stake, wallet
from ledger.entries import Entry, Move, MoveUpTo, PlaceHold, PostHold, VoidHold, hold_id
from ledger.errors import Busy, DomainError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
# Few accounts and little in them: most entries meet others, and a tenth or so is refused.
OWNERS = 24
FUNDS_RAO = 2_000
# The newest of what was placed and acknowledged; the choice falls on them, so that many end one hold.
RECENT = 48
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Call:
    """One call and its answer. after, before: numbers of entries it was decided between, for a refusal."""

    entry: Entry
    after: int
    number: int = 0
    is_replay: bool = False
    error: str = ""
    before: int = 0


@dataclass(slots=True)
class Shared:
    """What all connections know: what was acknowledged, and the newest holds and entries to meddle with."""

    acknowledged: int = 0
    holds: list[tuple[UUID, Address, int]] = field(default_factory=list)
    done: list[Entry] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def saw(self, number: int, entry: Entry) -> None:
        """Take note of an answer."""
        with self.lock:
            self.acknowledged = max(self.acknowledged, number)
            self.done = [*self.done[-RECENT:], entry]
            for step in entry.steps:
                if isinstance(step, PlaceHold):
                    self.holds = [*self.holds[-RECENT:], (step.hold, step.account, step.amount_rao)]


@dataclass(slots=True)
class Player:
    """One connection's random acts."""

    name: int
    random: np.random.Generator
    shared: Shared
    accounts: Sequence[Address]
    count: int = 0

    def act(self) -> Entry:
        """Make up an entry."""
        self.count += 1
        acts = (
            self.move,
            self.place,
            self.settle,
            self.void,
            self.linked,
            self.replay,
            self.clash,
            self.reverse,
            self.empty,
        )
        odds = [0.27, 0.2, 0.16, 0.08, 0.1, 0.06, 0.04, 0.06, 0.03]
        chosen = self.random.choice(len(acts), p=odds)
        entry = acts[chosen]()
        return entry if entry is not None else self.move()

    def move(self) -> Entry:
        # What fees and forgotten holds take comes back from an account that may give without end.
        first = FORFEITS if self.random.random() < 0.2 else self.account()
        third = self.account()
        second = next(one for one in iter(self.account, None) if one.code != first.code)
        steps = [Move(first, second, self.rao())]
        if self.random.random() < 0.4 and third.code != second.code:
            steps.append(Move(second, third, self.rao()))
        return self.entry(*steps)

    def place(self) -> Entry:
        fresh = hold_id(f"history:{self.name}:{self.count}")
        lapses = NOW + timedelta(hours=1) if self.random.random() < 0.3 else None
        return self.entry(PlaceHold(fresh, self.account(), self.rao(), lapses))

    def settle(self) -> Entry | None:
        if (held := self.hold()) is None:
            return None
        hold, _, rao = held
        parts = [max(1, rao // 3), max(1, rao // 4), rao][: 1 + int(self.random.integers(3))]
        return self.entry(
            PostHold(hold, tuple((self.any_account(), part) for part in parts)), at=self.at()
        )

    def void(self) -> Entry | None:
        held = self.hold()
        return None if held is None else self.entry(VoidHold(held[0]), at=self.at())

    def linked(self) -> Entry | None:
        if (held := self.hold()) is None:
            return None
        hold, account, rao = held
        fresh = hold_id(f"history:{self.name}:{self.count}")
        return self.entry(
            VoidHold(hold),
            PlaceHold(fresh, account, rao + int(self.random.integers(20))),
            Move(account, FEES, 1),
        )

    def replay(self) -> Entry | None:
        done = self.shared.done
        return done[int(self.random.integers(len(done)))] if done else None

    def clash(self) -> Entry | None:
        earlier = self.replay()
        other = Move(self.accounts[0], self.accounts[1], 1_999_999)
        return None if earlier is None else replace(earlier, steps=(*earlier.steps, other))

    def reverse(self) -> Entry | None:
        """Post the opposite of an entry, under the key that every reversal of it has."""
        earlier = self.replay()
        if earlier is None or not all(isinstance(step, Move) for step in earlier.steps):
            return None
        steps = tuple(
            Move(step.credit, step.debit, step.amount_rao)
            for step in reversed(earlier.steps)
            if isinstance(step, Move)
        )
        return None if len(earlier.key) > 100 else self.entry(*steps, key=f"back:{earlier.key}")

    def empty(self) -> Entry | None:
        """Take what an account has, at most some; what it had is known only when it is locked."""
        first, second = self.account(), self.account()
        if first.code == second.code:
            return None
        return self.entry(MoveUpTo(first, second, self.rao()), Move(second, FEES, 1))

    def entry(
        self,
        *steps: Move | MoveUpTo | PlaceHold | PostHold | VoidHold,
        at: datetime = NOW,
        key: str = "",
    ) -> Entry:
        return Entry(
            key=key or f"history:{self.name}:{self.count}",
            code=Code.JOB_SETTLED,
            at=at,
            steps=steps,
        )

    def hold(self) -> tuple[UUID, Address, int] | None:
        holds = self.shared.holds
        return holds[int(self.random.integers(len(holds)))] if holds else None

    def account(self) -> Address:
        # Half of the choices fall on four accounts: there the waiting is.
        among = 4 if self.random.random() < 0.5 else len(self.accounts)
        return self.accounts[int(self.random.integers(among))]

    def any_account(self) -> Address:
        return FEES if self.random.random() < 0.3 else self.account()

    def rao(self) -> int:
        return int(self.random.integers(1, 400))

    def at(self) -> datetime:
        return LATER if self.random.random() < 0.3 else NOW


def played(*, operations: int, connections: int, seed: int) -> list[Call]:
    """Let so many connections post so many random entries; return every call. Raises: what is no refusal."""
    shared, accounts = Shared(), _funded()
    shared.acknowledged = _newest()
    barrier = threading.Barrier(connections)

    def play(name: int) -> list[Call]:
        random = np.random.default_rng([seed, name])
        player = Player(name, random, shared, accounts)
        try:
            connection.ensure_connection()
            barrier.wait(60)
            return [_called(player.act(), shared) for _ in range(operations // connections)]
        finally:
            connection.close()

    with ThreadPoolExecutor(connections) as pool:
        return [call for calls in pool.map(play, range(connections)) for call in calls]


def _called(entry: Entry, shared: Shared) -> Call:
    after = shared.acknowledged
    try:
        posted = ledger.post(entry)
    except Busy:
        return Call(entry, after, error="Busy")
    except DomainError as refusal:
        return Call(entry, after, error=type(refusal).__name__, before=_newest())
    shared.saw(posted.entry_id, entry)
    return Call(entry, after, number=posted.entry_id, is_replay=posted.replayed)


def _funded() -> list[Address]:
    owners = [UUID(int=1_000 + n) for n in range(OWNERS)]
    accounts = [wallet(owner) for owner in owners]
    accounts += [stake(owners[0], "hot", 1), TREASURY]
    steps = [Move(ISSUANCE, account, FUNDS_RAO) for account in accounts]
    # Accounts that are opened while others wait for them are another test's; here all are open.
    steps += [Move(ISSUANCE, FEES, 1), Move(ISSUANCE, FORFEITS, 1)]
    ledger.post(Entry(key="history:funds", code=Code.SUPPLY_ISSUED, at=NOW, steps=tuple(steps)))
    return accounts


def _newest() -> int:
    """Return the highest number that an entry has been given, committed or not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM ledger_entry_id_seq")
        return int(cursor.fetchone()[0])


def differences(calls: Sequence[Call]) -> list[str]:
    """Replay all calls through the model in the ledger's order; return what differs, a sentence each."""
    return Replay(calls).differences()


class Replay:
    """The replay: entries by number, refusals at the places where they may have been decided."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.made = {
            call.number: call.entry for call in calls if call.number and not call.is_replay
        }
        self.replays = [call for call in calls if call.is_replay]
        self.refusals = [call for call in calls if call.error and call.error != "Busy"]
        self.books, self.faults = Books(), list[str]()
        self.by_key = {entry.key: entry for entry in self.made.values()}

    def differences(self) -> list[str]:
        """Go through the ledger's entries one by one, and compare the ends."""
        waiting = self._decided_by_state()
        open_refusals: list[Call] = []
        for number, key, transfers in _entries():
            self._follow(number, key, transfers)
            open_refusals += waiting.pop(number, [])
            open_refusals = [call for call in open_refusals if not self._explained(call, number)]
        self.faults += [
            f"{call.entry.key}: {call.error} at no place between" for call in open_refusals
        ]
        self._compare_ends()
        self._compare_keys()
        return self.faults

    def _decided_by_state(self) -> dict[int, list[Call]]:
        """Return the refusals that hang on balances and holds, by the number from which on they may be decided."""
        numbers = np.array([number for number, _, _ in _entries()])
        waiting: dict[int, list[Call]] = defaultdict(list)
        for call in self.refusals:
            if call.error != "IdempotencyConflict":
                # The first entry that is there at or below what was acknowledged: gaps are rolled back.
                place = max(int(np.searchsorted(numbers, call.after, side="right")) - 1, 0)
                waiting[int(numbers[place])].append(call)
        return waiting

    def _explained(self, call: Call, number: int) -> bool:
        if self.books.refusal(call.entry) == call.error:
            return True
        if number > call.before:
            self.faults.append(
                f"{call.entry.key}: {call.error} between {call.after} and {call.before} is not so"
            )
            return True
        return False

    def _follow(self, number: int, key: str, transfers: list[tuple[object, ...]]) -> None:
        entry = self.made.get(number) or (self.by_key.get(key) if number else None)
        if key == "history:funds":
            entry = _funds(transfers)
        if entry is None or entry.key != key:
            self.faults.append(f"entry {number} ({key}) was acknowledged to nobody")
            return
        try:
            expected = self.books.apply(entry)
        except Refused as refused:
            self.faults.append(f"entry {number} ({key}) was done, and the model says {refused}")
            return
        shown = [
            (debit, credit, rao, _shown(debit, debit_rao), _shown(credit, credit_rao))
            for debit, credit, rao, debit_rao, credit_rao in expected
        ]
        if shown != transfers:
            self.faults.append(f"entry {number} ({key}) moved {transfers}, and the model {shown}")

    def _compare_ends(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT code, credits_posted - debits_posted, debits_held FROM ledger_account WHERE kind <> 'system'"
            )
            for code, rao, held_rao in cursor.fetchall():
                model = (self.books.has.get(code, 0), self.books.held.get(code, 0))
                if model != (rao, held_rao):
                    self.faults.append(f"{code} has {rao}, {held_rao} held; the model {model}")
            cursor.execute("SELECT id, state FROM ledger_hold")
            states = dict(cursor.fetchall())
        model_states = {hold: held.state for hold, held in self.books.holds.items()}
        self.faults += [
            f"hold {hold} is {states.get(hold)}; the model says {model_states.get(hold)}"
            for hold in states.keys() | model_states.keys()
            if states.get(hold) != model_states.get(hold)
        ]

    def _compare_keys(self) -> None:
        """A replay has the first answer, a clash was one, and nothing was done twice."""
        numbers = {entry.key: number for number, entry in self.made.items()}
        for call in self.replays:
            first = self.by_key.get(call.entry.key)
            if (
                first is None
                or numbers[first.key] != call.number
                or first.digest() != call.entry.digest()
            ):
                self.faults.append(f"{call.entry.key} was replayed as {call.number} and is another")
        for call in self.refusals:
            first = self.by_key.get(call.entry.key)
            clashes = first is not None and first.digest() != call.entry.digest()
            if call.error == "IdempotencyConflict" and not clashes:
                self.faults.append(f"{call.entry.key} was refused as a clash and is none")


def _entries() -> list[tuple[int, str, list[tuple[object, ...]]]]:
    """Read every entry with its transfers, in the ledger's order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, key FROM ledger_entry ORDER BY id")
        keys = cursor.fetchall()
        cursor.execute(
            "SELECT entry_id, debit.code, credit.code, amount_rao, debit_balance_rao, credit_balance_rao"
            " FROM ledger_transfer JOIN ledger_account AS debit ON debit.id = debit_id"
            " JOIN ledger_account AS credit ON credit.id = credit_id ORDER BY entry_id, position"
        )
        moved: dict[int, list[tuple[object, ...]]] = defaultdict(list)
        for number, *transfer in cursor.fetchall():
            moved[number].append(tuple(transfer))
    return [(number, key, moved[number]) for number, key in keys]


def _funds(transfers: list[tuple[object, ...]]) -> Entry:
    """Say the first entry again, whose credits name the accounts by their codes alone."""
    named: dict[str, Address] = {ISSUANCE.code: ISSUANCE, TREASURY.code: TREASURY}
    named |= {FEES.code: FEES, FORFEITS.code: FORFEITS}
    owners = [UUID(int=1_000 + n) for n in range(OWNERS)]
    named |= {address.code: address for address in map(wallet, owners)}
    named |= {address.code: address for address in [stake(owners[0], "hot", 1)]}
    steps = tuple(
        Move(named[str(debit)], named[str(credit)], int(str(rao)))
        for debit, credit, rao, *_ in transfers
    )
    return Entry(key="history:funds", code=Code.SUPPLY_ISSUED, at=NOW, steps=steps)


def _shown(code: str, rao: int) -> int | None:
    return None if code.startswith("system:") else rao

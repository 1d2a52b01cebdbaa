"""Many connections post at random; `_ledger_replay` holds what they were answered against a model.

An entry's number is drawn while its accounts are locked, so among entries that share an account numbers are the order
in which they were decided: whoever replays all of them by number decides each as it was decided. A refusal has no
number; it was decided between what was acknowledged before it was asked and what was begun before it was answered, and
the model has to refuse it so at one of the places between (linearizability, as Jepsen's checkers ask for it).
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import numpy as np
from django.db import connection

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
    is_resent: bool = False
    error: str = ""
    before: int = 0


class Line(Protocol):
    """How a player reaches the ledger."""

    def call(self, entry: Entry) -> "Answer":
        """Post an entry, until there is an answer."""

    def close(self) -> None:
        """Hang up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the ledger said. is_resent: it had to be asked again.  before: see Call."""

    number: int = 0
    is_replay: bool = False
    error: str = ""
    before: int = 0
    is_resent: bool = False


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


def played(
    *, operations: int, connections: int, seed: int, dial: Callable[[], Line] | None = None
) -> list[Call]:
    """Let so many connections post so many random entries; return every call. Raises: what is no refusal.

    dial: how each gets its line; unless told, a connection of this process.
    """
    shared, accounts = Shared(), _funded()
    shared.acknowledged = newest()
    barrier = threading.Barrier(connections)

    def play(name: int) -> list[Call]:
        random = np.random.default_rng([seed, name])
        player = Player(name, random, shared, accounts)
        line = (dial or Here)()
        try:
            barrier.wait(60)
            return [_called(line, player.act(), shared) for _ in range(operations // connections)]
        finally:
            line.close()

    with ThreadPoolExecutor(connections) as pool:
        return [call for calls in pool.map(play, range(connections)) for call in calls]


class Here:
    """A connection of this process and thread."""

    def __init__(self) -> None:
        connection.ensure_connection()

    def call(self, entry: Entry) -> Answer:
        return asked(entry)

    def close(self) -> None:
        connection.close()


def asked(entry: Entry) -> Answer:
    """Post an entry and return what came of it."""
    try:
        posted = ledger.post(entry)
    except Busy:
        return Answer(error="Busy")
    except DomainError as refusal:
        return Answer(error=type(refusal).__name__, before=newest())
    return Answer(number=posted.entry_id, is_replay=posted.replayed)


def _called(line: Line, entry: Entry, shared: Shared) -> Call:
    after = shared.acknowledged
    answer = line.call(entry)
    if answer.number:
        shared.saw(answer.number, entry)
    return Call(
        entry,
        after,
        number=answer.number,
        is_replay=answer.is_replay,
        is_resent=answer.is_resent,
        error=answer.error,
        before=answer.before,
    )


def _funded() -> list[Address]:
    owners = [UUID(int=1_000 + n) for n in range(OWNERS)]
    accounts = [wallet(owner) for owner in owners]
    accounts += [stake(owners[0], "hot", 1), TREASURY]
    steps = [Move(ISSUANCE, account, FUNDS_RAO) for account in accounts]
    # Accounts that are opened while others wait for them are another test's; here all are open.
    steps += [Move(ISSUANCE, FEES, 1), Move(ISSUANCE, FORFEITS, 1)]
    ledger.post(Entry(key="history:funds", code=Code.SUPPLY_ISSUED, at=NOW, steps=tuple(steps)))
    return accounts


def newest() -> int:
    """Return the highest number that an entry has been given, committed or not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM ledger_entry_id_seq")
        return int(cursor.fetchone()[0])

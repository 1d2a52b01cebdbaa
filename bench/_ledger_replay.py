"""A history replayed through the model in the ledger's own order: what differs has to be nothing."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from django.db import connection

from bench._ledger_history import LATER, NOW, OWNERS, Call
from bench._ledger_model import Books, Refused
from ledger.chart import FEES, FORFEITS, ISSUANCE, TREASURY, Address, Code, stake, wallet
from ledger.entries import Entry, Move, VoidHold


def differences(calls: Sequence[Call]) -> list[str]:
    """Replay all calls through the model in the ledger's order; return what differs, a sentence each."""
    return Replay(calls).differences()


class Replay:
    """The replay: entries by number, refusals at the places where they may have been decided."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.made = {
            call.number: call.entry
            for call in calls
            # Who had to ask again hears of a replay where only the answer was lost.
            if call.number and (call.is_resent or not call.is_replay)
        }
        self.replays = [call for call in calls if call.is_replay]
        self.refusals = [call for call in calls if call.error and call.error != "Busy"]
        self.books, self.faults = Books(), list[str]()
        self.by_key = {entry.key: entry for entry in self.made.values()}

    def differences(self) -> list[str]:
        """Go through the ledger's entries one by one, and compare the ends."""
        waiting = self._decided_by_state()
        open_refusals: list[Call] = []
        entries = _entries()
        for number, key, transfers in entries:
            self._follow(number, key, transfers)
            open_refusals += waiting.pop(number, [])
            open_refusals = [call for call in open_refusals if not self._explained(call, number)]
        self.faults += [
            f"{call.entry.key}: {call.error} at no place between" for call in open_refusals
        ]
        kept = {number for number, _, _ in entries}
        self.faults += [
            f"entry {number} ({entry.key}) was acknowledged and is gone"
            for number, entry in self.made.items()
            if number not in kept
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
        if key.startswith("hold:"):
            entry = _expiry(key)
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


def _expiry(key: str) -> Entry:
    """Say again what the sweep over due holds posts, which is asked for by no player."""
    hold = UUID(key.split(":")[1])
    return Entry(key=key, code=Code.HOLD_EXPIRED, at=LATER, steps=(VoidHold(hold),))


def _shown(code: str, rao: int) -> int | None:
    return None if code.startswith("system:") else rao

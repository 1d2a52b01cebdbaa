"""The history whose clients are killed: `python -m bench._ledger_dying OPERATIONS CONNECTIONS SEED EVERY_S`.

It says how many operations have been answered, now and then, and at last what was seen (`_ledger_killed.Report`).
"""

import json
import sys
import threading
import time
from dataclasses import asdict

from django.core.management import call_command
from django.db import connection

from bench import _world  # noqa: F401  sets Django up before a model is imported
from bench._ledger_clients import Client, Killed, Killer
from bench._ledger_history import LATER, Answer, Call, played
from bench._ledger_killed import Report
from bench._ledger_replay import differences
from ledger import invariants, sealing, verifying
from ledger.entries import Entry

PROGRESS_S = 0.05


def main() -> None:
    """Play, have clients killed, replay."""
    operations, connections, seed = (int(word) for word in sys.argv[1:4])
    call_command("migrate", verbosity=0)
    clients: list[Client] = []
    killer = Killer(clients, seed=seed, every_s=float(sys.argv[4]))
    answered = Answered()

    def dial() -> Counted:
        clients.append(Client())
        return Counted(clients[-1], answered)

    killer.start()
    answered.start()
    started = time.perf_counter()
    calls = played(operations=operations, connections=connections, seed=seed, dial=dial)
    seconds = time.perf_counter() - started
    for over in (killer, answered):
        over.is_over.set()
        over.join()
    connection.close()  # its server was killed
    _say(asdict(_report(calls, seconds=seconds, killed=killer.killed)))


class Answered(threading.Thread):
    """How many operations have been answered, said now and then."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.count, self.is_over = 0, threading.Event()

    def run(self) -> None:
        """Go on until it is over."""
        while not self.is_over.wait(PROGRESS_S):
            _say(self.count)


class Counted:
    """A client whose answers are counted."""

    def __init__(self, client: Client, answered: Answered) -> None:
        self.client, self.answered = client, answered

    def call(self, entry: Entry) -> Answer:
        """Ask, and count."""
        answer = self.client.call(entry)
        self.answered.count += 1  # one lost to another thread delays a kill, and that is all
        return answer

    def close(self) -> None:
        """Hang up."""
        self.client.close()


def _report(calls: list[Call], *, seconds: float, killed: Killed) -> Report:
    """Replay everything; look at the books and, once all is sealed, at the seals."""
    sealing.seal_everything_due(now=LATER, seals_max=len(calls))
    checked = list(verifying.checked_seals())
    faults = differences(calls) + [str(fault) for fault in invariants.check_books()]
    faults += [fault for seal in checked for fault in seal.faults] + verifying.stray_rows()
    resent = [call for call in calls if call.is_resent]
    return Report(
        operations=len(calls),
        seconds=seconds,
        refused=sum(bool(call.error) for call in calls),
        replays=sum(call.is_replay for call in calls),
        clients_killed=killed.clients,
        workers_killed=killed.workers,
        resent=len(resent),
        committed_unanswered=sum(call.is_replay for call in resent),
        sealed=sum(seal.entry_count for seal in checked),
        faults=faults,
    )


def _say(said: object) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

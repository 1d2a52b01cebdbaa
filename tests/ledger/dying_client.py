"""A client of the ledger that says what it asks for, and dies before it hears of it: `dying_client DATABASE ACCOUNT KEYS`.

Its last posting is committed, and its answer reaches nobody.
"""

import os
import signal
import sys

import django

django.setup()

from django.db import connection  # noqa: E402

from ledger import operations as ledger  # noqa: E402
from ledger.chart import FEES, TREASURY, Code  # noqa: E402
from ledger.entries import Entry, Move, PlaceHold, PostHold, hold_id  # noqa: E402
from tests.ledger.make import NOW  # noqa: E402


def asked(key):
    """Return what is asked for under a key: a move, or a hold placed and one paid."""
    number = int(key.rpartition(":")[2])
    steps = (Move(TREASURY, FEES, 1),)
    if number % 3 == 1:
        steps = (PlaceHold(hold_id(key), TREASURY, 5),)
    if number % 3 == 2:
        before = key.rpartition(":")[0] + f":{number - 1}"
        steps = (PostHold(hold_id(before), ((FEES, 2),)),)
    return Entry(key=key, code=Code.JOB_SETTLED, at=NOW, steps=steps)


if __name__ == "__main__":
    connection.settings_dict["NAME"] = sys.argv[1]
    name, last = sys.argv[2], int(sys.argv[3])
    number = 0
    while True:
        sys.stdout.write(f"{name}:{number}\n")
        sys.stdout.flush()
        ledger.post(asked(f"{name}:{number}"))
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)
        number += 1

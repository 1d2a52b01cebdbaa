"""Thousands of random entries by sixteen connections are what one after the other would have done."""

from collections import Counter
from dataclasses import replace

import pytest
from django.db import connection

from bench._ledger_history import played
from bench._ledger_replay import differences

pytestmark = pytest.mark.django_db(transaction=True)
# `make bench ARGS=history` plays a hundred thousand.
OPERATIONS = 4_000


def test_what_many_do_at_once_is_what_a_model_does_in_the_ledgers_order():
    calls = played(operations=OPERATIONS, connections=16, seed=20_261_122)

    assert differences(calls) == []
    errors = Counter(call.error for call in calls)
    assert errors["InsufficientFunds"] > OPERATIONS // 400
    assert errors["HoldNotOpen"] > OPERATIONS // 100
    assert errors["IdempotencyConflict"] > OPERATIONS // 200
    assert sum(call.is_replay for call in calls) > OPERATIONS // 100


@pytest.mark.breaks_books
def test_the_replay_sees_a_lost_a_doubled_and_a_false_answer_and_a_lost_entry():
    calls = played(operations=600, connections=4, seed=7)
    made = next(call for call in calls if call.number and not call.is_replay)
    refused = next(call for call in calls if call.error in {"HoldNotOpen", "HoldExceeded"})

    lost = [call for call in calls if call is not made]
    poor = [replace(call, error="HoldUnknown") if call is refused else call for call in calls]
    gone = [*calls, replace(made, number=10**9, entry=replace(made.entry, key="gone"))]

    assert any("acknowledged to nobody" in fault for fault in differences(lost))
    assert any("acknowledged and is gone" in fault for fault in differences(gone))
    assert any("HoldUnknown" in fault for fault in differences(poor))
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE ledger_account SET credits_posted = credits_posted + 1 WHERE kind = 'stake'"
        )
        cursor.execute("SET session_replication_role = origin")
    assert any("the model" in fault for fault in differences(calls))

"""What the books say of the clearing account, for comparing with Stripe."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from ledger.chart import STRIPE_CLEARING
from marketplace.models import CardDifference
from marketplace.reconciling import Kind

CARDS_CLAIM = 0x43415244  # "CARD": one reconciliation at a time

# An entry that was reversed counts as one that was never made, and so does its reversal.
CLEARED = """
SELECT entry.key, sum(CASE debit.code WHEN %(clearing)s THEN amount_rao ELSE -amount_rao END)::bigint
FROM ledger_entry AS entry
JOIN ledger_transfer AS transfer ON transfer.entry_id = entry.id
JOIN ledger_account AS debit ON debit.id = transfer.debit_id
JOIN ledger_account AS credit ON credit.id = transfer.credit_id
WHERE %(clearing)s IN (debit.code, credit.code) AND {which}
  AND entry.key NOT LIKE 'reverse:%%'
  AND NOT EXISTS (SELECT FROM ledger_entry AS undone WHERE undone.key = 'reverse:' || entry.id)
GROUP BY entry.key
"""


def cleared_by(keys: Iterable[str]) -> dict[str, int]:
    """Return key → cents into clearing, of the entries that stand in the books."""
    return _cleared("entry.key = ANY(%(keys)s)", keys=list(keys))


def cleared_between(since: datetime, until: datetime) -> dict[str, int]:
    """Return key → cents into clearing, of every entry that happened in these days."""
    return _cleared("entry.at >= %(since)s AND entry.at < %(until)s", since=since, until=until)


def undone_extras() -> set[str]:
    """Return the open differences about entries without an object at Stripe, where those were reversed since."""
    open_ones = CardDifference.objects.filter(resolved_at=None, kind=Kind.EXTRA)
    subjects = set(open_ones.values_list("subject", flat=True))
    return subjects - cleared_by(subjects).keys()


def open_differences(*, limit: int) -> list[CardDifference]:
    """List what is not resolved, the oldest first."""
    return list(CardDifference.objects.filter(resolved_at=None).order_by("found_at", "pk")[:limit])


def _cleared(which: str, **asked: list[str] | datetime) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(CLEARED.format(which=which), {"clearing": STRIPE_CLEARING.code, **asked})
        return dict(cursor.fetchall())

"""How much due work waits, and for how long: gauges read from the database, kept for some seconds."""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from threading import Lock

from django.db import connection
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ledger import queries as ledger
from marketplace import figures
from subnets import queries as subnets
from subnets.errors import NetworkNotFounded

KEPT_S = 5.0  # two scrapers, or a page that somebody reloads, cost one reading
COUNTED_MAX = 100_000  # beyond, a backlog is a backlog: counting it to the end would add to it

# What waits, and since when: each reads the partial index that its sweep reads.
WAITING = {
    "jobs_queued": ("compute_job", "created_at", "state = 'queued'"),
    "jobs_returned": ("compute_job", "created_at", "state = 'returned'"),
    "leases_due": ("compute_lease", "deadline_at", "state IN ('offered', 'taken') AND deadline_at <= %(now)s"),
    "leases_open": ("compute_lease", "offered_at", "state IN ('offered', 'taken')"),
    "auctions_due": ("marketplace_auction", "closes_at", "state = 'open' AND closes_at <= %(now)s"),
    "webhooks_due": ("marketplace_delivery", "next_at", "state = 'waiting' AND next_at <= %(now)s"),
    "letters_due": ("marketplace_letter", "next_at", "state = 'waiting' AND next_at <= %(now)s"),
    "card_events_due": ("marketplace_webhookevent", "received_at", "processed_at IS NULL"),
    "withdrawals_asked": ("marketplace_withdrawal", "requested_at", "ended_at IS NULL AND state = 'requested'"),
    "withdrawals_due": ("marketplace_withdrawal", "next_at", "state IN ('approved', 'sending') AND next_at <= %(now)s"),
    "holds_due": ("ledger_hold", "expires_at", "state = 'open' AND expires_at <= %(now)s"),
}  # fmt: skip
STATEMENT = " UNION ALL ".join(
    f"SELECT '{what}', count(*), min(since) FROM "  # noqa: S608  the words of the table above
    f'(SELECT "{since}" AS since FROM "{table}" WHERE {where} LIMIT {COUNTED_MAX}) AS {what}'
    for what, (table, since, where) in WAITING.items()
)


class Backlog(Collector):
    """Due work as Prometheus reads it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._kept: tuple[float, list[GaugeMetricFamily]] = (0.0, [])
        self._lock = Lock()
        self.registry.register(self)

    def describe(self) -> list[GaugeMetricFamily]:
        """Name nothing in advance: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges, at most some seconds old."""
        with self._lock:
            read_s, gauges = self._kept
            if not gauges or time.monotonic() - read_s > KEPT_S:
                gauges = read()
                self._kept = (time.monotonic(), gauges)
        yield from gauges


def read() -> list[GaugeMetricFamily]:
    """Read what waits, how far epochs are behind, and whether the books balance."""
    now = timezone.now()
    waiting = GaugeMetricFamily("snm_waiting", "Rows that wait, by what for.", labels=["what"])
    oldest = GaugeMetricFamily("snm_oldest_seconds", "Age of the oldest of them.", labels=["what"])
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, {"now": now})
        for what, count, since in cursor.fetchall():
            waiting.add_metric([what], count)
            oldest.add_metric([what], max(0.0, (now - since).total_seconds()) if since else 0.0)
        cursor.execute("SELECT clock_timestamp()")
        ahead_s = (timezone.now() - cursor.fetchone()[0]).total_seconds()
    behind = GaugeMetricFamily("snm_epochs_behind", "Subnets whose epoch is due and not closed.")
    # Before the network is founded nothing is due.
    with suppress(NetworkNotFounded):
        behind.add_metric([], len(subnets.due_epochs(now)))
    balanced = GaugeMetricFamily("snm_books_balanced", "1: all debits equal all credits.")
    balanced.add_metric([], float(figures.books_are_balanced()))
    ahead = GaugeMetricFamily("snm_clock_ahead_seconds", "This host's clock before PostgreSQL's.")
    ahead.add_metric([], ahead_s)
    return [waiting, oldest, behind, balanced, ahead, *_verified(now)]


def _verified(now: datetime) -> Iterator[GaugeMetricFamily]:
    """Read what the newest pass over the seals found, and how long ago one ended without a fault."""
    altered = GaugeMetricFamily("snm_ledger_altered", "Faults that the newest pass found.")
    since = GaugeMetricFamily("snm_ledger_verified_seconds", "Since a pass ended without a fault.")
    newest, clean_at = ledger.verifications()
    if newest is not None:
        altered.add_metric([], newest.fault_count)
    if clean_at is not None:
        since.add_metric([], max(0.0, (now - clean_at).total_seconds()))
    yield from (altered, since)

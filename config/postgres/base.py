"""PostgreSQL as Django speaks to it, with two things done that every request pays for.

Django sends a statement before each request's first one, since a server that was restarted closed the connections that
were kept. But a server that goes away says so: an idle connection on which nothing has arrived is as good as one that
answered a moment ago. Only where something arrived is the server asked.

And Django reads instants by a pattern, a dozen steps of Python for each; one row of an auction has eight.
"""

from datetime import UTC, datetime
from functools import cache
from select import POLLIN, poll
from typing import Any, cast

from django.conf import settings
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import BaseTzLoader, get_adapters_template
from psycopg.adapt import AdaptersMap
from psycopg.pq import TransactionStatus


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is looked at before the server is asked, and reads instants as Python does."""

    def is_usable(self) -> bool:
        """Tell whether the connection can be used. Idle and silent it can; else the server has the word."""
        return self._is_idle_and_silent() or super().is_usable()

    def _set_autocommit(self, autocommit: bool) -> None:  # noqa: FBT001  Django's own signature
        # psycopg asks the line first whether it may be changed; what is so already it need not be asked.
        if self.connection.autocommit is not autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]  # the stubs know no such method

    def get_connection_params(self) -> dict[str, Any]:
        """Return what the driver is called with."""
        params = super().get_connection_params()
        if self.timezone is UTC:
            params["context"] = _adapters()
        return params

    def _is_idle_and_silent(self) -> bool:
        if self.connection is None or self.errors_occurred:
            return False
        line = self.connection.pgconn
        if line.transaction_status != TransactionStatus.IDLE:
            return False
        arrivals = poll()
        arrivals.register(line.socket, POLLIN)
        # A closed end counts as an arrival.
        return not arrivals.poll(0)


class InstantLoader(BaseTzLoader):  # type: ignore[misc]  # the stubs know no psycopg 3
    """Reads what PostgreSQL writes for an instant on a connection that is set to UTC."""

    timezone = UTC

    def load(self, data: bytes) -> datetime:
        """Return the instant. Raises: psycopg.DataError for one that Python has no words for."""
        try:
            return datetime.fromisoformat(bytes(data).decode())
        except ValueError:
            return cast(datetime, super().load(data))


@cache
def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(get_adapters_template(settings.USE_TZ, UTC))
    adapters.register_loader("timestamptz", InstantLoader)
    return adapters

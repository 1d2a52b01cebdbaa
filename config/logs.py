"""The id of the running request, on each line it logs. Read while Django is set up, so it imports nothing of ours."""

from contextvars import ContextVar
from logging import Filter, LogRecord

request_id: ContextVar[str] = ContextVar("request_id", default="-")


class RequestIdFilter(Filter):
    """Bind the id of the running request to each log line; "-" outside of requests."""

    def filter(self, record: LogRecord) -> bool:
        """Add the id; keep the line."""
        record.request_id = request_id.get()
        return True

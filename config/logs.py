"""How a line is logged: with the id of the running request or sweep, and as JSON where machines read it (LOG_FORMAT).

Read while Django is set up, so it imports nothing of ours.
"""

import json
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from logging import Filter, Formatter, LogRecord

request_id: ContextVar[str] = ContextVar("request_id", default="-")
# Whatever else a caller calls its method is told as one: callers must not make up figures and names.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestIdFilter(Filter):
    """Bind the id of the running request to each log line; "-" outside of requests."""

    def filter(self, record: LogRecord) -> bool:
        """Add the id; keep the line."""
        record.request_id = request_id.get()
        return True


FIELD = re.compile(r"(?<!\S)([a-z_]+)=(\S+)")
OWN = frozenset({"at", "level", "logger", "event", "request", "fault"})


class JsonLines(Formatter):
    """Write each record as one line of JSON; the `key=value` of its message are members of their own."""

    def format(self, record: LogRecord) -> str:
        """Return the line. What a message says of itself never replaces what is known of it."""
        message = record.getMessage()
        known = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": message,
            "request": getattr(record, "request_id", "-"),
        }
        if record.exc_info:
            known["fault"] = self.formatException(record.exc_info)
        said = {name: value for name, value in FIELD.findall(message) if name not in OWN}
        return json.dumps(known | said, ensure_ascii=False)

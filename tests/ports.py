"""Ports for what tests start, that nothing else takes before it has started."""

import secrets

from launch.servers import is_port_taken

# Linux gives ports from 32768 on to whoever asks for any, and to every connection that is opened: one that was free a
# second ago need not be so still.
FIRST, COUNT = 20_000, 12_000


def free_row(length: int) -> int:
    """Return the first of so many ports of 127.0.0.1 that are free one after the other."""
    while True:
        port = FIRST + secrets.randbelow(COUNT)
        if not any(is_port_taken(port + offset) for offset in range(length)):
            return port

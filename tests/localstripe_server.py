"""localstripe over real HTTP, on this machine alone: a stand-in for Stripe that others wrote."""

import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

START_TIMEOUT_S = 60.0
# Its own command listens to every address, and writes what it knows into a file that all who run it share.
PROGRAM = """
import sys
from aiohttp import web
from localstripe import resources, server
resources.Store.dump_to_disk = lambda self: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


@contextmanager
def localstripe(python: Path) -> Iterator[str]:
    """Run it; yield its address. python: of an environment that has it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = subprocess.Popen([python, "-c", PROGRAM, str(port)])
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        program.terminate()
        program.wait(timeout=60)


def send_events_to(url: str, webhook_url: str, *, secret: str) -> None:
    """Have events posted to an address; it tells of each a second later, once."""
    body = json.dumps({"url": webhook_url, "secret": secret}).encode()
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{url}/_config/webhooks/suite", data=body, headers=headers)
    urllib.request.urlopen(asked, timeout=60).close()


def _wait_for(port: int) -> None:
    end = monotonic() + START_TIMEOUT_S
    while monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        sleep(0.05)
    raise TimeoutError(f"localstripe did not listen within {START_TIMEOUT_S} s")

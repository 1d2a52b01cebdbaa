"""Requests as bytes: a case of schemathesis, spoiled or not, signed by whom the test says, to a WSGI application."""

import http.client
import io
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from schemathesis.core.transport import Response

from neurons import protocol
from subnets.api.authentication import receiver
from tests.compute.wire import nonce_ns

HOST = "http://127.0.0.1"


@dataclass(frozen=True)
class Asker:
    """Who asks: nobody, a person by key, or a hotkey by signature."""

    name: str
    token: str = ""
    key: object = None

    def headers(self, method, target, body):
        """Return what proves who asks."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.key is None:
            return {}
        return protocol.auth_headers(
            keypair=self.key, method=method, path=target, body=body, receiver=receiver(), nonce_ns=nonce_ns()
        )  # fmt: skip


def askers(town):
    """Return everybody who asks."""
    return {
        "nobody": Asker("nobody"),
        "ada": Asker("ada", token=town.ada.token),
        "bob": Asker("bob", token=town.bob.token),
        "miner": Asker("miner", key=town.miner.key),
        "validator": Asker("validator", key=town.validator.key),
        "stranger": Asker("stranger", key=town.stranger),
    }


def prepared(case):
    """Write a case as a request of bytes; None where HTTP has no way to say it."""
    try:
        written = requests.Request(**case.as_transport_kwargs(base_url=HOST)).prepare()
    except (requests.exceptions.RequestException, ValueError):
        return None
    if isinstance(written.body, str):
        written.body = written.body.encode("utf-8", "surrogatepass")
    return written


def answered(application, written, asker, *, over=()):
    """Ask a WSGI application; return its answer as schemathesis reads one. over: headers that spoil even a proof."""
    body = written.body or b""
    parts = urlsplit(written.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    proof = asker.headers(written.method, target, body)
    environ = environment(written, parts, body, proof | dict(over))
    got = {}

    def start_response(status, headers, exc_info=None):
        got["status"], got["headers"] = int(status.split()[0]), headers

    said = application(environ, start_response)
    try:
        content = b"".join(said)
    finally:
        if hasattr(said, "close"):
            said.close()
    headers = {}
    for name, value in got["headers"]:
        headers.setdefault(name.lower(), []).append(value)
    return Response(
        status_code=got["status"],
        headers=headers,
        content=content,
        request=written,
        elapsed=0.0,
        verify=False,
        message=http.client.responses.get(got["status"], ""),
    )


def environment(written, parts, body, proof):
    """Return a WSGI environment; header values are what latin-1 makes of their bytes."""
    found = {
        "REQUEST_METHOD": written.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(body)),
    }
    # What proves who asks comes last: a case may have a header of that name.
    for name, value in [*written.headers.items(), *proof.items()]:
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        label = name.upper().replace("-", "_")
        if label == "CONTENT_TYPE":
            found[label] = text
        elif label not in ("HOST", "CONTENT_LENGTH", "COOKIE", "ACCEPT_ENCODING"):
            found[f"HTTP_{label}"] = text
    return found

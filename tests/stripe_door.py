"""The door of tests.stripe_server: HTTP on the loopback address, and the hosted page."""

import html
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.stripe_parameters import Fields, Refusal, found, identifier, public

if TYPE_CHECKING:
    from tests.stripe_server import StripeServer

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Checkout (test)</title>
<body style="font:1rem/1.5 sans-serif;max-width:24rem;margin:4rem auto">
<h1>{amount} {currency}</h1><p>{email}</p><p>This is a stand-in for the card page. No card is charged.</p>
<form method="post"><button style="font:inherit;padding:.5rem 2rem">Pay</button></form>
<p><a href="{cancel_url}">Cancel</a></p></body></html>"""


def page(session: Fields) -> str:
    dollars, cents = divmod(session["amount_total"], 100)
    return PAGE.format(
        amount=f"{dollars}.{cents:02d}",
        currency=session["currency"].upper(),
        email=html.escape(session["customer_email"] or ""),
        cancel_url=html.escape(session["cancel_url"] or "", quote=True),
    )


class Doorway(ThreadingHTTPServer):
    """The far end's door on the loopback address."""

    def __init__(self, far_end: "StripeServer", port: int) -> None:
        super().__init__(("127.0.0.1", port), Visit)
        self.far_end = far_end


class Visit(BaseHTTPRequestHandler):
    """One request: an API call, or a person on the hosted page."""

    server: Doorway

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        asked = urlsplit(self.path)
        path = asked.path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = asked.query if method == "GET" else body
        try:
            if path.startswith("/pay/"):
                self._serve_page(method, path.removeprefix("/pay/"))
            else:
                made, replayed = self.server.far_end.answer(method, path, form, self.headers)
                extra = {"Idempotent-Replayed": "true"} if replayed else {}
                # Decided before the answer leaves: the caller may make events of its own right after it.
                has_news = self.server.far_end.has_waiting()
                self._send(200, json.dumps(public(made)), **extra)
                if has_news:
                    self.server.far_end.deliver_waiting()
        except Refusal as refusal:
            self._send(refusal.status, json.dumps(refusal.body))

    def _serve_page(self, method: str, session_id: str) -> None:
        far_end = self.server.far_end
        session = found(far_end.sessions, session_id, "checkout.session")
        if method == "GET":
            self._send(200, page(session), **{"Content-Type": "text/html; charset=utf-8"})
            return
        far_end.pay(session_id)
        location = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id)
        self._send(303, "", Location=location)

    def _send(self, status: int, body: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body.encode())),
            "Request-Id": identifier("req"),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Stay silent: the tests read far_end.requests."""

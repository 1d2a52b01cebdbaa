"""The gateway as Prometheus sees it: requests under way, tunnels, when answers begin. It wraps the ASGI application."""

import time

from compute.gateway.wire import Application, Message, Receive, Send
from config import metrics

ASKED = "/v1/"


class Watched:
    """An application whose connections are counted."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        match scope["type"]:
            case "websocket":
                with metrics.TUNNELS.track_inprogress():
                    await self._application(scope, receive, send)
            case "http" if scope["path"].startswith(ASKED) and scope["method"] == "POST":
                with metrics.IN_FLIGHT.track_inprogress():
                    await self._application(scope, receive, first_noted(send))
            case _:
                await self._application(scope, receive, send)


def first_noted(send: Send) -> Send:
    """Return a send that notes the answer's status, and when its first piece leaves."""
    began_s, is_noted = time.perf_counter(), False

    async def noting(message: Message) -> None:
        nonlocal is_noted
        if message["type"] == "http.response.start":
            metrics.ANSWERS.labels(message["status"]).inc()
        elif not is_noted and message.get("body"):
            is_noted = True
            metrics.FIRST_S.observe(time.perf_counter() - began_s)
        await send(message)

    return noting

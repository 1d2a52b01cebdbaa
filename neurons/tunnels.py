"""Tunnels to every gateway of the network, in a thread beside the loop that waits for jobs."""

import asyncio
import threading
from collections.abc import Sequence

from neurons.client import Client
from neurons.running import Say
from neurons.tunnel import DRAIN_S, Plan, Tunnel

JOIN_S = DRAIN_S + 5.0


class Tunnels:
    """One tunnel a gateway. Every method may be called from any thread."""

    def __init__(self, *, client: Client, plan: Plan, say: Say) -> None:
        self.client = client
        self.plan = plan
        self.say = say
        self._open: dict[str, tuple[Tunnel, asyncio.Task[None]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def point_at(self, *, gateways: Sequence[str], machine_id: str) -> None:
        """Hold a tunnel to each of these gateways and to no other."""
        urls = [f"{gateway}/tunnel/?machine={machine_id}" for gateway in gateways]
        if self._loop is None:
            if not urls:
                return
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run, name="tunnels", daemon=True)
            self._thread.start()
        self._loop.call_soon_threadsafe(self._keep_to, urls)

    def tunnels(self) -> list[Tunnel]:
        """List the tunnels held, open or not."""
        return [tunnel for tunnel, _ in [*self._open.values()]]

    def close(self) -> None:
        """End every tunnel after what it serves has ended, or after DRAIN_S."""
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._ended(), self._loop)
        self._thread.join(JOIN_S)
        self._loop = self._thread = None

    def _run(self) -> None:
        assert self._loop is not None
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _keep_to(self, urls: Sequence[str]) -> None:
        for url in [*self._open]:
            _, task = self._open[url]
            if task.done() and not task.cancelled():
                self.say("tunnel_failed", gateway=url, detail=repr(task.exception()))
            if task.done() or url not in urls:
                task.cancel()
                del self._open[url]
        for url in urls:
            if url not in self._open:
                tunnel = Tunnel(
                    url=url,
                    sign=self.client.signed_headers,
                    keypair=self.client.keypair,
                    plan=self.plan,
                    say=self.say,
                )
                assert self._loop is not None
                self._open[url] = (tunnel, self._loop.create_task(tunnel.run()))

    async def _ended(self) -> None:
        held = [*self._open.values()]
        await asyncio.gather(*(tunnel.drain() for tunnel, _ in held))
        for _, task in held:
            task.cancel()
        await asyncio.gather(*(task for _, task in held), return_exceptions=True)
        asyncio.get_running_loop().stop()

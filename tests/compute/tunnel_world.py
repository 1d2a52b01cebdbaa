"""A language subnet whose miners hold tunnels: the database below, a gateway without sockets above."""

from asgiref.sync import async_to_sync, sync_to_async
from django.utils import timezone

from compute import operations, queries
from compute.gateway import leases
from compute.models import ServedModel
from tests import make
from tests.compute.gateway_world import House

PAYLOAD = {
    "messages": [{"role": "user", "content": "Tell me a story."}],
    "max_tokens": 64,
    "temperature": 0,
    "seed": 7,
}


class Village:
    """One language subnet, its gateway and its miners."""

    def __init__(self, folder, monkeypatch):
        self.now = timezone.now()
        self.netuid = make.subnet(blueprint="language", now=self.now)
        self.house = House(folder)
        self.gateway = self.house.app.leases
        self.serve("gemma")
        # The test's transaction is this thread's.
        monkeypatch.setattr(leases, "in_thread", lambda work: sync_to_async(work)())
        monkeypatch.setattr(leases, "PAUSE_MAX_S", 0.01)

    def serve(self, name):
        """Put a model of the subnet on offer."""
        ServedModel.objects.create(
            name=name,
            subnet_id=self.netuid,
            kind="chat",
            context_tokens_max=4_096,
            output_tokens_max=512,
            input_rao_per_mtok=1_000_000,
            output_rao_per_mtok=2_000_000,
            created_at=self.now,
            changed_at=self.now,
        )
        self.house.app.catalogue.models = {one.name: one for one in queries.open_models()}

    def miner(self, behaviour, *, models=("gemma",), **facts):
        """Register a miner and open its tunnel; returns both ends."""
        neuron = make.miner(self.netuid, blueprints=["language"], now=self.now)
        end = self.house.miner(behaviour, keypair=neuron.key, machine_id=neuron.machine_id, **facts)
        end.tunnel.models = frozenset(models)
        self.house.hub.enter(end.tunnel)
        operations.note_tunnels(tunnels=self.gateway.tunnels(), now=self.now)
        return neuron, end

    def order(self, *, key="an order"):
        return operations.submit_job(
            netuid=self.netuid,
            owner=make.rich_owner(10, now=self.now),
            payload=PAYLOAD,
            max_price_rao=10**9,
            key=key,
            now=self.now,
        )

    def offered(self):
        return make.dispatched(now=self.now)

    def run(self, story=None):
        """Let the gateway take what waits and see it to its end, with a story beside it."""

        async def whole():
            await self.gateway.step()
            if story is not None:
                await story(self.house)
            for task in list(self.gateway.under_way):
                await task

        async_to_sync(whole)()

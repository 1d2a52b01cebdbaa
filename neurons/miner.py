"""A miner: waits for jobs, does them, signs the results."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from neurons import protocol
from neurons.amounts import format_tao
from neurons.client import RESULTS_MAX, Client, Refused
from neurons.energy import Meter
from neurons.joining import Membership, join
from neurons.machine import machine_report
from neurons.outbox import Outbox, OutboxFull, Waiting
from neurons.running import Say, Stop, run_until_stopped
from neurons.tunnels import Tunnels
from neurons.wire import Lease, SignedResult
from neurons.workloads import WORKLOADS, Workload

REPORT_EVERY_S = 30.0  # The server counts a machine as live for 60 s after it was heard of.
REQUEST_LENGTH_MAX = 1_500_000  # Of outputs; the server takes 2 MiB with all that is around them.
CALLER_REFUSED = frozenset(
    {401, 403}
)  # A clock that is wrong, a hotkey not linked: the result may still be good.
HAND_IN_EVERY_S = 2.0  # What is done waits no longer for the rest of what was taken with it.
STANDING_EVERY_S = 300.0  # An epoch takes minutes; more often would tell nothing new.


@dataclass(frozen=True, slots=True)
class MinerPlan:
    """What the operator asked this miner to do. jobs_at_once: taken together, done one after the other."""

    membership: Membership
    machine_name: str
    workloads: tuple[str, ...]
    jobs_at_once: int = 1


class Miner:
    """One machine at work for one hotkey."""

    def __init__(
        self,
        *,
        client: Client,
        plan: MinerPlan,
        say: Say,
        stop: Stop,
        outbox: Outbox,
        workloads: Mapping[str, Workload] = WORKLOADS,
        tunnels: Tunnels | None = None,
    ) -> None:
        self.client = client
        self.plan = plan
        self.say = say
        self.stop = stop
        self.outbox = outbox
        self.workloads = workloads
        self.tunnels = tunnels
        self._machine_id: str | None = None
        self._reported_s = 0.0
        self._told_s: float | None = None
        self._meter = Meter()

    def run(self) -> None:
        """Work until stopped. Raises: Refused when only the operator can help."""
        self.say("miner_started", hotkey=self.client.keypair.ss58_address, url=self.client.url)
        try:
            run_until_stopped(self.step, say=self.say, sleep=self.stop.sleep)
        finally:
            if self.tunnels is not None:
                self.tunnels.close()
        self.say("miner_stopped", hotkey=self.client.keypair.ss58_address)

    def step(self) -> None:
        """Join when due, report when due, wait for jobs and do them."""
        with self.stop.interruptible():
            now_s = time.monotonic()
            if self._told_s is None or now_s - self._told_s > STANDING_EVERY_S:
                self._tell_standing()
                self._told_s = now_s
            machine_id = self._reported_machine_id(now_s)
            self.hand_in_waiting()
            leases = self._leases(machine_id)
        self.serve(leases)

    def _tell_standing(self) -> None:
        """Tell how the hotkey stands; the first time, join before.

        A miner that was pushed out pays for a new uid when its operator starts it again, not by itself.
        """
        if self._told_s is None:
            standings = join(self.client, self.plan.membership, say=self.say)
        else:
            standings = self.client.standings()
        scores = self.client.mean_scores()
        for standing in standings:
            score = scores.get(standing.netuid)
            self.say(
                "standing",
                netuid=standing.netuid,
                uid=standing.uid,
                rank=standing.rank,
                incentive_u16=standing.incentive_u16,
                score="none yet" if score is None else f"{score:.3f}",
                last_payout_tao=format_tao(standing.last_payout_rao),
                next_payout_s=round(self.client.next_payout_s(standing.netuid)),
            )
        for netuid in self.plan.membership.netuids:
            if netuid not in {standing.netuid for standing in standings}:
                self.say("deregistered", netuid=netuid)

    def _reported_machine_id(self, now_s: float) -> str:
        if self._machine_id is None or now_s - self._reported_s > REPORT_EVERY_S:
            report = machine_report(
                name=self.plan.machine_name,
                blueprints=self.plan.workloads,
                meter=self._meter,
                concurrency=self.plan.jobs_at_once,
            )
            machine_id = self.client.report_machine(report)
            if machine_id != self._machine_id:
                self.say("machine_reported", machine=machine_id, gpu_count=len(report.gpus))
            self._machine_id, self._reported_s = machine_id, now_s
            if self.tunnels is not None:
                gateways = self.client.network().gateways
                self.tunnels.point_at(gateways=gateways, machine_id=machine_id)
        return self._machine_id

    def _leases(self, machine_id: str) -> Sequence[Lease]:
        try:
            if self.plan.jobs_at_once == 1:
                lease = self.client.take_lease(machine_id=machine_id)
                return () if lease is None else (lease,)
            holding = [waiting.lease_id for waiting in self.outbox.waiting()]
            return self.client.take_leases(
                machine_id=machine_id, limit=self.plan.jobs_at_once, holding=holding
            )
        except Refused:
            # The server may have forgotten the machine: introduce it again at the next step.
            self._machine_id = None
            raise

    def serve(self, leases: Iterable[Lease]) -> None:
        """Do jobs one after the other, and hand in what is done every few seconds and at the end."""
        done: list[Waiting] = []
        handed_s = time.monotonic()
        for lease in leases:
            waiting = self.work(lease)
            done += [] if waiting is None else [waiting]
            if time.monotonic() - handed_s > HAND_IN_EVERY_S:
                self.hand_in(done)
                done, handed_s = [], time.monotonic()
        self.hand_in(done)

    def work(self, lease: Lease) -> Waiting | None:
        """Do one job and keep its result. A job that cannot be done is left: its lease expires."""
        started_s = time.monotonic()
        try:
            output = self.output(lease)
        except Exception as error:  # noqa: BLE001 - one bad job must not end the miner
            self.say("job_failed", job=lease.job_id, error=type(error).__name__, detail=str(error))
            return None
        duration_ms = round((time.monotonic() - started_s) * 1000)
        waiting = Waiting(
            lease_id=lease.lease_id,
            job_id=lease.job_id,
            netuid=lease.netuid,
            blueprint=lease.blueprint,
            deadline_at=lease.deadline_at,
            result=self.signed(lease, output, duration_ms),
        )
        try:
            self.outbox.put(waiting)
        except OutboxFull as error:
            self.say("result_not_kept", job=lease.job_id, detail=str(error))
        return waiting

    def hand_in_waiting(self) -> None:
        """Hand in what an outage or the end of the program before this one left behind."""
        in_time = []
        for waiting in self.outbox.waiting():
            if waiting.is_late(now=datetime.now(UTC)):  # noqa: TID251 - an edge: the miner's own loop
                self.outbox.remove(waiting.lease_id)
                self.say("result_dropped", job=waiting.job_id, reason="its deadline has passed")
                continue
            in_time.append(waiting)
        self.hand_in(in_time)

    def hand_in(self, done: Sequence[Waiting]) -> None:
        """Hand in results; each stays in the outbox until the server took it or said what is wrong with it.

        Raises: Unreachable; Refused when it is the caller who is refused, not the results.
        """
        for some in batches(done):
            try:
                refused = self._submit(some)
            except Refused as refusal:
                if refusal.status in CALLER_REFUSED:
                    raise
                if len(some) > 1:
                    # One that the server cannot read must not keep the others from it.
                    for waiting in some:
                        self.hand_in([waiting])
                    continue
                refused = {some[0].lease_id: (refusal.code, refusal.detail)}
            for waiting in some:
                self._tell_handed_in(waiting, refused.get(waiting.lease_id))

    def _submit(self, some: Sequence[Waiting]) -> Mapping[str, tuple[str, str]]:
        """Hand in one result, or many together; return lease → (code, detail) of those that are refused."""
        if len(some) == 1:
            self.client.submit_result(lease_id=some[0].lease_id, result=some[0].result)
            return {}
        taken = self.client.submit_results({each.lease_id: each.result for each in some})
        return {each.lease_id: (each.code, each.detail) for each in taken.refused}

    def _tell_handed_in(self, waiting: Waiting, refused: tuple[str, str] | None) -> None:
        self.outbox.remove(waiting.lease_id)
        if refused is not None:
            code, detail = refused
            self.say("result_refused", job=waiting.job_id, code=code, detail=detail)
            return
        self.say(
            "job_done",
            job=waiting.job_id,
            netuid=waiting.netuid,
            blueprint=waiting.blueprint,
            duration_ms=waiting.result.duration_ms,
        )

    def output(self, lease: Lease) -> dict[str, Any]:
        """Do the work of a lease."""
        workload = self.workloads.get(lease.blueprint)
        if workload is None or lease.blueprint not in self.plan.workloads:
            raise LookupError(f"this miner does not do {lease.blueprint}")
        return workload.run(lease.payload)

    def signed(self, lease: Lease, output: dict[str, Any], duration_ms: int) -> SignedResult:
        """Stand for an output with the hotkey's signature."""
        digest = protocol.output_digest(output)
        message = protocol.result_message(
            lease_id=lease.lease_id, job_id=lease.job_id, digest=digest
        )
        return SignedResult(
            output=output,
            output_digest=digest,
            signature=self.client.keypair.sign(message),
            duration_ms=duration_ms,
        )


def batches(done: Iterable[Waiting]) -> Iterator[Sequence[Waiting]]:
    """Part results into requests that the server takes: so many, and so long."""
    some: list[Waiting] = []
    length = 0
    for waiting in done:
        size = len(json.dumps(waiting.result.output))
        if some and (len(some) == RESULTS_MAX or length + size > REQUEST_LENGTH_MAX):
            yield some
            some, length = [], 0
        some.append(waiting)
        length += size
    if some:
        yield some

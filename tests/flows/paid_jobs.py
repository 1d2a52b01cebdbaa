"""What is true of jobs however often somebody died over them: a small world of them, and those who work there."""

import time
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

JOBS_AT_ONCE = 8
DRAINED_WITHIN_S = 60.0
PAUSE_S = 0.2


@dataclass(frozen=True)
class World:
    """A consumer's jobs, the miners that do them, and the validator that judges them."""

    consumer: UUID
    miners: tuple
    validator: object
    money_rao: int

    def jobs(self):
        from compute.models import Job

        return Job.objects.filter(owner=self.consumer)

    def states(self):
        return dict(self.jobs().values_list("pk", "state"))

    def order(self):
        """Order some jobs."""
        from tests import make

        for _ in range(JOBS_AT_ONCE):
            make.job(self.validator.netuid, self.consumer, now=timezone.now())

    def begin(self):
        """Have what waits done and judged, so that it waits for settlement; then order more."""
        from compute import operations as compute

        compute.dispatch_queued(now=timezone.now(), limit=100)
        self.work()
        self.order()

    def work(self):
        """Do what is offered, and judge what came back, once."""
        from compute import operations as compute
        from compute.errors import DomainError
        from compute.models import Job, Result
        from tests import make

        for miner in self.miners:
            now = timezone.now()
            compute.see_machine(machine_id=miner.machine_id, hotkey=miner.hotkey, now=now)
            whose = {"machine_id": miner.machine_id, "hotkey": miner.hotkey}
            while lease := compute.take_lease(**whose, now=timezone.now()):
                fields = make.signed_output(lease, miner.key)
                try:
                    compute.submit_result(
                        lease_id=lease.pk, hotkey=miner.hotkey, now=timezone.now(), **fields
                    )
                except DomainError:
                    break  # it came too late: another has the job
        returned = Result.objects.filter(netuid=self.validator.netuid, scores__isnull=True)
        for result in returned.filter(job__state=Job.State.RETURNED):
            make.scored(result, self.validator, now=timezone.now())

    def drained(self):
        """Work until every job has ended; say what is wrong then."""
        ends_at = time.monotonic() + DRAINED_WITHIN_S
        while self.jobs().filter(ended_at=None).exists() and time.monotonic() < ends_at:
            self.work()
            time.sleep(PAUSE_S)
        return self.faults()

    def faults(self):
        """Say what is wrong: a job without an end, one paid twice or not at all, books that do not balance."""
        from ledger import chart, invariants
        from ledger import queries as books

        found = [f"job {job.pk} is {job.state}" for job in self.jobs() if job.ended_at is None]
        verified = self.jobs().filter(state="verified")
        if not verified.exists():
            found.append("nothing was verified")
        balance = books.balance(chart.wallet(self.consumer))
        spent_rao = self.money_rao - balance.posted_rao
        price_rao = sum(verified.values_list("price_rao", flat=True))
        if (spent_rao, balance.held_rao) != (price_rao, 0):
            found.append(f"{spent_rao} rao spent, {balance.held_rao} held for {price_rao}")
        return found + invariants.check_all_books()


def founded():
    """Order jobs on a subnet of their own."""
    from ledger.money import RAO_PER_TAO
    from tests import make

    now = timezone.now()
    consumer = make.rich_owner(100, now=now)
    netuid = make.subnet(now=now)
    miners = tuple(make.miner(netuid, concurrency=JOBS_AT_ONCE, now=now) for _ in range(3))
    world = World(consumer, miners, make.validator(netuid, now=now), 100 * RAO_PER_TAO)
    world.order()
    return world

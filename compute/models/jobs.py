"""Jobs from submission to settlement, and the leases by which machines get them."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q

from compute import reliability
from compute.models.machines import Machine
from subnets.models import Blueprint


class Job(models.Model):
    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        """Waits for a machine."""
        LEASED = "leased", "Leased"
        """Offered to a machine; a lease is open."""
        RETURNED = "returned", "Returned"
        """A result is in; validators are to score it."""
        VERIFIED = "verified", "Verified"
        """Validators accepted a result. Paid where a consumer ordered it."""
        FAILED = "failed", "Failed"
        """Every attempt was used up; a consumer's hold was released."""
        CANCELLED = "cancelled", "Cancelled"
        """Its consumer no longer wants it; the hold was released."""

    class Origin(models.TextChoices):
        CONSUMER = "consumer", "Ordered"
        """Somebody ordered and pays for it."""
        CANARY = "canary", "Known answer"
        """Planted by the network; the answer is known."""
        REPLICA = "replica", "Done again"
        """An ordered job once more, by another owner's machine, to compare what both say."""
        REPORTED = "reported", "Reported"
        """An answer that a consumer had and reported: it comes with its result, for validators to judge."""

    TRANSITIONS = {
        State.QUEUED: {State.LEASED, State.FAILED, State.CANCELLED},
        State.LEASED: {State.QUEUED, State.RETURNED, State.FAILED, State.CANCELLED},
        State.RETURNED: {State.QUEUED, State.VERIFIED, State.FAILED},
        State.VERIFIED: set(),
        State.FAILED: set(),
        State.CANCELLED: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    netuid = models.PositiveSmallIntegerField()
    blueprint = models.CharField(max_length=20, choices=Blueprint)
    origin = models.CharField(max_length=10, choices=Origin)
    owner = models.UUIDField(null=True, blank=True, db_index=True)
    key = models.CharField(
        max_length=200, unique=True
    )  # caller, act and 128 characters of the client's
    replicates = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="replicas"
    )
    payload = models.JSONField()
    known_answer = models.JSONField(null=True, blank=True)
    price_rao = models.BigIntegerField(default=0)
    # Of what is priced: the hold in the books that its price is set aside by.
    hold = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    # What the consumer agreed to pay at most: part of the order that a repeated key is compared with.
    max_price_rao = models.BigIntegerField(null=True, blank=True)
    work_units = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempts_count = models.PositiveSmallIntegerField(default=0)
    failure = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    queued_at = models.DateTimeField()
    # By which the queue is ordered, and before which a job that was tried is not tried again.
    turn_at = models.DateTimeField()
    ready_at = models.DateTimeField()
    verify_by_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["verified", "failed", "cancelled"], ended_at__isnull=False)
                | Q(~Q(state__in=["verified", "failed", "cancelled"]), ended_at__isnull=True),
                name="compute_job_ended_has_ended_at",
            ),
            models.CheckConstraint(
                condition=Q(origin="consumer", owner__isnull=False)
                | Q(origin__in=["canary", "replica", "reported"], owner__isnull=True),
                name="compute_job_is_ordered_or_planted",
            ),
            models.CheckConstraint(
                condition=Q(origin="replica", replicates__isnull=False)
                | Q(~Q(origin="replica"), replicates__isnull=True),
                name="compute_job_replica_names_what_it_repeats",
            ),
            models.CheckConstraint(
                condition=Q(price_rao__gte=0), name="compute_job_price_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(price_rao=0, hold__isnull=True)
                | Q(~Q(price_rao=0), hold__isnull=False),
                name="compute_job_priced_has_a_hold",
            ),
        ]
        indexes = [
            models.Index(
                fields=["netuid", "turn_at"], condition=Q(state="queued"), name="compute_job_queue"
            ),
            models.Index(fields=["netuid", "-created_at"], name="compute_job_recent"),
            models.Index(
                fields=["netuid", "ended_at"],
                include=["price_rao"],
                condition=Q(state="verified", price_rao__gt=0),
                name="compute_job_paid",
            ),
            models.Index(
                fields=["verify_by_at"], condition=Q(state="returned"), name="compute_job_scored"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.blueprint} {self.id}"

    def move_to(self, state: "Job.State", *, now: datetime) -> None:
        """Change the state and save what changes with it."""
        self.turn_to(state, now=now)
        self.save(
            update_fields=[
                "state",
                "ended_at",
                "queued_at",
                "turn_at",
                "ready_at",
                "verify_by_at",
                "attempts_count",
                "failure",
            ]
        )

    def turn_to(self, state: "Job.State", *, now: datetime) -> None:
        """Change the state, the one way to do it; many that were turned are written by operations.moves."""
        assert state in self.TRANSITIONS[Job.State(self.state)], f"{self.state} → {state}"
        self.state = state
        if not self.TRANSITIONS[state]:
            self.ended_at = now


class Lease(models.Model):
    class State(models.TextChoices):
        OFFERED = "offered", "Offered"
        """Chosen for a machine that has not fetched it yet."""
        TAKEN = "taken", "Taken"
        """Fetched by its machine, or asked of it by a gateway: it is worked on."""
        RETURNED = "returned", "Returned"
        """Its result came in time."""
        EXPIRED = "expired", "Expired"
        """Its deadline passed without a result, or a gateway found that none would come; the job went to another."""
        WITHDRAWN = "withdrawn", "Withdrawn"
        """The job was cancelled while it was open; the miner is not blamed."""

    TRANSITIONS = {
        State.OFFERED: {State.TAKEN, State.EXPIRED, State.WITHDRAWN},
        State.TAKEN: {State.RETURNED, State.EXPIRED, State.WITHDRAWN},
        State.RETURNED: set(),
        State.EXPIRED: set(),
        State.WITHDRAWN: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="leases")
    # The job's: an epoch finds the leases of its window among all that ever were.
    netuid = models.PositiveSmallIntegerField()
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="leases")
    hotkey = models.CharField(max_length=48)
    state = models.CharField(max_length=10, choices=State, default=State.OFFERED)
    offered_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    # Whose fault it is that it came to nothing; empty while it is open, and where it did not.
    fault = models.CharField(
        max_length=10,
        blank=True,
        choices=[(each.value, each.title()) for each in reliability.Fault],
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(fault="") | Q(ended_at__isnull=False),
                name="compute_lease_open_has_no_fault",
            ),
            models.UniqueConstraint(
                fields=["job"],
                condition=Q(state__in=["offered", "taken"]),
                name="compute_lease_one_open_per_job",
            ),
        ]
        indexes = [
            models.Index(
                fields=["deadline_at"],
                condition=Q(state__in=["offered", "taken"]),
                name="compute_lease_due",
            ),
            models.Index(
                fields=["netuid", "ended_at"],
                condition=Q(ended_at__isnull=False),
                name="compute_lease_window",
            ),
            models.Index(fields=["hotkey", "-offered_at"], name="compute_lease_of_hotkey"),
            models.Index(fields=["machine", "-offered_at"], name="compute_lease_of_machine"),
        ]

    def __str__(self) -> str:
        return f"lease {self.id}"

    @property
    def is_open(self) -> bool:
        """Say whether a result may still come."""
        return bool(self.TRANSITIONS[Lease.State(self.state)])

    def move_to(self, state: "Lease.State", *, now: datetime) -> None:
        """Change the state and save what changes with it."""
        self.turn_to(state, now=now)
        self.save(update_fields=["state", "taken_at", "ended_at", "fault"])

    def turn_to(self, state: "Lease.State", *, now: datetime) -> None:
        """Change the state, the one way to do it; many that were turned are written by operations.moves."""
        assert state in self.TRANSITIONS[Lease.State(self.state)], f"{self.state} → {state}"
        self.state = state
        if state == Lease.State.TAKEN:
            self.taken_at = now
        if not self.TRANSITIONS[state]:
            self.ended_at = now

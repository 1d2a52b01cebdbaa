"""What staff reads of the work. It is changed by miners, validators and sweeps alone."""

from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from compute import queries
from compute.models import Job, Lease, Machine, Result, Score, ScoreCommitment
from ledger.admin import ReadOnlyAdmin


@admin.register(Machine)
class MachineAdmin(ReadOnlyAdmin):
    """Machines, those heard of last first."""

    list_display = ["name", "hotkey", "cpu_model", "cpu_count", "concurrency", "last_seen_at"]
    list_filter = ["last_seen_at"]
    search_fields = ["name", "hotkey", "owner"]
    ordering = ["-last_seen_at"]


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Jobs, newest first. Payloads and known answers are left out: they are large, and the answers secret.

    Nothing tells the verdict of a job that was scored in a running epoch: neither a column nor a filter.
    """

    list_display = ["id", "netuid", "blueprint", "origin", "shown_state", "attempts", "created_at"]
    list_filter = ["origin", "blueprint"]
    search_fields = ["id", "owner", "key"]
    ordering = ["-created_at"]
    fields = [
        "id",
        "netuid",
        "blueprint",
        "origin",
        "owner",
        "key",
        "price_rao",
        "max_price_rao",
        "created_at",
        "shown_state",
        "attempts",
        "failure_said",
        "queued",
        "verify_by",
        "ended",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave payloads and answers where they are, and say what is sealed."""
        return queries.with_seals(super().get_queryset(request)).defer("payload", "known_answer")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuse conditions in the address that no filter offers: ?state=verified would tell the verdict."""
        is_offered = lookup.partition("__")[0] in {"origin", "blueprint"}
        return is_offered and super().lookup_allowed(lookup, value, request)

    @admin.display(description="state")
    def shown_state(self, job: Job) -> str:
        """Show a sealed job as returned, whatever became of it."""
        return "Returned, verdict sealed" if _is_sealed(job) else Job.State(job.state).label

    @admin.display(description="attempts")
    def attempts(self, job: Job) -> int | None:
        """Show how often it was offered; another try would say that the first was refused."""
        return None if _is_sealed(job) else job.attempts_count

    @admin.display(description="failure")
    def failure_said(self, job: Job) -> str:
        """Show why it failed."""
        return "" if _is_sealed(job) else job.failure

    @admin.display(description="queued at")
    def queued(self, job: Job) -> datetime | None:
        """Show since when it waits, or last waited."""
        return None if _is_sealed(job) else job.queued_at

    @admin.display(description="verify by")
    def verify_by(self, job: Job) -> datetime | None:
        """Show until when validators may score it."""
        return None if _is_sealed(job) else job.verify_by_at

    @admin.display(description="ended at")
    def ended(self, job: Job) -> datetime | None:
        """Show when it ended."""
        return None if _is_sealed(job) else job.ended_at


def _is_sealed(job: Job) -> bool:
    """Read what the query said of a job."""
    return bool(getattr(job, "is_sealed"))  # noqa: B009  an annotation, which the model does not declare


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    """Offers of jobs to machines, but those that would tell a sealed verdict."""

    list_display = ["id", "job", "machine", "state", "offered_at", "deadline_at", "ended_at"]
    list_filter = ["state"]
    list_select_related = ["job", "machine"]
    search_fields = ["id", "hotkey"]
    ordering = ["-offered_at"]
    exclude = ["fault"]  # the miner's fault is a verdict

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave the jobs' payloads where they are."""
        rows = queries.telling_no_verdict(super().get_queryset(request))
        return rows.defer("job__payload", "job__known_answer")


@admin.register(Result)
class ResultAdmin(ReadOnlyAdmin):
    """What came back, without the outputs, but the second tries that would tell a sealed verdict."""

    list_display = ["id", "netuid", "hotkey", "job", "latency_ms", "submitted_at"]
    list_filter = ["netuid"]
    list_select_related = ["job"]
    search_fields = ["id", "hotkey", "output_digest"]
    ordering = ["-submitted_at"]
    exclude = ["output"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave outputs and payloads where they are."""
        shown = queries.telling_no_verdict(Lease.objects.all())
        rows = super().get_queryset(request).filter(lease__in=shown)
        return rows.defer("output", "job__payload", "job__known_answer")


@admin.register(Score)
class ScoreAdmin(ReadOnlyAdmin):
    """What validators said in epochs that have closed. Scores of running ones are sealed, also from staff."""

    list_display = ["result_id", "netuid", "validator", "miner", "score_ppm", "reason", "scored_at"]
    list_filter = ["netuid"]
    search_fields = ["validator", "miner"]
    ordering = ["-scored_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave out what is sealed."""
        return queries.unsealed(super().get_queryset(request))


@admin.register(ScoreCommitment)
class ScoreCommitmentAdmin(ReadOnlyAdmin):
    """What validators are bound to, request by request."""

    list_display = ["netuid", "validator", "count", "total_count", "digest", "committed_at"]
    list_filter = ["netuid"]
    search_fields = ["validator", "digest"]
    ordering = ["-committed_at"]

"""What staff reads of the work. It is changed by miners, validators and sweeps alone."""

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
    """Jobs, newest first. Payloads and known answers are left out: they are large, and the answers secret."""

    list_display = ["id", "netuid", "blueprint", "origin", "state", "attempts_count", "created_at"]
    list_filter = ["state", "origin", "blueprint"]
    search_fields = ["id", "owner", "key"]
    ordering = ["-created_at"]
    exclude = ["payload", "known_answer"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave payloads and answers where they are."""
        return super().get_queryset(request).defer("payload", "known_answer")


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    """Offers of jobs to machines."""

    list_display = ["id", "job", "machine", "state", "offered_at", "deadline_at", "ended_at"]
    list_filter = ["state"]
    list_select_related = ["job", "machine"]
    search_fields = ["id", "hotkey"]
    ordering = ["-offered_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave the jobs' payloads where they are."""
        return super().get_queryset(request).defer("job__payload", "job__known_answer")


@admin.register(Result)
class ResultAdmin(ReadOnlyAdmin):
    """What came back, without the outputs."""

    list_display = ["id", "netuid", "hotkey", "job", "latency_ms", "submitted_at"]
    list_filter = ["netuid"]
    list_select_related = ["job"]
    search_fields = ["id", "hotkey", "output_digest"]
    ordering = ["-submitted_at"]
    exclude = ["output"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave outputs and payloads where they are."""
        rows = super().get_queryset(request)
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

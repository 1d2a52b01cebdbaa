"""What came back, and what validators say of it: facts."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import Q

from compute.models.jobs import Job, Lease
from ledger.triggers import Refuse
from subnets.models import Blueprint


class Result(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    lease = models.OneToOneField(Lease, on_delete=models.PROTECT, related_name="result")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="results")
    netuid = models.PositiveSmallIntegerField()
    hotkey = models.CharField(max_length=48)
    output = models.JSONField()
    output_digest = models.CharField(max_length=64)
    signature = models.CharField(max_length=130)
    # Of an answer that came through a tunnel: the id it was asked under, and the pieces that the miner signed.
    request_id = models.UUIDField(null=True, blank=True, unique=True)
    pieces = models.JSONField(null=True, blank=True)
    # Of a language model's answer: which of the subnet's models gave it, as validators ask the same.
    model = models.CharField(max_length=80, null=True, blank=True)  # noqa: DJ001  null: no model answered
    latency_ms = models.PositiveIntegerField()
    submitted_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["netuid", "-submitted_at"], name="compute_result_recent"),
            models.Index(fields=["hotkey", "-submitted_at"], name="compute_result_of_hotkey"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(request_id__isnull=True, pieces__isnull=True)
                | Q(request_id__isnull=False, pieces__isnull=False),
                name="compute_result_asked_has_its_pieces",
            ),
        ]
        triggers = [Refuse(name="results_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"result {self.id}"


class Comparison(models.Model):
    """What the answers of an ordered job and its replicas say of one of them."""

    result = models.OneToOneField(Result, on_delete=models.PROTECT, related_name="comparison")
    hotkey = models.CharField(max_length=48)
    blueprint = models.CharField(max_length=20, choices=Blueprint)
    is_right = models.BooleanField()
    compared_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["hotkey", "blueprint", "-compared_at"], name="compute_comparison_record"
            ),
        ]
        triggers = [
            Refuse(name="comparisons_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{'right' if self.is_right else 'wrong'}: result {self.result_id}"


class Score(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    result = models.ForeignKey(Result, on_delete=models.PROTECT, related_name="scores")
    netuid = models.PositiveSmallIntegerField()
    validator = models.CharField(max_length=48)
    miner = models.CharField(max_length=48)
    score_ppm = models.PositiveIntegerField()
    reason = models.CharField(max_length=200)
    signature = models.CharField(max_length=130)
    scored_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["result", "validator"], name="compute_score_one_per_validator"
            ),
            models.CheckConstraint(
                condition=Q(score_ppm__lte=1_000_000), name="compute_score_is_at_most_one"
            ),
        ]
        indexes = [
            models.Index(fields=["netuid", "scored_at"], name="compute_score_window"),
        ]
        triggers = [Refuse(name="scores_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"score of {self.result_id} by {self.validator[:8]}…"


class ScoreCommitment(models.Model):
    """One per request and subnet. count: scores of the request; total_count: of the chain ever."""

    netuid = models.PositiveSmallIntegerField()
    validator = models.CharField(max_length=48)
    before = models.CharField(max_length=64)
    count = models.PositiveIntegerField()
    total_count = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    committed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["netuid", "validator", "total_count"],
                name="compute_scorecommitment_chain_does_not_fork",
            ),
            models.CheckConstraint(
                condition=Q(count__gt=0, total_count__gte=models.F("count")),
                name="compute_scorecommitment_counts_its_scores",
            ),
        ]
        indexes = [
            models.Index(fields=["netuid", "committed_at"], name="compute_scorecommitment_window"),
        ]
        triggers = [
            Refuse(
                name="score_commitments_are_facts", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.total_count} scores of {self.validator[:8]}… on subnet {self.netuid}"

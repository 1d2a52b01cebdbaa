"""What an owner decides: rules, drafts tried on the past, hyperparameters."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import F, Q

from ledger import spoken
from ledger.triggers import Refuse
from subnets.columns import (
    append_only,
)
from subnets.hyperparameters import Authority
from subnets.models.slots import Subnet


class IncentiveRule(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        """Being written; the owner may change it."""
        PUBLISHED = "published", "Published"
        """Announced; in force from `from_epoch` until the next published version. Never changes again."""

    subnet = models.ForeignKey(Subnet, on_delete=models.PROTECT, related_name="rules")
    version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    document = models.JSONField()
    digest = models.CharField(max_length=64)
    author = models.UUIDField()
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    from_epoch = models.PositiveIntegerField(null=True, blank=True)
    restores = models.PositiveIntegerField(
        null=True, blank=True, help_text="The earlier version that this one brings back."
    )

    class Meta:
        ordering = ["subnet_id", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["subnet", "version"], name="subnets_incentiverule_version_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(state="draft", published_at__isnull=True, from_epoch__isnull=True)
                | Q(state="published", published_at__isnull=False, from_epoch__isnull=False),
                name="subnets_incentiverule_published_has_published_at",
            ),
        ]
        triggers = [
            Refuse(
                name="published_rules_never_change",
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Q(old__state="published"),
            )
        ]

    def __str__(self) -> str:
        return f"rule {self.version} of subnet {self.subnet_id}"


class Backtest(models.Model):
    class State(models.TextChoices):
        ASKED = "asked", "Asked for"
        """Waits for a worker."""
        RUNNING = "running", "Under way"
        """A worker replays epoch after epoch."""
        DONE = "done", "Done"
        """The answer is in `answer`."""
        FAILED = "failed", "Failed"
        """Why is in `fault`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    subnet = models.ForeignKey(Subnet, on_delete=models.PROTECT, related_name="backtests")
    document = models.JSONField()
    digest = models.CharField(max_length=64)
    author = models.UUIDField()
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=7, choices=State, default=State.ASKED)
    epoch_count = models.PositiveIntegerField()
    done_count = models.PositiveIntegerField(default=0)
    answer = models.JSONField(null=True)
    fault = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["subnet_id", "-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["subnet"],
                condition=Q(state__in=["asked", "running"]),
                name="subnets_backtest_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(done_count__lte=F("epoch_count")),
                name="subnets_backtest_done_is_within_all",
            ),
        ]

    def __str__(self) -> str:
        return f"backtest of subnet {self.subnet_id} from {spoken.instant(self.asked_at)}"


class HyperparameterChange(models.Model):
    subnet = models.ForeignKey(
        Subnet, on_delete=models.PROTECT, related_name="hyperparameter_changes"
    )
    name = models.CharField(max_length=40)
    old_value = models.BigIntegerField()
    new_value = models.BigIntegerField()
    authority = models.CharField(
        max_length=5, choices=[(one.value, one.name.title()) for one in Authority]
    )
    account = models.UUIDField()
    at = models.DateTimeField()
    block = models.BigIntegerField()

    class Meta:
        ordering = ["subnet_id", "-id"]
        indexes = [models.Index(fields=["subnet", "name", "-id"])]
        constraints = [
            models.CheckConstraint(
                condition=~Q(old_value=F("new_value")),
                name="subnets_hyperparameterchange_changes_something",
            ),
        ]
        triggers = append_only("hyperparameter_changes_are_facts")

    def __str__(self) -> str:
        return f"{self.name} of subnet {self.subnet_id}: {self.old_value} to {self.new_value}"

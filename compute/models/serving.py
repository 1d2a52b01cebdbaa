"""Models that subnets serve, the tabs they are paid from, and what was used: facts."""

import uuid
from datetime import datetime

import pgtrigger
from django.db import models
from django.db.models import F, Q

from compute import serving
from ledger.triggers import Refuse
from subnets.models import Subnet


class ServedModel(models.Model):
    name = models.CharField(max_length=serving.NAME_LENGTH_MAX, primary_key=True, db_collation="C")
    subnet = models.ForeignKey(Subnet, on_delete=models.PROTECT, related_name="models")
    kind = models.CharField(max_length=10, choices=[(kind, kind.title()) for kind in serving.Kind])
    context_tokens_max = models.PositiveIntegerField()
    output_tokens_max = models.PositiveIntegerField()
    input_rao_per_mtok = models.BigIntegerField()
    output_rao_per_mtok = models.BigIntegerField()
    free_tokens_per_day = models.PositiveIntegerField(default=0)
    is_open = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z0-9][a-z0-9._/-]*$"),
                name="compute_servedmodel_name_is_plain",
            ),
            models.CheckConstraint(
                condition=Q(
                    input_rao_per_mtok__gte=0,
                    input_rao_per_mtok__lte=serving.PRICE_RAO_PER_MTOK_MAX,
                    output_rao_per_mtok__gte=0,
                    output_rao_per_mtok__lte=serving.PRICE_RAO_PER_MTOK_MAX,
                ),
                name="compute_servedmodel_prices_are_bounded",
            ),
            models.CheckConstraint(
                condition=Q(
                    context_tokens_max__gte=1,
                    context_tokens_max__lte=serving.CONTEXT_TOKENS_MAX,
                    output_tokens_max__lte=F("context_tokens_max"),
                ),
                name="compute_servedmodel_answers_within_its_context",
            ),
            models.CheckConstraint(
                condition=Q(kind=serving.Kind.CHAT, output_tokens_max__gte=1)
                | Q(kind=serving.Kind.EMBEDDINGS, output_tokens_max=0, output_rao_per_mtok=0),
                name="compute_servedmodel_embeddings_have_no_output",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PriceChange(models.Model):
    """The terms of a model from an instant on; the newest are those of its row."""

    model = models.ForeignKey(ServedModel, on_delete=models.PROTECT, related_name="price_changes")
    input_rao_per_mtok = models.BigIntegerField()
    output_rao_per_mtok = models.BigIntegerField()
    free_tokens_per_day = models.PositiveIntegerField()
    is_open = models.BooleanField()
    changed_by = models.UUIDField()
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["model", "-changed_at"], name="compute_pricechange_of_model")
        ]
        triggers = [
            Refuse(name="price_changes_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.model_id} from {self.changed_at}"


class Tab(models.Model):
    class State(models.TextChoices):
        OPEN = "open", "Open"
        """A gateway reserves requests from it; its hold is open."""
        SETTLED = "settled", "Settled"
        """What was used is paid and the rest released; later lines are nobody's debt."""

    TRANSITIONS = {State.OPEN: {State.SETTLED}, State.SETTLED: set()}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner = models.UUIDField()
    # The id of the API key: the public half, which below the web is only a word.
    payer = models.CharField(max_length=16)
    held_rao = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    opened_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    spent_rao = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(held_rao__gt=0), name="compute_tab_holds_something"),
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True, spent_rao__isnull=True)
                | Q(
                    state="settled",
                    settled_at__isnull=False,
                    spent_rao__gte=0,
                    spent_rao__lte=F("held_rao"),
                ),
                name="compute_tab_settled_says_what_was_spent",
            ),
        ]
        indexes = [
            models.Index(fields=["payer", "opened_at"], name="compute_tab_of_payer"),
            models.Index(fields=["opened_at"], condition=Q(state="open"), name="compute_tab_left"),
        ]

    def __str__(self) -> str:
        return f"tab {self.id}"

    def move_to(self, state: "Tab.State", *, now: datetime) -> None:
        """Change the state, the one way to do it, and save what changes with it."""
        assert state in self.TRANSITIONS[Tab.State(self.state)], f"{self.state} → {state}"
        self.state, self.settled_at = state, now
        self.save(update_fields=["state", "spent_rao", "settled_at"])


class Usage(models.Model):
    """One request that reached a miner. Neither prompt nor answer is kept, only the digest that was signed."""

    id = models.UUIDField(primary_key=True)
    tab = models.ForeignKey(
        Tab, on_delete=models.PROTECT, null=True, blank=True, related_name="usages", db_index=False
    )
    owner = models.UUIDField()
    payer = models.CharField(max_length=16)
    model = models.CharField(max_length=serving.NAME_LENGTH_MAX)
    netuid = models.PositiveSmallIntegerField()
    hotkey = models.CharField(max_length=48)
    outcome = models.CharField(
        max_length=10, choices=[(outcome, outcome.title()) for outcome in serving.Outcome]
    )
    prompt_tokens = models.PositiveIntegerField()
    completion_tokens = models.PositiveIntegerField()
    is_free = models.BooleanField()
    price_rao = models.BigIntegerField()
    attempts_count = models.PositiveSmallIntegerField()
    first_token_ms = models.PositiveIntegerField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField()
    began_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    answer_digest = models.CharField(max_length=64, blank=True)
    signature = models.CharField(max_length=130, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(price_rao__gte=0), name="compute_usage_price_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(is_free=True, tab__isnull=True, price_rao=0)
                | Q(is_free=False, tab__isnull=False),
                name="compute_usage_is_free_or_on_a_tab",
            ),
            models.CheckConstraint(
                condition=~Q(outcome="failed") | Q(price_rao=0),
                name="compute_usage_failed_costs_nothing",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-began_at"], name="compute_usage_of_owner"),
            models.Index(fields=["netuid", "-began_at"], name="compute_usage_of_subnet"),
            # What settlement sums: who is owed how much from one tab.
            models.Index(
                fields=["tab"],
                include=["netuid", "hotkey", "price_rao"],
                condition=Q(tab__isnull=False),
                name="compute_usage_of_tab",
            ),
        ]
        triggers = [Refuse(name="usages_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"usage {self.id}"


class Repeat(models.Model):
    """One miner's answer to a chat that several owners' miners were asked; neither prompt nor answer is kept.

    is_first: the answer that the consumer has.  is_right: whether most owners said the same; null where no majority did.
    What a repeat took is on nobody's bill: its tokens stand here.
    """

    request_id = models.UUIDField()
    netuid = models.PositiveSmallIntegerField()
    model = models.CharField(max_length=serving.NAME_LENGTH_MAX)
    hotkey = models.CharField(max_length=48)
    is_first = models.BooleanField()
    is_right = models.BooleanField(null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField()
    completion_tokens = models.PositiveIntegerField()
    answer_digest = models.CharField(max_length=64)
    compared_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["request_id", "hotkey"], name="compute_repeat_one_answer_per_miner"
            ),
        ]
        indexes = [
            models.Index(fields=["hotkey", "-compared_at"], name="compute_repeat_of_hotkey"),
        ]
        triggers = [Refuse(name="repeats_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"repeat of {self.request_id} by {self.hotkey[:8]}…"

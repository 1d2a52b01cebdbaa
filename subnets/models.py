"""Slots and what happens in them. Stake is money and lives in the ledger alone (`chart.stake`).

Network          one row: genesis, block length, how far emission has been accrued, the last lock cost
Subnet           a slot taken: owner, blueprint, hyperparameters, pending emission, burn price
Ownership        who owned a subnet from when until when, and what they paid: a history without overlaps
Hotkey           an sr25519 address linked to the owner (account) that answers for it
HotkeyChallenge  a one-time code by which an owner agrees to a hotkey, and the hotkey to the owner
Neuron           a hotkey's uid on a subnet
IncentiveRule    one version of a subnet's rule document, draft or published
Epoch            one tempo of one subnet, closed and paid: a fact, with its public bundle
EpochTerm        what consensus said of one uid in one epoch, and what it was paid: a fact
EpochEvidence    the metrics an epoch was paid by, packed: what a backtest replays
HyperparameterChange  who changed which hyperparameter when, from what to what: a fact
Backtest         a draft rule replayed over past epochs: asked for, under way, answered
"""

import uuid

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

from subnets.columns import HyperparametersField, PackedField, append_only, unique_as_read
from subnets.hyperparameters import Authority

SUBNET_LIMIT = 128  # subtensor: the network holds 128 subnets besides root


class Blueprint(models.TextChoices):
    """What kind of work a subnet pays for; each is a folder of compute/blueprints."""

    MATMUL = "matmul", "Verified matmul"
    """Multiply int8 matrices; checked by Freivalds."""
    EMBEDDINGS = "embeddings", "Embeddings"
    """Turn sentences into vectors; checked by re-execution of samples."""


class Network(models.Model):
    """The one network. Its row is the lock for accrual and for the price of slots."""

    genesis_at = models.DateTimeField()
    block_ms = models.PositiveIntegerField()
    accrued_block = models.BigIntegerField(default=0)
    min_lock_rao = models.BigIntegerField()
    last_lock_rao = models.BigIntegerField()
    last_lock_block = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="subnets_network_is_one"),
            models.CheckConstraint(
                condition=Q(block_ms__gt=0), name="subnets_network_blocks_take_time"
            ),
        ]

    def __str__(self) -> str:
        return "the network"


class Subnet(models.Model):
    netuid = models.PositiveSmallIntegerField(primary_key=True)
    name = models.CharField(max_length=60, unique=True)
    summary = models.CharField(max_length=200)
    description = models.TextField(max_length=4000, blank=True)
    repository_url = models.URLField(max_length=200, blank=True)
    blueprint = models.CharField(max_length=20, choices=Blueprint)
    owner = models.UUIDField(db_index=True)
    hyperparameters = HyperparametersField()
    emission_enabled = models.BooleanField(default=True)
    pending_rao = models.BigIntegerField(default=0)
    burn_rao = models.BigIntegerField()
    burn_block = models.BigIntegerField()
    last_epoch_block = models.BigIntegerField()
    window_starts_at = models.DateTimeField(
        null=True, help_text="Set where the clock stood still since the running epoch began."
    )
    next_epoch_block = models.BigIntegerField()
    miner_burned_u16 = models.PositiveIntegerField(default=0)
    registered_at = models.DateTimeField()
    registered_block = models.BigIntegerField()

    class Meta:
        ordering = ["netuid"]
        constraints = [
            unique_as_read("name", name="subnets_subnet_name_is_unique_as_read"),
            models.CheckConstraint(
                condition=Q(netuid__gte=1, netuid__lte=SUBNET_LIMIT),
                name="subnets_subnet_netuid_is_a_slot",
            ),
            models.CheckConstraint(
                condition=Q(pending_rao__gte=0), name="subnets_subnet_pending_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(burn_rao__gt=0), name="subnets_subnet_burn_is_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.netuid} {self.name}"


class Ownership(models.Model):
    class Reason(models.TextChoices):
        REGISTERED = "registered", "Slot bought"
        """The slot was bought from the network at the lock cost."""
        SOLD = "sold", "Sold"
        """The subnet changed hands in the marketplace."""

    subnet = models.ForeignKey(Subnet, on_delete=models.PROTECT, related_name="ownerships")
    owner = models.UUIDField(db_index=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    price_rao = models.BigIntegerField()
    reason = models.CharField(max_length=12, choices=Reason)

    class Meta:
        ordering = ["subnet_id", "starts_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["subnet"],
                condition=Q(ends_at__isnull=True),
                name="subnets_ownership_one_owner_now",
            ),
            ExclusionConstraint(
                name="subnets_ownership_one_owner_at_any_instant",
                expressions=[
                    ("subnet", RangeOperators.EQUAL),
                    (
                        Func(
                            F("starts_at"),
                            F("ends_at"),
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
            models.CheckConstraint(
                condition=Q(price_rao__gte=0), name="subnets_ownership_price_is_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subnet_id} {self.owner} from {self.starts_at:%Y-%m-%d}"


class Hotkey(models.Model):
    ss58 = models.CharField(max_length=48, primary_key=True)
    owner = models.UUIDField(db_index=True)
    name = models.CharField(max_length=40)
    linked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.ss58[:8]}…"


class HotkeyChallenge(models.Model):
    code = models.CharField(max_length=43, primary_key=True)
    owner = models.UUIDField(db_index=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"challenge of {self.owner}"


class Neuron(models.Model):
    subnet = models.ForeignKey(Subnet, on_delete=models.PROTECT, related_name="neurons")
    uid = models.PositiveSmallIntegerField()
    hotkey = models.ForeignKey(Hotkey, on_delete=models.PROTECT, related_name="neurons")
    registered_at = models.DateTimeField()
    registered_block = models.BigIntegerField()
    has_permit = models.BooleanField(default=False)
    last_update_block = models.BigIntegerField(default=0)
    bonds = models.JSONField(default=dict)
    emission_rao = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["subnet_id", "uid"]
        constraints = [
            models.UniqueConstraint(fields=["subnet", "uid"], name="subnets_neuron_uid_is_unique"),
            models.UniqueConstraint(
                fields=["subnet", "hotkey"], name="subnets_neuron_hotkey_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(uid__lt=256), name="subnets_neuron_uid_is_below_256"
            ),
        ]

    def __str__(self) -> str:
        return f"uid {self.uid} on subnet {self.subnet_id}"


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
            pgtrigger.Protect(
                name="published_rules_never_change",
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Q(old__state="published"),
            )
        ]

    def __str__(self) -> str:
        return f"rule {self.version} of subnet {self.subnet_id}"


class Epoch(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    subnet = models.ForeignKey(Subnet, on_delete=models.PROTECT, related_name="epochs")
    number = models.PositiveIntegerField()
    start_block = models.BigIntegerField()
    end_block = models.BigIntegerField()
    closed_at = models.DateTimeField()
    rule = models.ForeignKey(IncentiveRule, on_delete=models.PROTECT, related_name="epochs")
    emission_rao = models.BigIntegerField()
    owner_rao = models.BigIntegerField()
    miners_rao = models.BigIntegerField()
    validators_rao = models.BigIntegerField()
    burned_rao = models.BigIntegerField()
    rule_fault = models.CharField(max_length=500, blank=True)
    bundle = PackedField()
    handed_on = PackedField()
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["subnet_id", "-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["subnet", "number"], name="subnets_epoch_number_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(
                    emission_rao=F("owner_rao")
                    + F("miners_rao")
                    + F("validators_rao")
                    + F("burned_rao")
                ),
                name="subnets_epoch_payouts_sum_to_emission",
            ),
            models.CheckConstraint(
                condition=Q(end_block__gt=F("start_block")),
                name="subnets_epoch_ends_after_its_start",
            ),
        ]
        triggers = append_only("epochs_are_facts")

    def __str__(self) -> str:
        return f"epoch {self.number} of subnet {self.subnet_id}"


class EpochTerm(models.Model):
    epoch = models.ForeignKey(Epoch, on_delete=models.PROTECT, related_name="terms")
    uid = models.PositiveSmallIntegerField()
    hotkey = models.CharField(max_length=48, db_index=True)
    owner = models.UUIDField(db_index=True)
    stake_rao = models.BigIntegerField()
    is_active = models.BooleanField()
    has_permit = models.BooleanField()
    consensus_u16 = models.PositiveIntegerField()
    incentive_u16 = models.PositiveIntegerField()
    dividends_u16 = models.PositiveIntegerField()
    validator_trust_u16 = models.PositiveIntegerField()
    miner_rao = models.BigIntegerField()
    validator_rao = models.BigIntegerField()

    class Meta:
        ordering = ["epoch_id", "uid"]
        constraints = [
            models.UniqueConstraint(
                fields=["epoch", "uid"], name="subnets_epochterm_uid_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(miner_rao__gte=0, validator_rao__gte=0),
                name="subnets_epochterm_pays_nothing_negative",
            ),
        ]
        triggers = append_only("epoch_terms_are_facts")

    def __str__(self) -> str:
        return f"uid {self.uid} in {self.epoch_id}"


class EpochEvidence(models.Model):
    """Kept beside the epoch, not in its bundle: the bundle's scores give the same metrics again."""

    epoch = models.OneToOneField(
        Epoch, on_delete=models.PROTECT, primary_key=True, related_name="evidence"
    )
    packed = models.BinaryField()

    class Meta:
        triggers = append_only("epoch_evidence_is_a_fact")

    def __str__(self) -> str:
        return f"evidence of {self.epoch_id}"


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
        return f"backtest of subnet {self.subnet_id} from {self.asked_at:%Y-%m-%d %H:%M}"

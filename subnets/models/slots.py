"""Slots of the network, taken and free: who holds one, and since when."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.db.models.functions import Concat

from subnets.columns import HyperparametersField, Unaccented, unique_as_read

SUBNET_LIMIT = 128  # subtensor: the network holds 128 subnets besides root


class Blueprint(models.TextChoices):
    """What kind of work a subnet pays for; each is a folder of compute/blueprints."""

    MATMUL = "matmul", "Verified matmul"
    """Multiply int8 matrices; checked by Freivalds."""
    EMBEDDINGS = "embeddings", "Embeddings"
    """Turn sentences into vectors; checked by re-execution of samples."""
    LANGUAGE = "language", "Language model"
    """Answer conversations at temperature 0; the beginning is checked by re-execution."""


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
    # What a search looks in, kept by the database beside the words it comes from.
    searched = models.GeneratedField(
        expression=Unaccented(
            Concat(
                F("name"),
                Value(" "),
                F("summary"),
                Value(" "),
                Case(
                    *(When(blueprint=one.value, then=Value(one.label)) for one in Blueprint),
                    default=F("blueprint"),
                ),
                output_field=models.TextField(),
            )
        ),
        output_field=models.TextField(),
        db_persist=True,
    )

    class Meta:
        ordering = ["netuid"]
        indexes = [
            GinIndex(fields=["searched"], opclasses=["gin_trgm_ops"], name="subnets_subnet_words")
        ]
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

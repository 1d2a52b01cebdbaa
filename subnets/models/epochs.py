"""Closed epochs, and what they paid."""

import uuid

from django.db import models
from django.db.models import F, Q

from subnets.columns import (
    PackedField,
    append_only,
)
from subnets.models.rules import IncentiveRule
from subnets.models.slots import Subnet


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
        indexes = [
            # The sums over a week of every subnet are read from the index alone: an epoch's row is wide.
            models.Index(
                fields=["subnet", "closed_at"],
                include=["emission_rao", "owner_rao"],
                name="subnets_epoch_sums",
            ),
        ]
        triggers = append_only("epochs_are_facts")

    def __str__(self) -> str:
        return f"epoch {self.number} of subnet {self.subnet_id}"


class EpochTerm(models.Model):
    # Each epoch writes hundreds of rows, so there are only the indexes that are read; uids lead to their epoch.
    epoch = models.ForeignKey(Epoch, on_delete=models.PROTECT, related_name="terms", db_index=False)
    uid = models.PositiveSmallIntegerField()
    hotkey = models.CharField(max_length=48)
    owner = models.UUIDField()
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
        indexes = [models.Index(fields=["hotkey"], name="subnets_epochterm_of_hotkey")]
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

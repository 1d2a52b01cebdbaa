"""Hotkeys, and their places on subnets."""

from django.db import models
from django.db.models import Q

from subnets.models.slots import Subnet


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
    # Every epoch changes every row: both unique constraints lead from a subnet to its neurons.
    subnet = models.ForeignKey(
        Subnet, on_delete=models.PROTECT, related_name="neurons", db_index=False
    )
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

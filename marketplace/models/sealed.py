"""Sealed bids: what is kept secret until an auction ends, and what is published then."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import F, Q

from ledger.triggers import Refuse
from marketplace.models.auctions import Auction


class SealedBid(models.Model):
    """One sealed maximum. `place` is the bidder's among those who bid, by first appearance: "bidder 3"."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    auction = models.ForeignKey(Auction, on_delete=models.PROTECT, related_name="sealed_bids")
    bidder = models.UUIDField(db_index=True)
    place = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=200, unique=True)
    sequence = models.PositiveIntegerField()
    # The maximum and the random bytes behind the commitment; `sealing` opens it.
    ciphertext = models.BinaryField()
    commitment = models.CharField(max_length=64)
    # What is set aside while this is the bidder's newest bid, and what was asked for: a repeated key is compared.
    cover_rao = models.BigIntegerField()
    asked_cover_rao = models.BigIntegerField(null=True, blank=True)
    placed_at = models.DateTimeField()

    class Meta:
        ordering = ["auction_id", "sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["auction", "sequence"], name="marketplace_sealedbid_sequence_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(cover_rao__gt=0, sequence__gt=0, place__gt=0)
                & Q(place__lte=F("sequence")),
                name="marketplace_sealedbid_counts_from_one",
            ),
            models.CheckConstraint(
                condition=Q(asked_cover_rao__isnull=True) | Q(asked_cover_rao=F("cover_rao")),
                name="marketplace_sealedbid_covers_as_asked",
            ),
        ]
        triggers = [
            Refuse(name="sealed_bids_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"sealed bid {self.sequence} on {self.auction_id}"


class SealedOpening(models.Model):
    """What a sealed bid hid, published when its auction ended; from then on the key may be forgotten."""

    bid = models.OneToOneField(
        SealedBid, on_delete=models.PROTECT, primary_key=True, related_name="opening"
    )
    max_rao = models.BigIntegerField()
    nonce = models.BinaryField(max_length=32)
    opened_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(max_rao__gt=0), name="marketplace_sealedopening_is_positive"
            ),
        ]
        triggers = [
            Refuse(name="openings_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"opening of {self.bid_id}"

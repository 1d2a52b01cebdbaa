"""Bids that an operator took out of an auction."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import Q

from ledger.triggers import Refuse
from marketplace.models.auctions import REASON_LENGTH_MAX, Auction


class BidVoid(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    auction = models.ForeignKey(Auction, on_delete=models.PROTECT, related_name="voids")
    bidder = models.UUIDField()
    sequence = models.PositiveIntegerField()
    """The place among the auction's bids and voids, counted together: every bid of the bidder comes before it."""
    reason = models.CharField(max_length=REASON_LENGTH_MAX)
    operator = models.UUIDField()
    was_leading = models.BooleanField()
    # What stood after it, as with a bid; nobody leads where no bid is left.
    leader = models.UUIDField(null=True, blank=True)
    price_rao = models.BigIntegerField(null=True, blank=True)
    voided_at = models.DateTimeField()

    class Meta:
        ordering = ["auction_id", "sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["auction", "sequence"], name="marketplace_bidvoid_sequence_is_unique"
            ),
            models.UniqueConstraint(
                fields=["auction", "bidder"], name="marketplace_bidvoid_takes_a_bidder_out_once"
            ),
            models.CheckConstraint(
                condition=~Q(reason=""), name="marketplace_bidvoid_has_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(leader__isnull=True, price_rao__isnull=True)
                | Q(leader__isnull=False, price_rao__isnull=False),
                name="marketplace_bidvoid_leader_has_a_price",
            ),
        ]
        triggers = [Refuse(name="voids_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"void {self.sequence} on {self.auction_id}"

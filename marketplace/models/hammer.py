"""What follows the hammer where a deposit backed the bid: second chances, and strikes against who did not pay."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import F, Q

from ledger.triggers import Refuse
from marketplace.models.auctions import Auction


class SecondChance(models.Model):
    class State(models.TextChoices):
        OFFERED = "offered", "Offered"
        """The winner did not pay; the next bidder may, until `expires_at`."""
        ACCEPTED = "accepted", "Accepted"
        """Paid in full; the subnet changed hands."""
        DECLINED = "declined", "Declined"
        """The bidder said no; the next one is asked."""
        EXPIRED = "expired", "Expired"
        """Nobody answered in time; the next one is asked."""
        WITHDRAWN = "withdrawn", "Withdrawn"
        """The seller no longer owns the subnet."""

    TRANSITIONS = {
        State.OFFERED: {State.ACCEPTED, State.DECLINED, State.EXPIRED, State.WITHDRAWN},
        State.ACCEPTED: set(),
        State.DECLINED: set(),
        State.EXPIRED: set(),
        State.WITHDRAWN: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    auction = models.ForeignKey(Auction, on_delete=models.PROTECT, related_name="second_chances")
    bidder = models.UUIDField(db_index=True)
    price_rao = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.OFFERED)
    offered_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["auction_id", "offered_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["auction"],
                condition=Q(state="offered"),
                name="marketplace_secondchance_one_open_per_auction",
            ),
            models.UniqueConstraint(
                fields=["auction", "bidder"], name="marketplace_secondchance_comes_once"
            ),
            models.CheckConstraint(
                condition=Q(price_rao__gt=0) & Q(expires_at__gt=F("offered_at")),
                name="marketplace_secondchance_has_a_price_and_a_term",
            ),
            models.CheckConstraint(
                condition=Q(state="offered", ended_at__isnull=True)
                | Q(~Q(state="offered"), ended_at__isnull=False),
                name="marketplace_secondchance_ended_has_ended_at",
            ),
        ]

    def __str__(self) -> str:
        return f"second chance on {self.auction_id}"


class Strike(models.Model):
    """A winner did not pay; the deposit was forfeited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    auction = models.OneToOneField(Auction, on_delete=models.PROTECT, related_name="strike")
    owner = models.UUIDField()
    forfeited_rao = models.BigIntegerField()
    # What of it the house kept; the rest went to the seller.
    fee_rao = models.BigIntegerField()
    struck_at = models.DateTimeField()

    class Meta:
        ordering = ["-struck_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(forfeited_rao__gt=0, fee_rao__gte=0)
                & Q(fee_rao__lte=F("forfeited_rao")),
                name="marketplace_strike_fee_is_part_of_the_deposit",
            ),
        ]
        indexes = [models.Index(fields=["owner", "struck_at"], name="marketplace_strike_lately")]
        triggers = [Refuse(name="strikes_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"strike against {self.owner}"

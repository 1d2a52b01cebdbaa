"""Offers for subnets that nobody has to put up for sale, and the moves of their negotiations."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import F, Q

from ledger.triggers import Refuse
from marketplace.negotiating import Act, Side

OPEN_STATES = ["owners_turn", "buyers_turn"]


class Offer(models.Model):
    class State(models.TextChoices):
        OWNERS_TURN = "owners_turn", "Waits for the owner"
        """The buyer's amount is on the table."""
        BUYERS_TURN = "buyers_turn", "Waits for the buyer"
        """The owner asked for more; the buyer's own amount stays set aside."""
        ACCEPTED = "accepted", "Accepted"
        """The figure on the table was paid and the subnet changed hands."""
        DECLINED = "declined", "Declined"
        """One side said no; the money is free."""
        WITHDRAWN = "withdrawn", "Withdrawn"
        """The buyer took the offer back; the money is free."""
        EXPIRED = "expired", "Expired"
        """Nobody answered in time; the money is free."""
        SUPERSEDED = "superseded", "Sold otherwise"
        """The subnet was sold by another way; the money is free."""

    ENDS = frozenset(
        {State.ACCEPTED, State.DECLINED, State.WITHDRAWN, State.EXPIRED, State.SUPERSEDED}
    )
    TRANSITIONS = {
        State.OWNERS_TURN: {State.BUYERS_TURN, *ENDS},
        State.BUYERS_TURN: {State.OWNERS_TURN, *ENDS},
        **dict.fromkeys(ENDS, frozenset()),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    netuid = models.PositiveSmallIntegerField()
    buyer = models.UUIDField(db_index=True)
    # To whom it was made: what one owner was promised, the next one was not.
    owner = models.UUIDField(db_index=True)
    state = models.CharField(max_length=12, choices=State, default=State.OWNERS_TURN)
    # The figure on the table, and the buyer's own newest amount, set aside under `hold`.
    amount_rao = models.BigIntegerField()
    expires_at = models.DateTimeField()
    promised_rao = models.BigIntegerField()
    promised_until = models.DateTimeField()
    hold = models.UUIDField(unique=True)
    # What the house takes; its later terms never move an offer under way.
    fee_bps = models.PositiveIntegerField()
    royalty_bps = models.PositiveIntegerField(default=0)
    figure_count = models.PositiveSmallIntegerField(default=1)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["buyer", "netuid"],
                condition=Q(state__in=OPEN_STATES),
                name="marketplace_offer_one_open_per_buyer_and_subnet",
            ),
            models.CheckConstraint(
                condition=~Q(buyer=F("owner")), name="marketplace_offer_has_two_sides"
            ),
            models.CheckConstraint(
                condition=Q(state="owners_turn", amount_rao=F("promised_rao"))
                | Q(state="buyers_turn", amount_rao__gt=F("promised_rao"))
                | ~Q(state__in=OPEN_STATES),
                name="marketplace_offer_turn_tells_the_figure",
            ),
            models.CheckConstraint(
                condition=Q(promised_rao__gt=0) & Q(amount_rao__gte=F("promised_rao")),
                name="marketplace_offer_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("made_at")) & Q(expires_at__lte=F("promised_until")),
                name="marketplace_offer_lapses_within_the_promise",
            ),
            models.CheckConstraint(
                condition=Q(state__in=OPEN_STATES, ended_at__isnull=True)
                | Q(~Q(state__in=OPEN_STATES), ended_at__isnull=False),
                name="marketplace_offer_ended_has_ended_at",
            ),
            models.CheckConstraint(
                condition=Q(fee_bps__lte=10_000 - F("royalty_bps")),
                name="marketplace_offer_fee_and_royalty_leave_a_price",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=Q(state__in=OPEN_STATES),
                name="marketplace_offer_due",
            ),
            models.Index(
                fields=["netuid"],
                condition=Q(state__in=OPEN_STATES),
                name="marketplace_offer_on_subnet",
            ),
            models.Index(
                fields=["ended_at"],
                condition=Q(ended_at__isnull=False),
                name="marketplace_offer_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"offer for subnet {self.netuid}"


class OfferMove(models.Model):
    class Side(models.TextChoices):
        BUYER = Side.BUYER.value, "Buyer"
        """Who made the offer."""
        OWNER = Side.OWNER.value, "Owner"
        """Whose subnet it was made for."""

    class Act(models.TextChoices):
        OFFER = Act.OFFER.value, "Offered"
        """The buyer named a first amount."""
        COUNTER = Act.COUNTER.value, "Countered"
        """One side named another amount."""
        ACCEPT = Act.ACCEPT.value, "Accepted"
        """One side took the other's amount."""
        DECLINE = Act.DECLINE.value, "Declined"
        """One side said no."""
        WITHDRAW = Act.WITHDRAW.value, "Withdrew"
        """The buyer took the offer back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="moves")
    sequence = models.PositiveSmallIntegerField()
    side = models.CharField(max_length=5, choices=Side)
    act = models.CharField(max_length=8, choices=Act)
    # The figure that was named or taken; how long it was good, only where it was named.
    amount_rao = models.BigIntegerField()
    valid_s = models.PositiveIntegerField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    message = models.CharField(max_length=500, blank=True)
    key = models.CharField(max_length=200, unique=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["offer_id", "sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["offer", "sequence"], name="marketplace_offermove_sequence_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(amount_rao__gt=0), name="marketplace_offermove_is_positive"
            ),
            models.CheckConstraint(
                condition=Q(
                    act__in=["offer", "counter"], valid_s__isnull=False, expires_at__isnull=False
                )
                | Q(
                    act__in=["accept", "decline", "withdraw"],
                    valid_s__isnull=True,
                    expires_at__isnull=True,
                ),
                name="marketplace_offermove_figure_has_an_end",
            ),
        ]
        indexes = [models.Index(fields=["at"], name="marketplace_offermove_newest")]
        triggers = [Refuse(name="moves_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.side} {self.act} in {self.offer_id}"

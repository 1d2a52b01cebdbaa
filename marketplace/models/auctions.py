"""Auctions, and the bids that are made in them."""

import uuid
from datetime import datetime

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from ledger.triggers import Refuse
from marketplace.bidding import INCREMENTS_NEWEST, ReserveUnmetPolicy

# A sentence or two: it stands on pages, on statements and in the log.
REASON_LENGTH_MAX = 300


class Auction(models.Model):
    class Format(models.TextChoices):
        ENGLISH = "english", "English auction"
        """Hidden maxima; the house bids for everybody, no further than it must."""
        DUTCH = "dutch", "Falling price"
        """The price falls from `start_rao` to `floor_rao` at the close, half as fast after every `half_life_s`; the first to take it has it."""
        SEALED = "sealed", "Sealed bids"
        """Nobody sees a maximum before the end; the highest wins and pays what the second would have."""
        FIXED = "fixed", "Fixed price"
        """`start_rao` is the price until somebody pays it."""

    class Backing(models.TextChoices):
        FULL = "full", "Held in full"
        """The whole maximum is set aside, so a winner cannot fail to pay."""
        DEPOSIT = "deposit", "Deposit"
        """A share of the maximum is set aside; the winner pays the rest by `due_at`, or loses it."""

    class ReservePolicy(models.TextChoices):
        INCREMENTS = ReserveUnmetPolicy.INCREMENTS.value, "Usual price below the reserve"
        """While no maximum reaches the reserve, the price rises by the usual steps."""
        JUMP_TO_MAX = ReserveUnmetPolicy.JUMP_TO_MAX.value, "Whole maximum below the reserve"
        """While no maximum reaches the reserve, the leader's whole maximum is shown."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        """Takes bids from `opens_at` until `closes_at`."""
        AWAITING = "awaiting", "Awaiting payment"
        """Ended with a winner who backed the bid by a deposit and has until `due_at` to pay."""
        SETTLED = "settled", "Sold"
        """Ended with a winner; price and ownership changed hands."""
        UNSOLD = "unsold", "Unsold"
        """Ended without a bid, or below the reserve; every hold was released."""
        CANCELLED = "cancelled", "Cancelled"
        """Withdrawn by the seller before the first bid, or called off by an operator, who says why."""

    TRANSITIONS = {
        State.OPEN: {State.AWAITING, State.SETTLED, State.UNSOLD, State.CANCELLED},
        State.AWAITING: {State.SETTLED, State.UNSOLD, State.CANCELLED},
        State.SETTLED: set(),
        State.UNSOLD: set(),
        State.CANCELLED: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    netuid = models.PositiveSmallIntegerField()
    seller = models.UUIDField(db_index=True)
    key = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    # What the seller fixed.
    format = models.CharField(max_length=10, choices=Format, default=Format.ENGLISH)
    start_rao = models.BigIntegerField()
    reserve_rao = models.BigIntegerField(null=True, blank=True)
    reserve_policy = models.CharField(
        max_length=15, choices=ReservePolicy, default=ReservePolicy.INCREMENTS
    )
    buy_now_rao = models.BigIntegerField(null=True, blank=True)
    floor_rao = models.BigIntegerField(null=True, blank=True)
    half_life_s = models.PositiveIntegerField(null=True, blank=True)
    backing = models.CharField(max_length=10, choices=Backing, default=Backing.FULL)
    # In the seller's own words, which nobody has checked.
    statement = models.TextField(blank=True, default="")
    # What the house adds; later terms of the house never move a running auction.
    increments_version = models.PositiveSmallIntegerField(default=INCREMENTS_NEWEST)
    fee_bps = models.PositiveIntegerField()
    royalty_bps = models.PositiveIntegerField(default=0)
    deposit_bps = models.PositiveIntegerField(null=True, blank=True)
    pay_within_s = models.PositiveIntegerField(null=True, blank=True)
    soft_close_s = models.PositiveIntegerField()
    soft_close_cap_s = models.PositiveIntegerField()
    opens_at = models.DateTimeField()
    scheduled_close_at = models.DateTimeField()
    # What follows is derived from the bids under the row's lock and kept for reading.
    closes_at = models.DateTimeField()
    price_rao = models.BigIntegerField(null=True, blank=True)
    leader = models.UUIDField(null=True, blank=True)
    bid_count = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=0)
    # The two maxima that decide what the next bid does, so that a bid reads one row whatever their number. Secret.
    # lead_bid names the leader's hold: it is their bid, or the void by which they came to lead again.
    lead_bid = models.UUIDField(null=True, blank=True)
    lead_rao = models.BigIntegerField(null=True, blank=True)
    lead_sequence = models.PositiveIntegerField(null=True, blank=True)
    second = models.UUIDField(null=True, blank=True)
    second_rao = models.BigIntegerField(null=True, blank=True)
    second_sequence = models.PositiveIntegerField(null=True, blank=True)
    # People appear in an auction as "bidder 1", "bidder 2": the leader's number, and how many there are.
    leader_place = models.PositiveIntegerField(null=True, blank=True)
    bidder_count = models.PositiveIntegerField(default=0)
    # Whose bids an operator took out. They stand on the row, whose lock a bid waits for: what is seen there is the newest.
    voided_bidders = ArrayField(models.UUIDField(), default=list, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Why an operator ended it; everybody reads it.
    called_off_reason = models.CharField(max_length=REASON_LENGTH_MAX, blank=True, default="")
    called_off_by = models.UUIDField(null=True, blank=True)

    class Meta:
        ordering = ["closes_at"]
        permissions = [
            ("void_bids", "Can take a bidder out of an auction"),
            ("call_off_auction", "Can call an auction off"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["netuid"],
                condition=Q(state__in=["open", "awaiting"]),
                name="marketplace_auction_one_live_per_subnet",
            ),
            models.CheckConstraint(
                condition=Q(start_rao__gt=0), name="marketplace_auction_starts_above_zero"
            ),
            models.CheckConstraint(
                condition=Q(reserve_rao__isnull=True) | Q(reserve_rao__gte=F("start_rao")),
                name="marketplace_auction_reserve_is_not_below_start",
            ),
            models.CheckConstraint(
                condition=Q(scheduled_close_at__gt=F("opens_at"))
                & Q(closes_at__gte=F("scheduled_close_at")),
                name="marketplace_auction_closes_after_opening",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "awaiting"], ended_at__isnull=True)
                | Q(~Q(state__in=["open", "awaiting"]), ended_at__isnull=False),
                name="marketplace_auction_ended_has_ended_at",
            ),
            models.CheckConstraint(
                condition=Q(state="awaiting", due_at__isnull=False) | ~Q(state="awaiting"),
                name="marketplace_auction_awaiting_has_due_at",
            ),
            models.CheckConstraint(
                condition=Q(
                    format="dutch",
                    floor_rao__isnull=False,
                    half_life_s__gt=0,
                    floor_rao__gt=0,
                    floor_rao__lt=F("start_rao"),
                )
                | Q(~Q(format="dutch"), floor_rao__isnull=True, half_life_s__isnull=True),
                name="marketplace_auction_falls_only_where_dutch",
            ),
            models.CheckConstraint(
                condition=Q(buy_now_rao__isnull=True)
                | Q(format="english", buy_now_rao__gt=F("start_rao")),
                name="marketplace_auction_buy_now_is_above_an_english_start",
            ),
            models.CheckConstraint(
                condition=Q(reserve_rao__isnull=True) | Q(format__in=["english", "sealed"]),
                name="marketplace_auction_reserve_is_for_bids",
            ),
            models.CheckConstraint(
                condition=Q(backing="full", deposit_bps__isnull=True, pay_within_s__isnull=True)
                | Q(
                    backing="deposit",
                    format="english",
                    deposit_bps__gt=0,
                    deposit_bps__lte=10_000,
                    pay_within_s__gt=0,
                ),
                name="marketplace_auction_deposit_has_a_share_and_a_term",
            ),
            models.CheckConstraint(
                condition=Q(fee_bps__lte=10_000 - F("royalty_bps")),
                name="marketplace_auction_fee_and_royalty_leave_a_price",
            ),
            models.CheckConstraint(
                condition=Q(leader__isnull=True, price_rao__isnull=True)
                | Q(leader__isnull=False, price_rao__isnull=False),
                name="marketplace_auction_leader_has_a_price",
            ),
            models.CheckConstraint(
                condition=Q(called_off_reason="", called_off_by__isnull=True)
                | Q(~Q(called_off_reason=""), called_off_by__isnull=False, state="cancelled"),
                name="marketplace_auction_called_off_is_cancelled_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(second__isnull=True) | Q(second_rao__lte=F("lead_rao")),
                name="marketplace_auction_second_is_not_above_the_lead",
            ),
        ]
        indexes = [
            models.Index(
                fields=["closes_at"], condition=Q(state="open"), name="marketplace_auction_due"
            ),
            models.Index(
                fields=["ended_at"],
                condition=Q(ended_at__isnull=False),
                name="marketplace_auction_ended",
            ),
            models.Index(
                fields=["due_at"], condition=Q(state="awaiting"), name="marketplace_auction_unpaid"
            ),
        ]

    def __str__(self) -> str:
        return f"auction of subnet {self.netuid}"

    @property
    def shut_at(self) -> datetime:
        """Return from when on nothing is taken: its end, which is settled a moment later, or an earlier one."""
        return min(self.ended_at or self.closes_at, self.closes_at)


class Bid(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    auction = models.ForeignKey(Auction, on_delete=models.PROTECT, related_name="bids")
    bidder = models.UUIDField(db_index=True)
    key = models.CharField(max_length=200, unique=True)
    sequence = models.PositiveIntegerField()
    place = models.PositiveIntegerField()
    """The number under which the bidder appears: the how-manieth of the auction's bidders they were."""
    max_rao = models.BigIntegerField()
    price_rao = models.BigIntegerField()
    leader = models.UUIDField()
    closes_at = models.DateTimeField()
    placed_at = models.DateTimeField()

    class Meta:
        ordering = ["auction_id", "sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["auction", "sequence"], name="marketplace_bid_sequence_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(max_rao__gt=0) & Q(price_rao__gt=0),
                name="marketplace_bid_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(place__gte=1) & Q(place__lte=F("sequence")),
                name="marketplace_bid_place_is_within_its_sequence",
            ),
        ]
        indexes = [
            models.Index(
                fields=["auction", "bidder", "-sequence"], name="marketplace_bid_of_bidder"
            ),
            # For the sweep that tells who was outbid: it reads the newest bids, never an auction's.
            models.Index(fields=["placed_at"], name="marketplace_bid_newest"),
        ]
        triggers = [Refuse(name="bids_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"bid {self.sequence} on {self.auction_id}"

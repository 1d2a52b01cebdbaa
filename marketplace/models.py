"""People and what they buy.

User          somebody who signs in; their id is the `owner` of everything below the web
Auction       a subnet offered to the highest maximum, from opening to settlement
Bid           one accepted maximum: a fact; the standing is derived from all of them
Sale          a slot or a subnet that changed hands, at what price and fee: a fact
Deposit       a card top-up from quote to credit
WebhookEvent  what Stripe told, stored once, worked off later
"""

import uuid
from typing import Any, ClassVar

import pgtrigger
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone


class People(BaseUserManager["User"]):
    """How users are made; e-mail is the name."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":  # noqa: ANN401  any field of a user
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":  # noqa: ANN401  any field of a user
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, db_default=RandomUUID())
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    joined_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[People] = People()

    EMAIL_FIELD = USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"), name="marketplace_user_email_is_unique_in_any_case"
            ),
        ]

    def __str__(self) -> str:
        return self.email


class Auction(models.Model):
    class State(models.TextChoices):
        OPEN = "open", "Open"
        """Takes bids from `opens_at` until `closes_at`."""
        SETTLED = "settled", "Sold"
        """Ended with a winner; price and ownership changed hands."""
        UNSOLD = "unsold", "Unsold"
        """Ended without a bid, or below the reserve; every hold was released."""
        CANCELLED = "cancelled", "Cancelled"
        """Withdrawn by the seller before the first bid, or voided by an operator."""

    TRANSITIONS = {
        State.OPEN: {State.SETTLED, State.UNSOLD, State.CANCELLED},
        State.SETTLED: set(),
        State.UNSOLD: set(),
        State.CANCELLED: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    netuid = models.PositiveSmallIntegerField()
    seller = models.UUIDField(db_index=True)
    key = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    start_rao = models.BigIntegerField()
    reserve_rao = models.BigIntegerField(null=True, blank=True)
    increments = models.JSONField()
    fee_bps = models.PositiveIntegerField()
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
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["closes_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["netuid"],
                condition=Q(state="open"),
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
                condition=Q(state="open", ended_at__isnull=True)
                | Q(~Q(state="open"), ended_at__isnull=False),
                name="marketplace_auction_ended_has_ended_at",
            ),
            models.CheckConstraint(
                condition=Q(leader__isnull=True, price_rao__isnull=True)
                | Q(leader__isnull=False, price_rao__isnull=False),
                name="marketplace_auction_leader_has_a_price",
            ),
        ]
        indexes = [
            models.Index(
                fields=["closes_at"], condition=Q(state="open"), name="marketplace_auction_due"
            ),
        ]

    def __str__(self) -> str:
        return f"auction of subnet {self.netuid}"


class Bid(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    auction = models.ForeignKey(Auction, on_delete=models.PROTECT, related_name="bids")
    bidder = models.UUIDField(db_index=True)
    key = models.CharField(max_length=200, unique=True)
    sequence = models.PositiveIntegerField()
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
        ]
        triggers = [
            pgtrigger.Protect(name="bids_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"bid {self.sequence} on {self.auction_id}"


class Sale(models.Model):
    class Kind(models.TextChoices):
        SLOT = "slot", "Free slot"
        """A free slot bought from the network at the lock cost."""
        AUCTION = "auction", "Auction"
        """An existing subnet won in an auction."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField(max_length=10, choices=Kind)
    key = models.CharField(max_length=200, unique=True)
    auction = models.OneToOneField(
        Auction, on_delete=models.PROTECT, related_name="sale", null=True, blank=True
    )
    netuid = models.PositiveSmallIntegerField()
    seller = models.UUIDField(null=True, blank=True, db_index=True)
    buyer = models.UUIDField(db_index=True)
    price_rao = models.BigIntegerField()
    fee_rao = models.BigIntegerField()
    # What the buyer of a slot agreed to pay at most: a repeated key is compared with it.
    max_cost_rao = models.BigIntegerField(null=True, blank=True)
    sold_at = models.DateTimeField()

    class Meta:
        ordering = ["-sold_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="auction", auction__isnull=False, seller__isnull=False)
                | Q(kind="slot", auction__isnull=True, seller__isnull=True),
                name="marketplace_sale_kind_tells_its_seller",
            ),
            models.CheckConstraint(
                condition=Q(price_rao__gt=0, fee_rao__gte=0) & Q(fee_rao__lte=F("price_rao")),
                name="marketplace_sale_fee_is_part_of_the_price",
            ),
        ]
        indexes = [models.Index(fields=["netuid", "sold_at"], name="marketplace_sale_history")]
        triggers = [
            pgtrigger.Protect(name="sales_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"sale of subnet {self.netuid}"


class Deposit(models.Model):
    class State(models.TextChoices):
        CREATED = "created", "Waiting for payment"
        """The quote stands; the card page is open."""
        CREDITED = "credited", "Credited"
        """Stripe confirmed the payment; the TAO is in the wallet."""
        EXPIRED = "expired", "Expired"
        """The card page ran out unpaid."""

    TRANSITIONS = {
        State.CREATED: {State.CREDITED, State.EXPIRED},
        # A payment that arrives after the expiry notice is still money received.
        State.EXPIRED: {State.CREDITED},
        State.CREDITED: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner = models.UUIDField(db_index=True)
    key = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.CREATED)
    amount_cents = models.PositiveIntegerField()
    credit_rao = models.BigIntegerField()
    session_id = models.CharField(max_length=200, unique=True, null=True, blank=True)
    checkout_url = models.TextField(blank=True)
    created_at = models.DateTimeField()
    credited_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="credited", credited_at__isnull=False)
                | Q(~Q(state="credited"), credited_at__isnull=True),
                name="marketplace_deposit_credited_has_credited_at",
            ),
            models.CheckConstraint(
                condition=Q(amount_cents__gt=0, credit_rao__gt=0),
                name="marketplace_deposit_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"deposit {self.id}"


class WebhookEvent(models.Model):
    id = models.CharField(max_length=200, primary_key=True)
    type = models.CharField(max_length=100)
    payload = models.JSONField()
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["received_at"],
                condition=Q(processed_at__isnull=True),
                name="marketplace_webhook_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

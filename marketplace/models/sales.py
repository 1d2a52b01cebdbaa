"""What changed hands."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import F, Q

from ledger.triggers import Refuse
from marketplace.models.auctions import Auction
from marketplace.models.offers import Offer


class Sale(models.Model):
    class Kind(models.TextChoices):
        SLOT = "slot", "Free slot"
        """A free slot bought from the network at the lock cost."""
        AUCTION = "auction", "Auction"
        """An existing subnet won in an auction."""
        OFFER = "offer", "Offer"
        """An existing subnet sold for what two people agreed on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField(max_length=10, choices=Kind)
    key = models.CharField(max_length=200, unique=True)
    auction = models.OneToOneField(
        Auction, on_delete=models.PROTECT, related_name="sale", null=True, blank=True
    )
    offer = models.OneToOneField(
        Offer, on_delete=models.PROTECT, related_name="sale", null=True, blank=True
    )
    netuid = models.PositiveSmallIntegerField()
    seller = models.UUIDField(null=True, blank=True, db_index=True)
    buyer = models.UUIDField(db_index=True)
    price_rao = models.BigIntegerField()
    fee_rao = models.BigIntegerField()
    # To whoever registered the slot first, when somebody else sells it on.
    royalty_rao = models.BigIntegerField(default=0)
    # What the buyer of a slot, or at a price, agreed to pay at most: a repeated key is compared with it.
    max_cost_rao = models.BigIntegerField(null=True, blank=True)
    sold_at = models.DateTimeField()

    class Meta:
        ordering = ["-sold_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind="auction",
                    auction__isnull=False,
                    offer__isnull=True,
                    seller__isnull=False,
                )
                | Q(
                    kind="offer",
                    auction__isnull=True,
                    offer__isnull=False,
                    seller__isnull=False,
                )
                | Q(
                    kind="slot",
                    auction__isnull=True,
                    offer__isnull=True,
                    seller__isnull=True,
                ),
                name="marketplace_sale_kind_tells_its_seller",
            ),
            models.CheckConstraint(
                condition=Q(price_rao__gt=0, fee_rao__gte=0, royalty_rao__gte=0)
                & Q(fee_rao__lte=F("price_rao") - F("royalty_rao")),
                name="marketplace_sale_fee_and_royalty_are_part_of_the_price",
            ),
        ]
        indexes = [
            models.Index(fields=["netuid", "sold_at"], name="marketplace_sale_history"),
            models.Index(fields=["sold_at"], name="marketplace_sale_newest"),
        ]
        triggers = [Refuse(name="sales_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"sale of subnet {self.netuid}"

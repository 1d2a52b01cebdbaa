"""What goes over the wire about the marketplace. Input and output are separate; none of them saves."""

from rest_framework import serializers

from ledger.rest import RaoChangeField, RaoField
from ledger.rest.paging import Page, PageAsked
from marketplace.bidding import ReserveUnmetPolicy
from marketplace.clearing import Trouble
from marketplace.models import Auction
from marketplace.offering import STATEMENT_MAX, Backing, Format
from marketplace.queries import SORTS
from subnets.models import Blueprint

# In -----------------------------------------------------------------------------------------------


class BidInput(serializers.Serializer):
    max_rao = RaoField(min_rao=1)


class AuctionInput(serializers.Serializer):
    netuid = serializers.IntegerField(min_value=1, max_value=128)
    start_rao = RaoField(min_rao=1)
    duration_s = serializers.IntegerField(min_value=1)
    format = serializers.ChoiceField(Auction.Format.choices, default=Format.ENGLISH)
    reserve_rao = RaoField(
        min_rao=1, allow_null=True, default=None, help_text="Below it there is no sale."
    )
    reserve_policy = serializers.ChoiceField(
        Auction.ReservePolicy.choices, default=ReserveUnmetPolicy.INCREMENTS
    )
    buy_now_rao = RaoField(
        min_rao=1,
        allow_null=True,
        default=None,
        help_text="english: sells at once until the first bid, or until the reserve is met.",
    )
    floor_rao = RaoField(
        min_rao=1, allow_null=True, default=None, help_text="dutch: where the price ends."
    )
    half_life_s = serializers.IntegerField(
        min_value=1,
        allow_null=True,
        default=None,
        help_text="dutch: after each such time the price falls half as fast; it reaches its floor at the close.",
    )
    backing = serializers.ChoiceField(Auction.Backing.choices, default=Backing.FULL)
    deposit_bps = serializers.IntegerField(
        min_value=1, allow_null=True, default=None, help_text="deposit: the share that is held."
    )
    pay_within_s = serializers.IntegerField(
        min_value=1, allow_null=True, default=None, help_text="deposit: how long the winner has."
    )
    opens_at = serializers.DateTimeField(
        allow_null=True, default=None, help_text="null opens at once."
    )
    statement = serializers.CharField(
        allow_blank=True,
        default="",
        max_length=STATEMENT_MAX,
        help_text="Your own words; the house does not check them.",
    )

    def validate_format(self, value: str) -> Format:
        """Return the house's word for a format."""
        return Format(value)

    def validate_reserve_policy(self, value: str) -> ReserveUnmetPolicy:
        """Return the house's word for a policy."""
        return ReserveUnmetPolicy(value)

    def validate_backing(self, value: str) -> Backing:
        """Return the house's word for a backing."""
        return Backing(value)


class TakeInput(serializers.Serializer):
    max_price_rao = RaoField(min_rao=1, help_text="The most you would pay; the price you saw.")


class AuctionsAsked(PageAsked):
    state = serializers.ChoiceField(Auction.State.choices, required=False)
    netuid = serializers.IntegerField(required=False)
    sort = serializers.ChoiceField(sorted(SORTS), default="closing")


class SalesAsked(PageAsked):
    netuid = serializers.IntegerField(min_value=1, max_value=128, required=False)


class SlotInput(serializers.Serializer):
    name = serializers.CharField(max_length=60)
    summary = serializers.CharField(max_length=200)
    blueprint = serializers.ChoiceField(Blueprint.choices)
    max_cost_rao = RaoField(min_rao=1)


class DepositInput(serializers.Serializer):
    amount_cents = serializers.IntegerField(min_value=1)


# Out ----------------------------------------------------------------------------------------------


class NetworkOutput(serializers.Serializer):
    receiver = serializers.CharField(help_text="The address that signed requests are made for.")
    gateways = serializers.ListField(
        child=serializers.URLField(),
        help_text="Where models are served: consumers call `/v1/` of any, miners open a tunnel to each.",
    )
    block = serializers.IntegerField()
    block_ms = serializers.IntegerField()
    emission_per_block_rao = RaoField()
    issued_rao = RaoField()
    subnet_count = serializers.IntegerField()
    free_slot_count = serializers.IntegerField()
    lock_cost_rao = RaoField()
    slot_premium_rao = RaoField(
        help_text="What a free slot costs above the lock cost now; it falls to 0 at `slot_premium_ends_at`."
    )
    slot_premium_ends_at = serializers.DateTimeField(allow_null=True)
    machine_count = serializers.IntegerField()
    gpu_count = serializers.IntegerField()
    jobs_verified_count = serializers.IntegerField()
    epochs_paid_count = serializers.IntegerField()
    paid_out_rao = RaoField()
    auctions_settled_count = serializers.IntegerField()
    auctions_open_count = serializers.IntegerField()
    sales_volume_rao = RaoField()
    energy_days = serializers.IntegerField(
        help_text="How many days, the running one included, the three figures of energy are of."
    )
    energy_machine_count = serializers.IntegerField(
        help_text="Machines that said what they used; nobody checks what they say."
    )
    energy_kwh = serializers.FloatField(
        allow_null=True, help_text="What these used together; null where nothing was measured."
    )
    jobs_verified_per_kwh = serializers.FloatField(
        allow_null=True,
        help_text="Of jobs on machines and days that were measured; null where nothing was.",
    )
    is_balanced = serializers.BooleanField()
    server_now = serializers.DateTimeField()


class AuctionOutput(serializers.Serializer):
    id = serializers.UUIDField()
    netuid = serializers.IntegerField()
    subnet_name = serializers.CharField()
    seller = serializers.UUIDField()
    state = serializers.CharField(help_text="open, awaiting, settled, unsold or cancelled.")
    format = serializers.ChoiceField(Auction.Format.choices)
    start_rao = RaoField()
    price_rao = RaoField(
        allow_null=True,
        help_text="What the leader, or the first to take it, would pay at `server_now`; null before the first bid.",
    )
    min_next_rao = RaoField(allow_null=True, help_text="null where no bids are taken.")
    buy_now_rao = RaoField(allow_null=True, help_text="null once it is off the table.")
    floor_rao = RaoField(
        allow_null=True, help_text="dutch: where the price ends, at `closes_at` exactly."
    )
    half_life_s = serializers.IntegerField(
        allow_null=True,
        help_text="dutch: after each such time the price falls half as fast; it reaches its floor at the close.",
    )
    backing = serializers.ChoiceField(Auction.Backing.choices)
    deposit_bps = serializers.IntegerField(allow_null=True)
    pay_within_s = serializers.IntegerField(allow_null=True)
    due_at = serializers.DateTimeField(
        allow_null=True, help_text="Until when it has to be paid; null where nobody has to pay."
    )
    has_reserve = serializers.BooleanField()
    reserve_met = serializers.BooleanField()
    reserve_policy = serializers.ChoiceField(Auction.ReservePolicy.choices)
    leader_alias = serializers.CharField(allow_null=True)
    bid_count = serializers.IntegerField()
    opens_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()
    fee_bps = serializers.IntegerField()
    royalty_bps = serializers.IntegerField()
    called_off_reason = serializers.CharField(
        help_text="What an operator said who called it off; empty otherwise."
    )
    server_now = serializers.DateTimeField()


class AuctionsOutput(Page):
    results = AuctionOutput(many=True)


class BidLineOutput(serializers.Serializer):
    sequence = serializers.IntegerField()
    alias = serializers.CharField()
    price_rao = RaoField(help_text="The price this bid made; maxima stay secret.")
    placed_at = serializers.DateTimeField()
    is_yours = serializers.BooleanField()
    is_void = serializers.BooleanField(
        help_text="An operator took the bidder out; the bid counts no more."
    )


class SaleOutput(serializers.Serializer):
    id = serializers.UUIDField()
    kind = serializers.CharField(
        help_text="slot: bought from the network; else how the owner sold."
    )
    netuid = serializers.IntegerField()
    subnet_name = serializers.CharField()
    auction_id = serializers.UUIDField(allow_null=True)
    price_rao = RaoField()
    fee_rao = RaoField(help_text="The marketplace's part of the price.")
    royalty_rao = RaoField(help_text="The part of whoever registered the slot.")
    sold_at = serializers.DateTimeField()


class SalesOutput(Page):
    results = SaleOutput(many=True)


class BidsOutput(Page):
    results = BidLineOutput(many=True)


class PlacedOutput(serializers.Serializer):
    bid_id = serializers.UUIDField()
    is_leading = serializers.BooleanField()
    price_rao = RaoField()
    min_next_rao = RaoField()
    closes_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class TakenOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    price_rao = RaoField()
    sold_at = serializers.DateTimeField()


class BoughtOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    cost_rao = RaoField(source="price_rao")


class WalletOutput(serializers.Serializer):
    posted_rao = RaoField()
    held_rao = RaoField()
    available_rao = RaoField()
    withdrawable_rao = RaoField(help_text="What of it may leave now.")
    restricted_rao = RaoField(help_text="What a card paid for and has not cleared.")
    restricted_until = serializers.DateTimeField(
        allow_null=True, help_text="When the last of it clears; null while a payment is disputed."
    )
    kept_rao = RaoField(help_text="Under lien while a card payment is disputed.")
    owed_rao = RaoField(help_text="Owed for card payments that were taken back.")


class StatementLineOutput(serializers.Serializer):
    id = serializers.IntegerField()
    entry = serializers.IntegerField(help_text="The entry it belongs to, for its receipt.")
    at = serializers.DateTimeField()
    code = serializers.CharField()
    change_rao = RaoChangeField()
    balance_rao = RaoField()
    counterpart = serializers.CharField()
    note = serializers.CharField()


class StatementOutput(Page):
    results = StatementLineOutput(many=True)


class DepositOutput(serializers.Serializer):
    id = serializers.UUIDField()
    state = serializers.CharField()
    amount_cents = serializers.IntegerField()
    credit_rao = RaoField()
    checkout_url = serializers.CharField()
    trouble = serializers.ChoiceField(choices=[trouble.value for trouble in Trouble])
    refunded_cents = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Until when the quote stands.")
    credited_at = serializers.DateTimeField(allow_null=True)

"""What goes over the wire about offers. Input and output are separate; none of them saves."""

from rest_framework import serializers

from ledger.rest import RaoField
from ledger.rest.paging import Page, PageAsked
from marketplace.models import OfferMove
from marketplace.negotiating import VALID_S_MAX, VALID_S_MIN
from marketplace.operations.offers import MESSAGE_LENGTH_MAX

# In -----------------------------------------------------------------------------------------------


class MessageInput(serializers.Serializer):
    message = serializers.CharField(
        max_length=MESSAGE_LENGTH_MAX, required=False, allow_blank=True, default=""
    )


class FigureInput(MessageInput):
    amount_rao = RaoField(min_rao=1)
    valid_s = serializers.IntegerField(
        min_value=VALID_S_MIN, max_value=VALID_S_MAX, help_text="For how long it is good, from now."
    )


class OfferInput(FigureInput):
    netuid = serializers.IntegerField(min_value=1, max_value=128)


class AcceptInput(serializers.Serializer):
    expected_amount_rao = RaoField(
        source="expected_rao",
        help_text="The figure you saw; if another is on the table, nothing is sold.",
    )


class OffersAsked(PageAsked):
    side = serializers.ChoiceField(
        OfferMove.Side.choices,
        required=False,
        help_text="The side you are on; both where left out.",
    )
    netuid = serializers.IntegerField(min_value=1, max_value=128, required=False)


# Out ----------------------------------------------------------------------------------------------


class OfferOutput(serializers.Serializer):
    id = serializers.UUIDField()
    netuid = serializers.IntegerField()
    subnet_name = serializers.CharField()
    side = serializers.CharField(help_text="Yours: buyer or owner.")
    buyer = serializers.UUIDField()
    owner = serializers.UUIDField()
    state = serializers.CharField(
        help_text="owners_turn, buyers_turn, accepted, declined, withdrawn, expired or superseded."
    )
    amount_rao = RaoField(help_text="The figure on the table.")
    expires_at = serializers.DateTimeField(help_text="When that figure lapses.")
    promised_rao = RaoField(help_text="The buyer's own newest amount.")
    promised_until = serializers.DateTimeField()
    held_rao = RaoField(
        help_text="What is set aside of the buyer's wallet; 0 once the offer ended."
    )
    fee_bps = serializers.IntegerField()
    royalty_bps = serializers.IntegerField()
    made_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    acts = serializers.ListField(
        child=serializers.CharField(),
        help_text="What you may do now: accept, counter, decline, withdraw.",
    )


class OffersOutput(Page):
    results = OfferOutput(many=True)


class OfferMoveOutput(serializers.Serializer):
    sequence = serializers.IntegerField()
    side = serializers.CharField()
    act = serializers.CharField(help_text="offer, counter, accept, decline or withdraw.")
    amount_rao = RaoField()
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="Until when a named figure was good; null for an answer."
    )
    message = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class NegotiationOutput(serializers.Serializer):
    offer = OfferOutput()
    moves = OfferMoveOutput(many=True)

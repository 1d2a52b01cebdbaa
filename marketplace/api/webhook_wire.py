"""What goes over the wire about webhook endpoints. Input and output are separate; none of them saves."""

from rest_framework import serializers

from ledger.rest.paging import Page
from marketplace import notices
from marketplace.models import Delivery, WebhookEndpoint
from marketplace.queries import notice_line

URL_LENGTH_MAX = 500
SWITCHED = [WebhookEndpoint.State.ENABLED.value, WebhookEndpoint.State.DISABLED.value]


class KindsField(serializers.ListField):
    """Kinds of notices by their words."""

    child = serializers.ChoiceField(notices.WORDS)


class EndpointInput(serializers.Serializer):
    url = serializers.CharField(
        max_length=URL_LENGTH_MAX, help_text="A public https:// address that takes POST requests."
    )
    kinds = KindsField(
        default=list, max_length=len(notices.KINDS), help_text="What goes there; empty: all."
    )


class EndpointChange(serializers.Serializer):
    state = serializers.ChoiceField(SWITCHED, required=False)
    kinds = KindsField(required=False, max_length=len(notices.KINDS))


class EndpointOutput(serializers.Serializer):
    id = serializers.UUIDField()
    url = serializers.CharField()
    kinds = serializers.ListField(child=serializers.CharField(), help_text="Empty: all.")
    state = serializers.ChoiceField(SWITCHED)
    reason = serializers.CharField(help_text="Why it is off, where it is.")
    created_at = serializers.DateTimeField()


class EndpointsOutput(serializers.Serializer):
    results = EndpointOutput(many=True)


class RegisteredOutput(serializers.Serializer):
    endpoint = EndpointOutput()
    secret = serializers.CharField(
        help_text="Checks the signatures (Standard Webhooks). It is shown in this answer alone."
    )


class DeliveryOutput(serializers.Serializer):
    id = serializers.UUIDField(help_text="The header webhook-id, the same at every attempt.")
    type = serializers.SerializerMethodField(help_text="Such as auction.outbid; `test` for a test.")
    notice_id = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(Delivery.State.choices)
    attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    next_at = serializers.DateTimeField(help_text="When it goes out, while it waits.")
    tried_at = serializers.DateTimeField(allow_null=True)
    status = serializers.IntegerField(allow_null=True, help_text="What the receiver answered.")
    answer = serializers.CharField(help_text="The beginning of what it said.")
    fault = serializers.CharField(help_text="Why there was no answer, where there was none.")
    took_ms = serializers.IntegerField(allow_null=True)

    def get_type(self, row: Delivery) -> str:
        """Return the event type."""
        return notice_line(row.notice).type if row.notice else "test"


class DeliveriesOutput(Page):
    results = DeliveryOutput(many=True)

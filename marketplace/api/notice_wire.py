"""What goes over the wire about the watchlist and notices. Input and output are separate; none of them saves."""

from rest_framework import serializers

from ledger.rest.paging import Page, PageAsked
from marketplace import notices
from marketplace.queries import NOTICES_MAX


class NoticesAsked(PageAsked):
    unread = serializers.BooleanField(required=False, default=False)


class ReadInput(serializers.Serializer):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1), required=False, max_length=NOTICES_MAX
    )
    until = serializers.IntegerField(
        required=False, min_value=1, help_text="This notice and all before it."
    )


class ChoiceInput(serializers.Serializer):
    kind = serializers.ChoiceField(notices.WORDS)
    by_email = serializers.BooleanField()
    by_webhook = serializers.BooleanField()


class ChoicesInput(serializers.Serializer):
    results = ChoiceInput(many=True, allow_empty=False)


class WatchOutput(serializers.Serializer):
    netuid = serializers.IntegerField()


class WatchlistOutput(serializers.Serializer):
    results = WatchOutput(many=True)


class NoticeOutput(serializers.Serializer):
    id = serializers.IntegerField()
    type = serializers.CharField(help_text="Such as auction.outbid; a webhook's event type.")
    sentence = serializers.CharField()
    path = serializers.CharField(help_text="Where on the site it leads.")
    netuid = serializers.IntegerField(allow_null=True)
    auction_id = serializers.UUIDField(allow_null=True)
    facts = serializers.DictField(
        source="data", help_text="The figures of the sentence; rao as decimal strings."
    )
    happened_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class NoticesOutput(Page):
    results = NoticeOutput(many=True)


class ReadOutput(serializers.Serializer):
    read_count = serializers.IntegerField()


class ChoiceOutput(serializers.Serializer):
    kind = serializers.CharField()
    meaning = serializers.CharField(source="label")
    by_email = serializers.BooleanField()
    by_webhook = serializers.BooleanField()


class ChoicesOutput(serializers.Serializer):
    results = ChoiceOutput(many=True)

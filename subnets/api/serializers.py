"""What goes over the wire about subnets. Input and output are separate; none of them saves."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ledger.rest import RaoField
from subnets.models import Blueprint, Epoch, Subnet
from subnets.operations.keys import NAME_MAX
from subnets.queries.finding import SORTS
from subnets.queries.neurons import PAGE_MAX
from subnets.searching import QUERY_LENGTH_MAX


class LinkInput(serializers.Serializer):
    code = serializers.CharField(max_length=43)
    name = serializers.CharField(max_length=NAME_MAX)


class ChallengeOutput(serializers.Serializer):
    code = serializers.CharField()
    expires_at = serializers.DateTimeField()


class HotkeyOutput(serializers.Serializer):
    hotkey = serializers.CharField(source="ss58")
    owner = serializers.UUIDField()
    name = serializers.CharField()


class RegisterInput(serializers.Serializer):
    max_burn_rao = RaoField()


class RegistrationOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    uid = serializers.IntegerField()
    burn_rao = RaoField()


class StakeInput(serializers.Serializer):
    amount_rao = RaoField(min_rao=1)


class StakeOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    hotkey = serializers.CharField()
    stake_rao = RaoField()


class SubnetRowOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    name = serializers.CharField()
    summary = serializers.CharField()
    blueprint = serializers.CharField()
    owner = serializers.UUIDField()
    neuron_count = serializers.IntegerField()
    stake_rao = RaoField()
    emission_rao = RaoField()
    epoch_number = serializers.IntegerField()


class SubnetsOutput(serializers.Serializer):
    results = SubnetRowOutput(many=True)


class SubnetOutput(serializers.ModelSerializer):
    burn_rao = serializers.SerializerMethodField()
    pending_rao = serializers.SerializerMethodField()

    class Meta:
        model = Subnet
        fields = [
            "netuid",
            "name",
            "summary",
            "description",
            "repository_url",
            "blueprint",
            "owner",
            "hyperparameters",
            "emission_enabled",
            "pending_rao",
            "burn_rao",
            "last_epoch_block",
            "next_epoch_block",
            "registered_at",
            "registered_block",
        ]

    @extend_schema_field(RaoField)
    def get_burn_rao(self, subnet: Subnet) -> str:
        """Return what a uid costs at the block of the answer."""
        return str(self.context["burn_rao"])

    @extend_schema_field(RaoField)
    def get_pending_rao(self, subnet: Subnet) -> str:
        """Return what waits for the running epoch at the block of the answer."""
        return str(self.context["pending_rao"])


class MetagraphRowOutput(serializers.Serializer):
    uid = serializers.IntegerField()
    hotkey = serializers.CharField()
    name = serializers.CharField()
    owner = serializers.UUIDField()
    stake_rao = RaoField()
    has_permit = serializers.BooleanField()
    consensus_u16 = serializers.IntegerField()
    incentive_u16 = serializers.IntegerField()
    dividends_u16 = serializers.IntegerField()
    validator_trust_u16 = serializers.IntegerField()
    last_payout_rao = RaoField()
    registered_block = serializers.IntegerField()


class MetagraphOutput(serializers.Serializer):
    results = MetagraphRowOutput(many=True)


class EpochOutput(serializers.Serializer):
    netuid = serializers.IntegerField(source="subnet_id")
    number = serializers.IntegerField()
    start_block = serializers.IntegerField()
    end_block = serializers.IntegerField()
    closed_at = serializers.DateTimeField()
    rule_version = serializers.IntegerField(source="rule.version")
    rule_fault = serializers.CharField()
    emission_rao = RaoField()
    owner_rao = RaoField()
    miners_rao = RaoField()
    validators_rao = RaoField()
    burned_rao = RaoField()
    digest = serializers.CharField()
    bundle_url = serializers.SerializerMethodField()

    def get_bundle_url(self, epoch: Epoch) -> str:
        """Return where the public bundle lies."""
        return f"/api/v1/subnets/{epoch.subnet_id}/epochs/{epoch.number}/bundle.json"


class SubnetsAsked(serializers.Serializer):
    q = serializers.CharField(
        max_length=QUERY_LENGTH_MAX,
        default="",
        allow_blank=True,
        source="search",
        help_text='Words, which may be mistyped, or a number: "embedings", "sn 7".',
    )
    blueprint = serializers.ChoiceField(Blueprint.choices, default="", allow_blank=True)
    sort = serializers.ChoiceField(
        SORTS, default="", allow_blank=True, help_text="Left out: best match, else by number."
    )


class EpochsAsked(serializers.Serializer):
    netuid = serializers.IntegerField(min_value=1, max_value=128, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=PAGE_MAX, default=20)
    before = serializers.UUIDField(required=False, help_text="From `next`: where a page ended.")


class EpochsOutput(serializers.Serializer):
    results = EpochOutput(many=True)
    next = serializers.URLField(allow_null=True, help_text="The page of older epochs.")

"""Why a neuron was paid what it was, over REST: public as soon as its epoch has closed, like the bundle."""

from typing import Any

from django.core.cache import cache
from django.utils.cache import patch_cache_control
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger.rest import RaoField
from ledger.rest.scopes import Refusals
from subnets import explain, explain_words, queries
from subnets.errors import EpochUnknown, SubnetUnknown, UidUnknown
from subnets.limits import ExplanationThrottle

# The epoch never changes, but the code that tells it may be mended: nobody should keep its words for long.
KEPT_S = 3_600


class CountedOutput(serializers.Serializer):
    weight_u16 = serializers.IntegerField(help_text="As the rule gave it; the greatest is 65535.")
    weight_ppm = serializers.IntegerField(help_text="Its share of the validator's whole weight.")
    consensus_ppm = serializers.IntegerField(help_text="What a majority of stake supports.")
    clipped_ppm = serializers.IntegerField(help_text="The part above consensus, cut off.")


class GateOutput(serializers.Serializer):
    condition = serializers.CharField()
    is_passed = serializers.BooleanField()
    reason = serializers.CharField(help_text="Empty when the gate was passed.")


class MetricField(serializers.FloatField):
    """A metric as it was measured: a whole number stays one."""

    def to_representation(self, value: float) -> Any:  # noqa: ANN401  the stubs call it text
        """Write a count as 15, a share as 0.5."""
        return value if isinstance(value, int) else super().to_representation(value)


class ViewOutput(serializers.Serializer):
    uid = serializers.IntegerField()
    hotkey = serializers.CharField()
    stake_rao = RaoField()
    had_permit = serializers.BooleanField()
    is_active = serializers.BooleanField()
    has_stake = serializers.BooleanField()
    metrics = serializers.DictField(
        child=MetricField(), allow_null=True, help_text="Null when it sampled nothing."
    )
    gates = GateOutput(many=True)
    raw_score = serializers.FloatField(allow_null=True, help_text="Null: unsampled, or in error.")
    score_ppm = serializers.IntegerField()
    smoothed_ppm = serializers.IntegerField(help_text="0 without smoothing.")
    reasons = serializers.ListField(child=serializers.CharField())
    counted = CountedOutput()


class JudgementOutput(serializers.Serializer):
    uid = serializers.IntegerField()
    hotkey = serializers.CharField()
    counted = CountedOutput()
    bond_before_u16 = serializers.IntegerField()
    bond_u16 = serializers.IntegerField()


class BackerOutput(serializers.Serializer):
    owner = serializers.UUIDField()
    stake_rao = RaoField()
    paid_rao = RaoField()


class ExplanationOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    number = serializers.IntegerField()
    rule_version = serializers.IntegerField()
    rule_title = serializers.CharField()
    rule_fault = serializers.CharField()
    uid = serializers.IntegerField()
    hotkey = serializers.CharField()
    owner = serializers.UUIDField()
    stake_rao = RaoField()
    has_stake = serializers.BooleanField()
    had_permit = serializers.BooleanField()
    has_permit = serializers.BooleanField()
    is_active = serializers.BooleanField()
    consensus_ppm = serializers.IntegerField()
    incentive_ppm = serializers.IntegerField()
    miner_earned_rao = RaoField(help_text="Before anything was burned or withheld.")
    miner_burned_rao = RaoField(help_text="What the rule burned of it.")
    miner_withheld_rao = RaoField(help_text="Burned too: the neuron is the subnet owner's.")
    miner_rao = RaoField()
    views = ViewOutput(many=True, help_text="How each validator saw the miner.")
    validator_trust_ppm = serializers.IntegerField()
    dividends_ppm = serializers.IntegerField()
    validator_rao = RaoField()
    judgements = JudgementOutput(many=True, help_text="What the validator gave each miner.")
    backers = BackerOutput(many=True, help_text="Who shares the validator's pay.")
    sentences = serializers.ListField(
        child=serializers.CharField(), help_text="The same in plain words."
    )


class ExplanationView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ExplanationThrottle,)
    refusals: Refusals = {
        "GET": (
            SubnetUnknown,
            EpochUnknown,
            UidUnknown,
        )
    }

    @extend_schema(responses=ExplanationOutput)
    def get(self, request: Request, netuid: int, number: int, uid: int) -> Response:
        """Say why a neuron was paid what it was in a closed epoch."""
        answer = Response(explained(netuid, number, uid))
        patch_cache_control(answer, public=True, max_age=KEPT_S)
        return answer


def explained(netuid: int, number: int, uid: int) -> dict[str, Any]:
    """Return an explanation as it goes over the wire, computed once an hour at most.

    Raises: SubnetUnknown, EpochUnknown, UidUnknown.
    """
    epoch = queries.closed_epoch(netuid, number)
    if epoch is None:
        queries.subnet(netuid)  # says so when there is none
        raise EpochUnknown(netuid=netuid, number=number)
    key = f"explanation:{epoch.pk}:{uid}"
    kept: dict[str, Any] | None = cache.get(key)
    if kept is None:
        told = queries.explanation(netuid, number, uid)
        written = explain.as_json(told) | {"sentences": explain_words.sentences(told)}
        kept = dict(ExplanationOutput(written).data)
        cache.set(key, kept, KEPT_S)
    return kept

"""A subnet's rules over REST: their history, what changed from one to the next, and the check of a new one."""

import json
from urllib.parse import urlencode

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger.rest.scopes import Refusals, Scopes
from ledger.scopes import Scope
from subnets import queries, rule_trial
from subnets.api.views import PublicView
from subnets.errors import RuleEvaluatorUnavailable, RuleUnknown, SubnetUnknown
from subnets.limits import RuleCheckThrottle
from subnets.models import IncentiveRule
from subnets.queries.rules import HISTORY_MAX


class RuleOutput(serializers.ModelSerializer):
    class Meta:
        model = IncentiveRule
        fields = [
            "version",
            "state",
            "document",
            "digest",
            "published_at",
            "from_epoch",
            "restores",
        ]


class RulesOutput(serializers.Serializer):
    results = RuleOutput(many=True)
    next = serializers.URLField(allow_null=True, help_text="The page of older versions.")


class RulesAsked(serializers.Serializer):
    limit = serializers.IntegerField(min_value=1, max_value=HISTORY_MAX, default=HISTORY_MAX)
    before = serializers.IntegerField(
        min_value=1, required=False, help_text="Only versions older than this one."
    )


class ChangeOutput(serializers.Serializer):
    pointer = serializers.CharField(help_text="A JSON pointer into the document.")
    before = serializers.JSONField(help_text="Null where there was nothing.")
    after = serializers.JSONField(help_text="Null where there is nothing now.")
    words = serializers.CharField()


class RuleChangeOutput(serializers.Serializer):
    rule = RuleOutput()
    before_version = serializers.IntegerField(
        source="before.version",
        default=None,
        allow_null=True,
        help_text="What it is compared with.",
    )
    changes = ChangeOutput(many=True)


class RuleCheckInput(serializers.Serializer):
    document = serializers.JSONField()


class FindingOutput(serializers.Serializer):
    pointer = serializers.CharField()
    detail = serializers.CharField()


class RuleCheckOutput(serializers.Serializer):
    problems = FindingOutput(source="trial.problems", many=True)
    warnings = FindingOutput(source="trial.warnings", many=True)
    digest = serializers.CharField(help_text="Empty while there are problems.")


class RulesView(PublicView):
    refusals: Refusals = {"GET": (SubnetUnknown,)}

    @extend_schema(parameters=[RulesAsked], responses=RulesOutput)
    def get(self, request: Request, netuid: int) -> Response:
        """List the published versions of the incentive rule, newest first; drafts are the owner's own."""
        queries.subnet(netuid)
        asked = RulesAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        rows = queries.published_rules(netuid, **asked.validated_data)
        following = None
        if len(rows) == asked.validated_data["limit"] and rows[-1].version > 1:
            query = {**request.query_params.dict(), "before": rows[-1].version}
            following = request.build_absolute_uri(f"?{urlencode(query)}")
        return Response(RulesOutput({"results": rows, "next": following}).data)


class RuleView(PublicView):
    refusals: Refusals = {
        "GET": (
            SubnetUnknown,
            RuleUnknown,
        )
    }

    @extend_schema(responses=RuleChangeOutput)
    def get(self, request: Request, netuid: int, version: int) -> Response:
        """Return a published version and how it differs from the one before, in words and by pointers."""
        queries.subnet(netuid)
        return Response(RuleChangeOutput(queries.rule_change(netuid, version)).data)


class RuleCheckView(APIView):
    permission_classes = (IsAuthenticated,)
    scopes: Scopes = {"POST": Scope.TUNE}
    throttle_classes = (RuleCheckThrottle,)
    refusals: Refusals = {
        "POST": (
            SubnetUnknown,
            RuleEvaluatorUnavailable,
        )
    }

    @extend_schema(request=RuleCheckInput, responses=RuleCheckOutput)
    def post(self, request: Request, netuid: int) -> Response:
        """Try a rule on sample miners and those of the last epoch; nothing is saved."""
        queries.subnet(netuid)
        given = RuleCheckInput(data=request.data)
        given.is_valid(raise_exception=True)
        # As text again, so that a list or a number hears what any other document would.
        text = json.dumps(given.validated_data["document"])
        said = rule_trial.opinion(text, queries.last_miners(netuid))
        return Response(RuleCheckOutput(said).data)

"""Served models over REST: what they cost, what was used, and reports of bad answers. The gateway answers requests."""

from typing import Any, cast
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from compute import operations, queries, serving
from compute.api.views import SignedView, signed_caller
from compute.errors import (
    AnswerReported,
    ModelNameTaken,
    ModelTermsInvalid,
    NotAValidator,
    ReportUnknown,
    TooManyModels,
    TooManyReports,
    UsageUnknown,
)
from compute.models import AnswerReport, Usage
from compute.reporting import REASON_LENGTH_MAX, Standing
from compute.serving import Kind, ModelTerms
from ledger.rest import RaoField, paging
from ledger.rest.limits import PublicThrottle
from ledger.rest.paging import Page
from ledger.rest.scopes import Refusals, Scopes
from ledger.scopes import Scope
from subnets import queries as subnets
from subnets.errors import NotTheOwner, SubnetUnknown, TextRefused
from subnets.models import SUBNET_LIMIT

REPORTS_MAX = 50


class ModelInput(serializers.Serializer):
    name = serializers.CharField(max_length=serving.NAME_LENGTH_MAX)
    kind = serializers.ChoiceField([kind.value for kind in Kind], default=Kind.CHAT.value)
    context_tokens_max = serializers.IntegerField(min_value=1, max_value=serving.CONTEXT_TOKENS_MAX)
    output_tokens_max = serializers.IntegerField(min_value=0, max_value=serving.CONTEXT_TOKENS_MAX)
    input_rao_per_mtok = RaoField()
    output_rao_per_mtok = RaoField()
    free_tokens_per_day = serializers.IntegerField(
        min_value=0, max_value=serving.FREE_TOKENS_PER_DAY_MAX, default=0
    )
    is_open = serializers.BooleanField(default=True)


class ModelOutput(serializers.Serializer):
    name = serializers.CharField()
    netuid = serializers.IntegerField(source="subnet_id")
    kind = serializers.CharField()
    context_tokens_max = serializers.IntegerField()
    output_tokens_max = serializers.IntegerField()
    input_rao_per_mtok = RaoField(help_text="Of a million tokens of prompts.")
    output_rao_per_mtok = RaoField(help_text="Of a million tokens of answers.")
    free_tokens_per_day = serializers.IntegerField(help_text="For each account, by day in UTC.")
    is_open = serializers.BooleanField()
    changed_at = serializers.DateTimeField()


class ModelsOutput(serializers.Serializer):
    results = ModelOutput(many=True)


class UsageOutput(serializers.ModelSerializer):
    price_rao = RaoField()

    class Meta:
        model = Usage
        fields = [
            "id",
            "payer",
            "model",
            "netuid",
            "hotkey",
            "outcome",
            "prompt_tokens",
            "completion_tokens",
            "is_free",
            "price_rao",
            "attempts_count",
            "first_token_ms",
            "duration_ms",
            "began_at",
        ]


class UsagesOutput(Page):
    results = UsageOutput(many=True)


class ReportInput(serializers.Serializer):
    reason = serializers.CharField(max_length=REASON_LENGTH_MAX)
    shows_chat = serializers.BooleanField(
        default=False,
        help_text="Whether validators of the subnet may read the conversation, for seven days.",
    )


class ReportOutput(serializers.Serializer):
    usage_id = serializers.UUIDField()
    netuid = serializers.IntegerField()
    reason = serializers.CharField()
    reported_at = serializers.DateTimeField()
    standing = serializers.SerializerMethodField(help_text="What came of it so far.")

    @extend_schema_field(serializers.ChoiceField([each.value for each in Standing]))
    def get_standing(self, report: AnswerReport) -> str:
        return queries.standing_of(report).value


class ReportedChatOutput(serializers.Serializer):
    """A conversation that its consumer lets validators read; body and pieces are null once they are forgotten."""

    body = serializers.JSONField(allow_null=True, help_text="The request as the miner had it.")
    pieces = serializers.JSONField(allow_null=True, help_text="The answer as the miner signed it.")
    unchecked = serializers.CharField(help_text="Why nobody repeats it; empty where validators do.")
    forget_at = serializers.DateTimeField(allow_null=True)


class ReportLineOutput(ReportOutput):
    model = serializers.CharField(source="usage.model")
    hotkey = serializers.CharField(source="usage.hotkey", help_text="The miner who answered.")
    outcome = serializers.CharField(source="usage.outcome")
    answer_digest = serializers.CharField(source="usage.answer_digest")
    signature = serializers.CharField(source="usage.signature")
    began_at = serializers.DateTimeField(source="usage.began_at")
    chat = serializers.SerializerMethodField(help_text="Null where it is not to be shown.")

    @extend_schema_field(ReportedChatOutput(allow_null=True))
    def get_chat(self, report: AnswerReport) -> dict[str, Any] | None:
        shown = getattr(report, "chat", None)
        return None if shown is None else ReportedChatOutput(shown).data


class ReportsOutput(serializers.Serializer):
    results = ReportLineOutput(many=True)


class ReportsAsked(serializers.Serializer):
    netuid = serializers.IntegerField(min_value=1, max_value=SUBNET_LIMIT)
    limit = serializers.IntegerField(min_value=1, max_value=REPORTS_MAX, default=REPORTS_MAX)


class ModelsView(APIView):
    scopes: Scopes = {"GET": None, "PUT": Scope.TUNE}
    refusals: Refusals = {
        "GET": (SubnetUnknown,),
        "PUT": (SubnetUnknown, NotTheOwner, ModelTermsInvalid, ModelNameTaken, TooManyModels),
    }

    def get_permissions(self) -> list[BasePermission]:
        """Let everybody read prices."""
        return [AllowAny() if self.request.method in SAFE_METHODS else IsAuthenticated()]

    def get_throttles(self) -> list[Any]:
        """Count reads alone: a subnet has few models, and its owner alone writes."""
        return [PublicThrottle()] if self.request.method in SAFE_METHODS else []

    @extend_schema(responses=ModelsOutput)
    def get(self, request: Request, netuid: int) -> Response:
        """List the models of a subnet and what they cost, those that are closed too."""
        subnets.subnet(netuid)
        return Response(ModelsOutput({"results": queries.models_of(netuid)}).data)

    @extend_schema(request=ModelInput, responses=ModelOutput)
    def put(self, request: Request, netuid: int) -> Response:
        """Offer a model of your subnet at these terms, new or changed; the same again changes nothing."""
        given = ModelInput(data=request.data)
        given.is_valid(raise_exception=True)
        asked: dict[str, Any] = given.validated_data
        is_open = asked.pop("is_open")
        terms = ModelTerms(**asked | {"netuid": netuid, "kind": Kind(asked["kind"])})
        owner = cast(UUID, request.user.pk)
        model = operations.serve_model(
            owner=owner, terms=terms, is_open=is_open, now=timezone.now()
        )
        return Response(ModelOutput(model).data)


class UsagesView(APIView):
    permission_classes = (IsAuthenticated,)
    scopes: Scopes = {"GET": Scope.READ}

    @extend_schema(parameters=[paging.PageAsked], responses=UsagesOutput)
    def get(self, request: Request) -> Response:
        """List your requests to models, newest first; one is listed within a second of its end."""
        asked = paging.PageAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        window = paging.window(request, asked.validated_data, by=("-began_at", "id"))
        rows = queries.usages_of_owner(cast(UUID, request.user.pk), window=window)
        return paging.answer(request, window, rows, UsagesOutput)


class ReportView(APIView):
    permission_classes = (IsAuthenticated,)
    scopes: Scopes = {"GET": Scope.READ, "POST": Scope.WORK}
    refusals: Refusals = {
        "GET": (ReportUnknown,),
        "POST": (UsageUnknown, AnswerReported, TooManyReports, TextRefused),
    }

    @extend_schema(responses=ReportOutput)
    def get(self, request: Request, usage_id: UUID) -> Response:
        """Say what came of your report of an answer."""
        report = queries.report_of(usage_id, cast(UUID, request.user.pk))
        return Response(ReportOutput(report).data)

    @extend_schema(request=ReportInput, responses=ReportOutput)
    def post(self, request: Request, usage_id: UUID) -> Response:
        """Report a bad answer to the subnet's validators: your words, and the conversation if you let them read it."""
        given = ReportInput(data=request.data)
        given.is_valid(raise_exception=True)
        owner = cast(UUID, request.user.pk)
        operations.report_answer(
            usage_id=usage_id, owner=owner, now=timezone.now(), **given.validated_data
        )
        report = queries.report_of(usage_id, owner)
        return Response(ReportOutput(report).data)


class ReportsView(SignedView):
    refusals: Refusals = {
        "GET": (
            SubnetUnknown,
            NotAValidator,
        )
    }

    @extend_schema(parameters=[ReportsAsked], responses=ReportsOutput)
    def get(self, request: Request) -> Response:
        """List what consumers report of a subnet's answers, newest first, to the signing validator."""
        asked = ReportsAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        hotkey = signed_caller(request).hotkey
        rows = queries.reports_on(validator=hotkey, **asked.validated_data)
        return Response(ReportsOutput({"results": rows}).data)

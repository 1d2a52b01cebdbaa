"""A person's API keys over REST. Making one needs the password, so it is done on the site alone."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.rest import RaoField
from ledger.rest.scopes import Refusals, Scopes
from ledger.scopes import Scope
from marketplace import operations, queries
from marketplace.api.views import PersonView, person
from marketplace.errors import ApiKeyUnknown


class ApiKeyOutput(serializers.Serializer):
    id = serializers.CharField(help_text="The public part of the key, after snm_live_.")
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField([scope.value for scope in Scope]))
    networks = serializers.ListField(
        child=serializers.CharField(), help_text="Where it may be used from; empty: from anywhere."
    )
    spend_limit_rao = RaoField(
        allow_null=True,
        help_text="What models may cost it in a calendar month (UTC); null: no limit. Set on the site alone.",
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    revoked_at = serializers.DateTimeField(allow_null=True)


class ApiKeysOutput(serializers.Serializer):
    results = ApiKeyOutput(many=True)


class ApiKeysView(PersonView):
    @extend_schema(responses=ApiKeysOutput)
    def get(self, request: Request) -> Response:
        """List your API keys: those that are not revoked first, then the newest first."""
        rows = queries.api_keys_of(person(request).id)
        return Response(ApiKeysOutput({"results": rows}).data)


class ApiKeyView(PersonView):
    scopes: Scopes = {"DELETE": Scope.ACCOUNT}
    refusals: Refusals = {"DELETE": (ApiKeyUnknown,)}

    @extend_schema(request=None, responses={200: ApiKeyOutput})
    def delete(self, request: Request, key_id: str) -> Response:
        """Revoke an API key of yours, this one too. Again, and nothing changes."""
        row = operations.revoke_api_key(key_id=key_id, owner=person(request).id, now=timezone.now())
        return Response(ApiKeyOutput(row).data)

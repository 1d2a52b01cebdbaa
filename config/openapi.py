"""How the API describes itself: signed requests, problem documents, and one name per operation (docs/openapi.yaml)."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer
from rest_framework.permissions import SAFE_METHODS
from rest_framework.views import APIView

from config.problems import MEDIA_TYPE
from ledger.rest.scopes import scope_words, scopes_of
from marketplace.api.authentication import ApiKeyAuthentication
from neurons import protocol
from subnets.api.authentication import (
    HotkeyAuthentication,
    IsLinkedHotkey,
    NonceStoreUnavailable,
)
from subnets.errors import HotkeyNotLinked

# By the checks of neurons.protocol, and by the server's own of what was received before.
SIGNATURE_CODES = (
    "signature_missing",
    *sorted(one.code for one in protocol.AuthRefused.__subclasses__()),
    "replayed_request",
)


class Schema(AutoSchema):
    """Name a GET of rows a list, whatever its view is called."""

    def get_operation_id(self) -> str:
        """Return the operation's name: `auctions_list` beside `auctions_retrieve`."""
        name = str(super().get_operation_id())
        answer = self.get_response_serializers()
        has_rows = isinstance(answer, type) and "results" in getattr(answer(), "fields", ())
        return name.replace("_retrieve", "_list") if has_rows else name

    def _get_request_body(self, *args: Any) -> Any:  # noqa: ANN401  spectacular's own
        """Return what an operation takes, a DELETE that says so too: stake is taken back in parts."""
        method = self.method
        try:
            if method == "DELETE" and self.get_request_serializer() is not None:
                self.method = "POST"  # spectacular knows no DELETE that takes anything
            return super()._get_request_body(*args)  # type: ignore[no-untyped-call]
        finally:
            self.method = method

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:  # noqa: ANN401  spectacular's own
        """Return the operation with the scope that an API key needs for it, and the codes it may refuse with."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        if words := scope_words(self.view, self.method):
            operation["x-scope"] = words
        for status, codes in sorted(refusals_of(self.view, self.method, operation).items()):
            operation["responses"][str(status)] = refusal(sorted(codes))
        return operation


class SignedRequests(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its metaclass
    """Say what a signed request carries."""

    target_class = "subnets.api.authentication.HotkeyAuthentication"
    name = "btauth"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Return the scheme: one header stands for the five, as OpenAPI knows keys, not signatures."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": protocol.HEADER_SIGNATURE,
            "description": f"{protocol.PROTOCOL}, an sr25519 signature over the request: see docs/api.md.",
        }


class ApiKeys(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its metaclass
    """Say how a program of a person sends its key."""

    target_class = "marketplace.api.authentication.ApiKeyAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Return the scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "snm_live_<id>_<secret>",
            "description": "An API key of a person, made on the site; x-scope names what it needs.",
        }


@require_safe
def description(request: HttpRequest) -> HttpResponse:
    """Give the API's description, which is the same for everybody until the next release."""
    del request
    return HttpResponse(described(), content_type=OpenApiJsonRenderer.media_type)


@cache
def described() -> bytes:
    """Return the description as JSON, written once: it takes a sixth of a second of a processor, and anybody may ask."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return bytes(OpenApiJsonRenderer().render(schema))


def refusals_of(view: APIView, method: str, operation: dict[str, Any]) -> dict[int, set[str]]:
    """Return status → codes of an operation: the frame's by what it takes, and those the view names in `refusals`."""
    found: dict[int, set[str]] = {}
    for status, *codes in [*of_input(operation), *of_callers(view, method)]:
        found.setdefault(int(status), set()).update(map(str, codes))
    for refused in getattr(view, "refusals", {}).get(method, ()):
        found.setdefault(refused.http_status, set()).add(refused.code)
    return found


def of_input(operation: dict[str, Any]) -> Iterator[tuple[int | str, ...]]:
    """Yield status and codes that what an operation takes can bring about."""
    taken = {one["name"] for one in operation.get("parameters", []) if one["in"] != "path"}
    if len(taken) < len(operation.get("parameters", [])):
        yield 404, "not_found"  # what stands in the path is no id at all
    yield 406, "not_acceptable"
    if "requestBody" in operation:
        yield 400, "invalid_input", "parse_error", "repeated_name"
        yield 413, "body_too_large"
        yield 415, "unsupported_media_type"
    elif taken - {"Idempotency-Key", "If-Match"}:
        yield 400, "invalid_input"
    if "cursor" in taken:
        yield 400, "cursor_invalid"
    if "Idempotency-Key" in taken:
        yield 400, "idempotency_key_missing", "idempotency_key_invalid"
        yield 422, "idempotency_key_reused"
    if "If-Match" in taken:
        yield 412, "precondition_failed"


def of_callers(view: APIView, method: str) -> Iterator[tuple[int | str, ...]]:
    """Yield status and codes that who calls, and how often, can bring about."""
    if view.get_throttles():
        yield 429, "throttled"
    doors = view.get_authenticators()
    if any(isinstance(one, ApiKeyAuthentication) for one in doors):
        yield 401, "api_key_invalid", "api_key_expired", "api_key_revoked"
        yield 403, "api_key_address_refused"
        if scope_words(view, method):
            yield 403, "scope_missing"
        if method not in SAFE_METHODS or scopes_of(view).get(method) is not None:
            yield 401, "not_authenticated"
            yield 403, "permission_denied"
        yield 429, "throttled"  # an address that sends many wrong keys
    if any(isinstance(one, HotkeyAuthentication) for one in doors):
        yield 401, *SIGNATURE_CODES
        yield NonceStoreUnavailable.http_status, NonceStoreUnavailable.code
        if any(isinstance(one, IsLinkedHotkey) for one in view.get_permissions()):
            yield HotkeyNotLinked.http_status, HotkeyNotLinked.code


def refusal(codes: list[str]) -> dict[str, Any]:
    """Describe a refusal that carries one of some codes."""
    named = {"type": "object", "properties": {"code": {"type": "string", "enum": codes}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, named]}
    described = "Refused: " + ", ".join(f"`{code}`" for code in codes) + "."
    return {"description": described, "content": {MEDIA_TYPE: {"schema": schema}}}


def with_problems(result: dict[str, Any], **_options: object) -> dict[str, Any]:
    """Give every operation its refusal: a problem document (a post-processing hook of drf-spectacular)."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    other = {
        "description": "Any other refusal: a problem document. Its code says which, docs/api.md lists them.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = other
    return result


PROBLEM = {
    "type": "object",
    "description": "RFC 9457, with the stable code and the fields of the refusal beside it.",
    "required": ["type", "title", "status", "detail", "code"],
    "additionalProperties": True,
    "properties": {
        "type": {"type": "string", "example": "urn:problem:bid_too_low"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "example": "bid_too_low"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "example": "/max_rao"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}

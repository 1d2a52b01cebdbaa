"""How the API describes itself: signed requests, problem documents, and one name per operation (docs/openapi.yaml)."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from config.problems import MEDIA_TYPE
from ledger.rest.scopes import scopes_of
from neurons import protocol


class Schema(AutoSchema):
    """Name a GET of rows a list, whatever its view is called."""

    def get_operation_id(self) -> str:
        """Return the operation's name: `auctions_list` beside `auctions_retrieve`."""
        name = str(super().get_operation_id())
        answer = self.get_response_serializers()
        has_rows = isinstance(answer, type) and "results" in getattr(answer(), "fields", ())
        return name.replace("_retrieve", "_list") if has_rows else name

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:  # noqa: ANN401  spectacular's own
        """Return the operation with the scope that an API key needs for it."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        scope = scopes_of(self.view).get(self.method)
        if operation is not None and scope is not None:
            operation["x-scope"] = scope.value
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


def with_problems(result: dict[str, Any], **_options: object) -> dict[str, Any]:
    """Give every operation its refusal: a problem document (a post-processing hook of drf-spectacular)."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    refusal = {
        "description": "A refusal: a problem document. Its code says which, docs/api.md lists them.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = refusal
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

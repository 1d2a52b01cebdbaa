"""What Stripe checks in a request, and the shape of its refusals: the reading half of tests.stripe_server."""

import re
import uuid
from typing import Any
from urllib.parse import parse_qsl

Fields = dict[str, Any]

MIN_CENTS, MAX_CENTS = 50, 99_999_999  # Stripe's bounds of one charge in US dollars
MIN_LIFE_S, MAX_LIFE_S = 30 * 60, 24 * 3600  # Stripe's bounds of expires_at, from the creation
SESSION_PARAMS = {
    "mode", "client_reference_id", "customer_email", "line_items", "metadata", "payment_intent_data",
    "success_url", "cancel_url", "expires_at", "payment_method_types", "payment_method_options",
    "integration_identifier", "expand",
}  # fmt: skip


class Refusal(Exception):
    """An answer in Stripe's error shape."""

    def __init__(self, status: int, message: str, *, is_kept: bool = False, **fields: str) -> None:
        super().__init__(message)
        self.status = status
        self.is_kept = is_kept  # under the request's idempotency key
        self.body = {
            "error": {"type": "invalid_request_error", "message": message, **fields},
        }


def identifier(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"


def nested(form: str) -> Fields:
    """Read a[b][0][c]=1 as {"a": {"b": {"0": {"c": "1"}}}}; list positions stay keys."""
    tree: Fields = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        *path, last = re.findall(r"[^\[\]]+", name)
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = value
    return tree


def found(table: dict[str, Fields], id_: str, kind: str) -> Fields:
    if id_ not in table:
        raise Refusal(404, f"No such {kind}: '{id_}'", code="resource_missing", param="id")
    return table[id_]


def checked_amount(params: Fields) -> int:
    """Check a session's parameters as Stripe does; return the total in cents."""
    for name in params.keys() - SESSION_PARAMS:
        raise Refusal(
            400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name
        )
    for name in ("mode", "line_items", "success_url"):
        if name not in params:
            raise Refusal(
                400, f"Missing required param: {name}.", code="parameter_missing", param=name
            )
    if "@" not in params.get("customer_email", "@"):
        raise Refusal(400, "Invalid email address.", code="email_invalid", param="customer_email")
    cents = sum(
        int(line["quantity"]) * int(line["price_data"]["unit_amount"])
        for line in params["line_items"].values()
    )
    if cents < MIN_CENTS:
        raise Refusal(400, "The total is too small.", code="amount_too_small")
    if cents > MAX_CENTS:
        raise Refusal(400, "The total is too large.", code="amount_too_large")
    return cents


def public(fields: Fields) -> Fields:
    """Leave out what the far end remembers for itself."""
    return {name: value for name, value in fields.items() if not name.startswith("_")}

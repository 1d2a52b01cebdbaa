"""Rao on the wire: a decimal string, because the supply is beyond what JavaScript counts exactly."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from ledger.money import MAX_RAO


@extend_schema_field(
    {
        "type": "string",
        "pattern": "^[0-9]{1,19}$",
        "example": "1500000000",
        "description": "Rao as a decimal string; 1 TAO is 1000000000 rao.",
    }
)
class RaoField(serializers.Field):
    """Carry rao as a string of digits. It takes strings only: a JSON number may have lost digits.

    min_rao: the least amount accepted, 0 unless told.
    """

    default_error_messages = {
        "not_a_string": 'Send rao as a string of digits, such as "1500000000".',
        "not_digits": "Send 1 to 19 digits and nothing else.",
        "too_large": "An amount of rao stays below 2**63.",
        "too_small": "Send at least {min_rao} rao.",
    }

    def __init__(self, *, min_rao: int = 0, **kwargs: Any) -> None:  # noqa: ANN401  DRF's own options
        self.min_rao = min_rao
        super().__init__(**kwargs)

    def to_internal_value(self, data: object) -> int:
        """Read the string into rao."""
        if not isinstance(data, str):
            self.fail("not_a_string")
        if not (data.isascii() and data.isdigit() and len(data) <= 19):
            self.fail("not_digits")
        amount_rao = int(data)
        if amount_rao > MAX_RAO:
            self.fail("too_large")
        if amount_rao < self.min_rao:
            self.fail("too_small", min_rao=self.min_rao)
        return amount_rao

    def to_representation(self, value: int) -> str:
        """Write rao as a string."""
        return str(int(value))


@extend_schema_field(
    {
        "type": "string",
        "pattern": "^-?[0-9]{1,19}$",
        "example": "-1500000000",
        "description": "A change in rao as a decimal string, negative for a loss.",
    }
)
class RaoChangeField(serializers.Field):
    """Show a change in rao; it is never read from a client."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401  DRF's own options
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: int) -> str:
        """Write the change as a string."""
        return str(int(value))


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="Your name for this request, at most 128 characters. Sent again with the same body, "
    "it gets the first answer and nothing happens twice; what was refused stays refused.",
)


def idempotency_key(request: Request) -> str:
    """Return the client's Idempotency-Key; `ledger.idempotency` refuses an empty or overlong one."""
    return request.headers.get("Idempotency-Key", "")

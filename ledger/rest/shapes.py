"""What is said on the wire, read and written by its serializer: one of each kind for everybody.

    asked = given(SalesAsked, request.query_params)
    return Response(told(SaleOutput, sale))

Each serializer that is made copies all its fields, which took a twentieth of a bid's Python. Reading and writing leave
nothing behind in it, where nothing is handed over beside the data (`context`).
"""

from functools import cache
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer
from rest_framework.settings import api_settings


def given(serializer: type[Serializer], data: Any) -> dict[str, Any]:  # noqa: ANN401  JSON or a query
    """Return what a client sent once it is acceptable. Raises: ValidationError."""
    try:
        return dict(_shape(serializer).run_validation(data))
    except ValidationError as refusal:
        if isinstance(refusal.detail, list):  # of null, which DRF words anew as well
            said = {api_settings.NON_FIELD_ERRORS_KEY: ["No data provided"]}
            raise ValidationError(said, code="null") from refusal
        raise


def told(serializer: type[Serializer], value: object) -> dict[str, Any]:
    """Put a value into the words of its answer."""
    return dict(_shape(serializer).to_representation(value))


@cache
def _shape(serializer: type[Serializer]) -> Serializer:
    return serializer()

"""What a refusal carries to the wire, whoever writes it there."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ledger.errors import DomainError


def members(refusal: DomainError) -> dict[str, Any]:
    """Return status, code, detail and the typed fields of a refusal, as JSON carries them."""
    said = {"status": refusal.http_status, "code": refusal.code, "detail": str(refusal)}
    return {name: jsonable(value) for name, value in refusal.fields.items()} | said


def jsonable(value: object) -> object:
    """Return a field of an error as JSON carries it: rao and other big integers as strings."""
    match value:
        case bool() | None:
            return value
        case int():
            return str(value)
        case UUID() | datetime():
            return str(value)
        case list() | tuple():
            return [jsonable(item) for item in value]
        case dict():
            return {str(key): jsonable(item) for key, item in value.items()}
        case _:
            return str(value)

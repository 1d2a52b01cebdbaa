"""JSON requests. Their length is bounded by DATA_UPLOAD_MAX_MEMORY_SIZE, which DRF honours; the rest is here."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

NAME_SHOWN = 80  # characters of a refused name: enough to find it, too few to flood a log


class StrictJSONParser(JSONParser):
    """Read JSON that means one thing to every reader, in UTF-8 (RFC 8259, 8.1).

    Refused are bodies nested deeper than Python recurses, halves of surrogate pairs, and a name that stands
    twice in one object: who signs such a body may mean the first value while a reader takes the last.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  whatever JSON holds
        """Return the parsed body. Raises: ParseError, whose code is parse_error or repeated_name."""
        del media_type, parser_context
        try:
            body = json.loads(
                stream.read().decode(), object_pairs_hook=one_object, parse_constant=no_constant
            )
            # Half of a pair, such as "\ud800", is legal JSON and no text: nothing can store or answer it.
            json.dumps(body, ensure_ascii=False).encode()
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None
        except UnicodeEncodeError:
            raise ParseError("The JSON holds half of a surrogate pair.") from None
        except ValueError as fault:
            raise ParseError(f"The body is no JSON: {fault}") from None
        return body


def one_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members. Raises: ParseError when a name stands twice."""
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            said = name.encode(errors="backslashreplace").decode()
            detail = f"The name {said[:NAME_SHOWN]!r} stands twice in one object. Send it once."
            raise ParseError(detail, code="repeated_name")
        members[name] = value
    return members


def no_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(f"{name} is no number of JSON")

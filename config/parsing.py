"""JSON requests. Their length is bounded by DATA_UPLOAD_MAX_MEMORY_SIZE, which DRF honours; their depth is here."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class ShallowJSONParser(JSONParser):
    """Read JSON that is nested no deeper than Python recurses and holds whole characters only.

    A few kilobytes of "[" and half a surrogate pair are the client's errors, not the server's.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  whatever JSON holds
        """Return the parsed body. Raises: ParseError."""
        try:
            body = super().parse(stream, media_type, parser_context)
            # Half of a pair, such as "\ud800", is legal JSON and no text: nothing can store or answer it.
            json.dumps(body, ensure_ascii=False).encode()
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None
        except UnicodeEncodeError:
            raise ParseError("The JSON holds half of a surrogate pair.") from None
        return body

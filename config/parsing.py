"""JSON requests. Their length is bounded by DATA_UPLOAD_MAX_MEMORY_SIZE, which DRF honours; their depth is here."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class ShallowJSONParser(JSONParser):
    """Read JSON that is nested no deeper than Python recurses: a few kilobytes of "[" are not a server error."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  whatever JSON holds
        """Return the parsed body. Raises: ParseError."""
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None

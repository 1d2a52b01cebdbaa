"""Which texts may travel in a payload or an output."""


def is_storable(text: object, *, length_max: int) -> bool:
    """Tell whether this is text of so many characters at most that a database keeps and UTF-8 can write."""
    if not isinstance(text, str) or len(text) > length_max:
        return False
    # A zero byte cannot be stored by PostgreSQL, a lone surrogate cannot be written as UTF-8.
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)

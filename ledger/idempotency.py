"""The keys that make a request count once: a client's own words, in the namespace of one caller and one act. Pure."""

from uuid import UUID

from ledger.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing

# With the act and the caller in front, a stored key stays within the 200 characters of its column.
KEY_LENGTH_MAX = 128


def stored_key(act: str, *, caller: UUID | str, key: str) -> str:
    """Return the key as rows keep it, so that two callers who choose the same words do not meet.

    Raises: IdempotencyKeyMissing, IdempotencyKeyInvalid.

    Example:
        >>> stored_key("bid", caller=UUID(int=1), key="first")
        'bid:00000000-0000-0000-0000-000000000001:first'
    """
    if not key:
        raise IdempotencyKeyMissing
    if len(key) > KEY_LENGTH_MAX or not key.isprintable():
        raise IdempotencyKeyInvalid(length_max=KEY_LENGTH_MAX)
    return f"{act}:{caller}:{key}"

"""Which addresses are one mailbox: a seller who bids from a second address of theirs bids against the others. Pure."""

# Mail services in whose names dots do not count.
DOTLESS = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}


def mailbox(email: str) -> str:
    """Return the mailbox behind an address: without what follows a plus, in one case.

    Example:
        >>> mailbox("Ada+bids@Example.com"), mailbox("a.da@googlemail.com")
        ('ada@example.com', 'ada@gmail.com')
    """
    name, _, host = email.strip().casefold().rpartition("@")
    name = name.partition("+")[0]
    if host in DOTLESS:
        return f"{name.replace('.', '')}@{DOTLESS[host]}"
    return f"{name}@{host}"

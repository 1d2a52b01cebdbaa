"""The guard of a bid against a slip of the keyboard (99.50 typed for 9.95): who means it types the amount again."""

PRICE_FACTOR = 3
BALANCE_PERCENT = 50


def guard(max_rao: int, *, reference_rao: int, reference: str, free_rao: int) -> str:
    """Say why an amount deserves a second look; empty where it does not. reference: what reference_rao is, in words.

    Source: market research, auction houses ask again above three times the price or half the balance.

    Example:
        >>> guard(31, reference_rao=10, reference="price", free_rao=100)
        'This is more than 3 times the price.'
        >>> guard(30, reference_rao=10, reference="price", free_rao=100)
        ''
    """
    if max_rao > PRICE_FACTOR * reference_rao:
        return f"This is more than {PRICE_FACTOR} times the {reference}."
    if max_rao * 100 > BALANCE_PERCENT * free_rao:
        return f"This is more than {BALANCE_PERCENT} % of what you have available."
    return ""

"""What a sale costs the seller: a share in basis points, taken from the price. Pure."""

from dataclasses import dataclass

BPS = 10_000  # basis points in a whole


@dataclass(frozen=True, slots=True)
class Split:
    """A price in two parts that sum to it."""

    seller_rao: int
    fee_rao: int


def split(price_rao: int, *, fee_bps: int) -> Split:
    """Divide a price between seller and house. The fee is rounded down, so the odd rao is the seller's.

    Example:
        >>> split(10_001, fee_bps=250)
        Split(seller_rao=9751, fee_rao=250)
    """
    assert price_rao >= 0
    assert 0 <= fee_bps <= BPS
    fee_rao = price_rao * fee_bps // BPS
    return Split(seller_rao=price_rao - fee_rao, fee_rao=fee_rao)

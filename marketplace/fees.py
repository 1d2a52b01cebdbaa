"""What a sale costs the seller: a fee and perhaps a royalty, in basis points, taken from the price. Pure."""

from dataclasses import dataclass

BPS = 10_000  # basis points in a whole


@dataclass(frozen=True, slots=True)
class Split:
    """A price in three parts that sum to it."""

    seller_rao: int
    fee_rao: int
    royalty_rao: int


def split(price_rao: int, *, fee_bps: int, royalty_bps: int) -> Split:
    """Divide a price between seller, house and registrant. Shares are rounded down, so the odd rao is the seller's.

    royalty_bps: zero where the seller registered the slot.

    Example:
        >>> split(10_001, fee_bps=250, royalty_bps=100)
        Split(seller_rao=9651, fee_rao=250, royalty_rao=100)
    """
    assert price_rao >= 0
    assert fee_bps >= 0
    assert royalty_bps >= 0
    assert fee_bps + royalty_bps <= BPS
    fee_rao = price_rao * fee_bps // BPS
    royalty_rao = price_rao * royalty_bps // BPS
    return Split(
        seller_rao=price_rao - fee_rao - royalty_rao, fee_rao=fee_rao, royalty_rao=royalty_rao
    )

"""Who gets what of a subnet's price: one place for every way in which a subnet is sold on."""

from dataclasses import dataclass
from uuid import UUID

from ledger import chart
from ledger.chart import Address
from marketplace import fees
from subnets import queries as slots


@dataclass(frozen=True, slots=True)
class Proceeds:
    """A price in parts that sum to it: parts names each receiver once, and nobody with nothing."""

    fee_rao: int
    royalty_rao: int
    parts: tuple[tuple[Address, int], ...]


def proceeds_of(
    price_rao: int, *, netuid: int, seller: UUID, buyer: UUID, fee_bps: int, royalty_bps: int
) -> Proceeds:
    """Divide a price between the seller, the house, and whoever registered the slot.

    Who sells what they registered owes no royalty, and who buys it back owes none to themselves.
    """
    registrant = slots.registrant(netuid)
    owes_royalty = registrant not in {seller, buyer}
    split = fees.split(price_rao, fee_bps=fee_bps, royalty_bps=royalty_bps if owes_royalty else 0)
    parts = (
        (chart.wallet(seller), split.seller_rao),
        (chart.FEES, split.fee_rao),
        (chart.wallet(registrant), split.royalty_rao),
    )
    return Proceeds(
        fee_rao=split.fee_rao,
        royalty_rao=split.royalty_rao,
        parts=tuple(part for part in parts if part[1]),
    )

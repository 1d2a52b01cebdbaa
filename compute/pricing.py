"""How a job's price is divided: a pure split in basis points that sums to the price."""

from dataclasses import dataclass

from ledger.money import apportion

MINER_BPS = 8_000  # the work
OWNER_BPS = 1_800  # the subnet's owner, the same 18 % that the chain gives them of emission
FEE_BPS = 200  # the marketplace


@dataclass(frozen=True, slots=True)
class Shares:
    miner_rao: int
    owner_rao: int
    fee_rao: int


def shares(price_rao: int) -> Shares:
    """Split a price; the parts sum to it to the rao."""
    miner_rao, owner_rao, fee_rao = apportion(price_rao, [MINER_BPS, OWNER_BPS, FEE_BPS])
    return Shares(miner_rao=miner_rao, owner_rao=owner_rao, fee_rao=fee_rao)

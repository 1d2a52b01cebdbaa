"""Say how much is issued per block, which subnet gets which share, and how an epoch's emission is split.

Pure integer arithmetic; amounts in rao. Shares stand on the scale SHARE_ONE = 2**32 and sum to it
exactly, or are all zero. Source of the rules: opentensor/subtensor 14bc6f9f9 (spec 425),
coinbase/block_emission.rs, subnet_emissions.rs, run_coinbase.rs; the gate is of the later specs 440-441.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ledger.money import MAX_SUPPLY_RAO, apportion

U16_MAX = 65_535

# One whole as a share; the same scale on which consensus states its server and validator shares.
SHARE_ONE = 1 << 32

FIRST_BLOCK_EMISSION_RAO = 10**9

# The gate's bar is the share of this rank (spec 441), and this steep (h = 3, spec 440).
GATE_RANK = 32
GATE_STEEPNESS = 3


def block_emission_rao(issued_rao: int) -> int:
    """Return what one block issues when `issued_rao` exist: 1 TAO, halved as the supply fills.

    The k-th halving is at 21e15 * (1 - 2**-k) rao; from the 30th on nothing is issued.
    Source: get_block_emission_for_issuance.
    """
    assert issued_rao >= 0
    if issued_rao >= MAX_SUPPLY_RAO:
        return 0
    return FIRST_BLOCK_EMISSION_RAO >> _halvings(issued_rao)


def _halvings(issued_rao: int) -> int:
    """Return floor(log2(cap / remaining)), exactly."""
    return (MAX_SUPPLY_RAO // (MAX_SUPPLY_RAO - issued_rao)).bit_length() - 1


def emission_over_blocks(issued_rao: int, blocks: int) -> int:
    """Return what `blocks` blocks in a row issue, to the rao, across halvings and up to the cap.

    Works period by period (at most 30), never block by block.
    """
    assert blocks >= 0
    total_rao = 0
    while blocks > 0 and (emission_rao := block_emission_rao(issued_rao + total_rao)) > 0:
        halving_rao = MAX_SUPPLY_RAO - (MAX_SUPPLY_RAO >> _halvings(issued_rao + total_rao) + 1)
        blocks_to_halving = -(-(halving_rao - issued_rao - total_rao) // emission_rao)
        blocks_now = min(blocks, blocks_to_halving)
        total_rao += blocks_now * emission_rao
        blocks -= blocks_now
    assert total_rao == 0 or issued_rao + total_rao <= MAX_SUPPLY_RAO
    return total_rao


def epoch_part_rao(
    pending_rao: int, *, start_block: int, end_block: int, accrued_block: int
) -> int:
    """Return what an epoch takes of a bucket that was filled from `start_block` up to `accrued_block`.

    All of it, unless emission has accrued past the epoch's end: stake that moved during an outage lets
    it accrue up to then, and the rest belongs to the epochs that wait. It is told apart by blocks, the
    last of them takes what is left, so nothing is lost.
    """
    assert start_block <= end_block
    if accrued_block <= end_block:
        return pending_rao
    return pending_rao * (end_block - start_block) // (accrued_block - start_block)


def subnet_shares(
    moving_prices: Sequence[int],
    *,
    miner_burned: Sequence[int],
    is_enabled: Sequence[bool],
    burned_one: int = U16_MAX,
    gate_rank: int | None = None,
) -> list[int]:
    """Return each subnet's share of the block emission on the scale SHARE_ONE.

    A share is the moving price times the part of the miners' incentive that was not burned; when all
    is burned everywhere the prices alone count. With `gate_rank` the Hill gate bends the shares. Then
    disabled subnets get nothing and theirs goes to the others. All zero when no price is positive.

    moving_prices: any common integer scale. miner_burned: last epoch's burned part over `burned_one`.
    Source: get_subnet_block_emissions.
    """
    assert len(moving_prices) == len(miner_burned) == len(is_enabled)
    weights = [
        price * (burned_one - min(burned, burned_one))
        for price, burned in zip(moving_prices, miner_burned, strict=True)
    ]
    if not any(weights):
        weights = list(moving_prices)
    if gate_rank is not None:
        weights = gated(weights, bar=gate_bar(weights, rank=gate_rank))
    return _normalised(
        [weight if enabled else 0 for weight, enabled in zip(weights, is_enabled, strict=True)]
    )


def gate_bar(shares: Sequence[int], *, rank: int = GATE_RANK) -> int:
    """Return the share at which the gate lets one half pass: the `rank`-th largest positive one.

    With fewer positive shares than that the bar is 0, and the gate stands open.
    """
    assert rank > 0
    positive = sorted((share for share in shares if share > 0), reverse=True)
    return positive[rank - 1] if rank <= len(positive) else 0


def gate_value(share: int, *, bar: int) -> Fraction:
    """Return the part of a share the Hill gate lets pass: 1 / (1 + (bar / share)**3), exactly."""
    if share == 0:
        return Fraction(0)
    risen, barred = share**GATE_STEEPNESS, bar**GATE_STEEPNESS
    return Fraction(risen, risen + barred)


def gated(shares: Sequence[int], *, bar: int) -> list[int]:
    """Return the shares after the Hill gate, on the scale SHARE_ONE; `bar` is on the scale of `shares`."""
    passed = [share * gate_value(share, bar=bar) for share in shares]
    whole = sum(passed)
    if whole == 0:
        return [0] * len(shares)
    # Twice the bits of the final scale, so that the last rounding is that of apportion alone.
    return _normalised([int(part / whole * SHARE_ONE * SHARE_ONE) for part in passed])


def _normalised(weights: Sequence[int]) -> list[int]:
    return apportion(SHARE_ONE, weights) if any(weights) else [0] * len(weights)


@dataclass(frozen=True, slots=True)
class EpochSplit:
    """Who gets an epoch's emission; the parts sum to it exactly. Payouts are by uid, index = uid."""

    owner_rao: int
    miner_rao: tuple[int, ...]
    validator_rao: tuple[int, ...]
    burned_rao: int
    miner_burned_u16: int
    """The part of the miners' emission that was burned or withheld; it lowers the subnet's share."""

    @property
    def total_rao(self) -> int:
        """Return the emission that was split."""
        return self.owner_rao + sum(self.miner_rao) + sum(self.validator_rao) + self.burned_rao


def split_epoch(
    emission_rao: int,
    *,
    owner_cut_u16: int,
    server_share: Sequence[int],
    validator_share: Sequence[int],
    burn_u16: int = 0,
    withheld_uids: Collection[int] = (),
) -> EpochSplit:
    """Split an epoch's emission between owner, miners, validators and the fire, exactly.

    The owner takes the cut (floor); miners and validators halve the rest, an odd rao to the validators.
    `burn_u16` of the miners' half is burned first. When no miner has incentive, what is left of it goes
    to the validators; when no validator has dividends, their part is burned. What falls to
    `withheld_uids` (neurons of the owner) is burned, as on the chain.

    server_share, validator_share: one entry per uid, any common scale; only proportions count.
    Source: run_coinbase.rs, distribute_emission; floors there, largest remainder here, so no dust is left.
    """
    assert emission_rao >= 0
    assert len(server_share) == len(validator_share)
    owner_rao = emission_rao * owner_cut_u16 // U16_MAX
    miners_rao = (emission_rao - owner_rao) // 2
    validators_rao = emission_rao - owner_rao - miners_rao
    burned_rao = miners_rao * burn_u16 // U16_MAX
    paid_rao = miners_rao - burned_rao
    if not any(server_share):
        validators_rao += paid_rao
        paid_rao = 0
    miner_rao = _apportioned(paid_rao, server_share)
    for uid in withheld_uids:
        burned_rao += miner_rao[uid]
        miner_rao[uid] = 0
    miner_burned_u16 = burned_rao * U16_MAX // miners_rao if miners_rao else 0
    validator_rao = _apportioned(validators_rao, validator_share)
    split = EpochSplit(
        owner_rao=owner_rao,
        miner_rao=tuple(miner_rao),
        validator_rao=tuple(validator_rao),
        burned_rao=burned_rao + validators_rao - sum(validator_rao),
        miner_burned_u16=miner_burned_u16,
    )
    assert split.total_rao == emission_rao
    return split


def _apportioned(total_rao: int, shares: Sequence[int]) -> list[int]:
    """Split by shares; nobody gets anything when nobody has a share."""
    return apportion(total_rao, shares) if any(shares) else [0] * len(shares)

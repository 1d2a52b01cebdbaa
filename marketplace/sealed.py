"""The sealed second-price auction, as pure functions: who wins, what they pay, and how anybody checks it.

Every bidder states a maximum that nobody sees before the end. The highest wins and pays what the second highest
would have paid, so that stating what the subnet is worth to oneself is the best one can do. There are no steps,
no leader to follow, and no late bid that moves the end.

A commitment per bid is public from the start; at the end every maximum is published with the random bytes behind
its commitment. `verify` recomputes both: that no maximum was changed, and that the outcome follows from them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ledger.money import RAO_PER_TAO
from marketplace.bidding import Maximum, Outcome, Sold, Unsold, UnsoldReason

# A settlement locks every bidder's wallet at once and opens every seal; with 500 it took 0.8 s on two busy cores.
BIDDERS_MAX = 500
# A bid and four second thoughts: more would only be noise among the commitments.
BIDS_PER_BIDDER_MAX = 5
# As many bytes as the digest has: nobody finds a maximum by trying all there are.
NONCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Opening:
    """A sealed bid once it is open. alias: "bidder 3", the third to appear; the same name is the same bidder."""

    sequence: int
    alias: str
    max_rao: int
    nonce: bytes
    commitment: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What a house says of an ended auction. winner: an alias; None with no price where nothing was sold."""

    auction: UUID
    start_rao: int
    reserve_rao: int | None
    openings: tuple[Opening, ...]
    winner: str | None
    price_rao: int | None


def outcome(*, start_rao: int, reserve_rao: int | None, maxima: Sequence[Maximum]) -> Outcome:
    """Decide an auction from one maximum per bidder; of equal ones the earlier wins, and pays that amount."""
    assert len({maximum.bidder for maximum in maxima}) == len(maxima)
    lowest_rao = max(start_rao, reserve_rao or 0)
    ranked = sorted(maxima, key=lambda maximum: (-maximum.max_rao, maximum.sequence))
    if not ranked:
        return Unsold(reason=UnsoldReason.NO_BIDS)
    first, *others = ranked
    if first.max_rao < lowest_rao:
        return Unsold(reason=UnsoldReason.RESERVE_NOT_MET, high_bidder=first.bidder)
    second_rao = others[0].max_rao if others else 0
    return Sold(winner=first.bidder, price_rao=max(second_rao, lowest_rao))


def default_cover(max_rao: int, *, available_rao: int) -> int:
    """Return what is set aside for a maximum, so that the amount held tells little of it.

    The maximum is rounded up to 1, 2 or 5 times a power of ten of TAO, no further than what is available, and
    never below the maximum itself.

    Example:
        >>> default_cover(130_000_000_000, available_rao=10**12)
        200000000000
        >>> default_cover(130_000_000_000, available_rao=150_000_000_000)
        150000000000
    """
    assert max_rao > 0
    power_rao = RAO_PER_TAO
    while power_rao * 5 < max_rao:
        power_rao *= 10
    rounded_rao = next(factor * power_rao for factor in (1, 2, 5) if factor * power_rao >= max_rao)
    return max(max_rao, min(rounded_rao, available_rao))


def commitment(*, auction: UUID, sequence: int, alias: str, max_rao: int, nonce: bytes) -> str:
    """Return the SHA-256 that binds a bid before it is opened, in hex.

    Of these lines, joined by line feeds: sealed-bid/1, the auction's id, the bid's sequence, the bidder's alias,
    the maximum in rao, the random bytes in hex. Docs/api.md says the same.
    """
    assert len(nonce) == NONCE_BYTES
    lines = ("sealed-bid/1", str(auction), str(sequence), alias, str(max_rao), nonce.hex())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def newest(openings: Sequence[Opening]) -> tuple[Opening, ...]:
    """Return the bid that counts of each bidder, the latest, in the order they were placed."""
    by_alias = {opening.alias: opening for opening in sorted(openings, key=lambda o: o.sequence)}
    return tuple(sorted(by_alias.values(), key=lambda opening: opening.sequence))


def verify(claim: Claim, *, kept: Mapping[int, str] | None = None) -> list[str]:
    """Say what is wrong with an ended auction, a sentence a fault; empty means it is as it was promised.

    kept: commitments by sequence, as they were read before the end.
    """
    faults = [
        f"Bid {opening.sequence} does not fit its commitment."
        for opening in claim.openings
        if opening.commitment != _recomputed(claim.auction, opening)
    ]
    opened = {opening.sequence: opening.commitment for opening in claim.openings}
    for sequence, seen in sorted((kept or {}).items()):
        if opened.get(sequence) != seen:
            faults.append(f"Bid {sequence} was committed to, and is not opened as it was.")
    if sorted(opened) != list(range(1, len(claim.openings) + 1)):
        faults.append("The bids are not numbered 1, 2, 3 and so on, each once.")
    if (claim.winner, claim.price_rao) != _derived(claim):
        faults.append("Winner and price do not follow from the maxima.")
    return faults


def _recomputed(auction: UUID, opening: Opening) -> str:
    return commitment(
        auction=auction,
        sequence=opening.sequence,
        alias=opening.alias,
        max_rao=opening.max_rao,
        nonce=opening.nonce,
    )


def _derived(claim: Claim) -> tuple[str | None, int | None]:
    """Decide a claim's auction again. Aliases stand in for accounts: who is who does not move a price."""
    counted = newest(claim.openings)
    names = {UUID(int=opening.sequence): opening.alias for opening in counted}
    decided = outcome(
        start_rao=claim.start_rao,
        reserve_rao=claim.reserve_rao,
        maxima=[
            Maximum(UUID(int=opening.sequence), opening.max_rao, opening.sequence)
            for opening in counted
        ],
    )
    match decided:
        case Sold():
            return names[decided.winner], decided.price_rao
        case Unsold():
            return None, None

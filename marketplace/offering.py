"""What a seller asks for when they offer a subnet: one of four formats, and its terms. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ledger.money import MAX_SUPPLY_RAO
from marketplace.bidding import ReserveUnmetPolicy
from marketplace.errors import AuctionTermsInvalid
from marketplace.fees import BPS

# Shorter than this nobody hears of it; longer, a seller binds a subnet beyond what they can foresee.
DURATION_S_MIN = 10
DURATION_S_MAX = 30 * 24 * 3600
# Who schedules further ahead than a quarter does not know yet what they will sell.
AHEAD_MAX = timedelta(days=90)
# "Now" by a seller's own clock may be a moment ago by the house's.
BEHIND_MAX = timedelta(minutes=1)
# The price halves towards the floor; slower than the longest auction it would hardly move.
HALF_LIFE_S_MIN, HALF_LIFE_S_MAX = 1, DURATION_S_MAX
# A deposit below this share invites bids that are never paid; a winner needs a banking day and has a week.
DEPOSIT_BPS_MIN = 500
PAY_WITHIN_S_MIN, PAY_WITHIN_S_MAX = 3600, 7 * 24 * 3600
STATEMENT_MAX = 4_000  # characters: two pages; more is a document


class Format(StrEnum):
    """How a price is found. The words are those of `Auction.Format`."""

    ENGLISH = "english"
    DUTCH = "dutch"
    SEALED = "sealed"
    FIXED = "fixed"

    @property
    def takes_bids(self) -> bool:
        """Tell whether people state maxima; otherwise the first to take the price has the subnet."""
        return self in {Format.ENGLISH, Format.SEALED}


class Backing(StrEnum):
    """How a maximum is backed. The words are those of `Auction.Backing`."""

    FULL = "full"
    DEPOSIT = "deposit"


@dataclass(frozen=True, slots=True)
class Offering:
    """A seller's terms, as asked for; `check` says whether they can be an auction's.

    start_rao: lowest first bid; the first price where it falls; the price where it is fixed.
    reserve_rao: below it there is no sale (english, sealed).  floor_rao, half_life_s: where and how the
    price falls (dutch).  buy_now_rao: english alone.  deposit_bps, pay_within_s: where a deposit backs bids.
    opens_at: None opens at once.  statement: the seller's own words, which the house does not check.
    """

    start_rao: int
    duration_s: int
    format: Format = Format.ENGLISH
    reserve_rao: int | None = None
    reserve_policy: ReserveUnmetPolicy = ReserveUnmetPolicy.INCREMENTS
    buy_now_rao: int | None = None
    floor_rao: int | None = None
    half_life_s: int | None = None
    backing: Backing = Backing.FULL
    deposit_bps: int | None = None
    pay_within_s: int | None = None
    opens_at: datetime | None = None
    statement: str = ""


def check(asked: Offering, *, now: datetime) -> None:
    """Hold a seller's terms against what an auction can have. Raises: AuctionTermsInvalid, with the reason."""
    for reason, is_fine in (*_prices(asked), *_times(asked, now=now), *_backing(asked)):
        if not is_fine:
            raise AuctionTermsInvalid(reason=reason)


def _prices(asked: Offering) -> tuple[tuple[str, bool], ...]:
    is_dutch, is_english = asked.format is Format.DUTCH, asked.format is Format.ENGLISH
    reserve, floor, buy_now = asked.reserve_rao, asked.floor_rao, asked.buy_now_rao
    return (
        (
            "the start price lies above zero and within the supply",
            0 < asked.start_rao <= MAX_SUPPLY_RAO,
        ),
        ("only auctions with bids have a reserve", reserve is None or asked.format.takes_bids),
        (
            "the reserve is at least the start price",
            reserve is None or asked.start_rao <= reserve <= MAX_SUPPLY_RAO,
        ),
        ("only an English auction has a buy-now price", buy_now is None or is_english),
        (
            "the buy-now price is above the start price and at least the reserve",
            buy_now is None or max(asked.start_rao + 1, reserve or 0) <= buy_now <= MAX_SUPPLY_RAO,
        ),
        ("a falling price, and no other, has a floor", (floor is not None) is is_dutch),
        (
            "the floor lies above zero and below the start price",
            floor is None or 0 < floor < asked.start_rao,
        ),
        (
            "a falling price, and no other, has a half-life",
            (asked.half_life_s is not None) is is_dutch,
        ),
    )


def _times(asked: Offering, *, now: datetime) -> tuple[tuple[str, bool], ...]:
    half_life = asked.half_life_s
    return (
        (
            f"it runs for {DURATION_S_MIN} seconds to {DURATION_S_MAX // 86_400} days",
            DURATION_S_MIN <= asked.duration_s <= DURATION_S_MAX,
        ),
        (
            f"it opens now or within {AHEAD_MAX.days} days",
            asked.opens_at is None or now - BEHIND_MAX <= asked.opens_at <= now + AHEAD_MAX,
        ),
        (
            f"the half-life is {HALF_LIFE_S_MIN} second to {HALF_LIFE_S_MAX // 86_400} days",
            half_life is None or HALF_LIFE_S_MIN <= half_life <= HALF_LIFE_S_MAX,
        ),
    )


def _backing(asked: Offering) -> tuple[tuple[str, bool], ...]:
    by_deposit = asked.backing is Backing.DEPOSIT
    share, term = asked.deposit_bps, asked.pay_within_s
    return (
        (
            "only an English auction is backed by deposits",
            not by_deposit or asked.format is Format.ENGLISH,
        ),
        (
            "a deposit, and nothing else, has a share and a term of payment",
            (share is not None) is by_deposit and (term is not None) is by_deposit,
        ),
        (
            f"a deposit is {DEPOSIT_BPS_MIN // 100} % to 100 % of the maximum",
            share is None or DEPOSIT_BPS_MIN <= share <= BPS,
        ),
        (
            f"the winner has {PAY_WITHIN_S_MIN // 3600} hour to {PAY_WITHIN_S_MAX // 86_400} days to pay",
            term is None or PAY_WITHIN_S_MIN <= term <= PAY_WITHIN_S_MAX,
        ),
        (
            "buy-now is paid at once, so a deposit goes without",
            not by_deposit or asked.buy_now_rao is None,
        ),
    )

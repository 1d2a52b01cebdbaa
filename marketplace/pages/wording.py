"""Short figures, spans and keys as a person reads them, beside what `ledger.spoken` writes out. Pure text in, text out.

>>> short_tao(1_250_000_000_000_000)
'1.25\u202fM'
>>> percent(1, of=3)
'33.3\u202f%'
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from ledger.chart import Code
from ledger.money import RAO_PER_TAO
from ledger.spoken import GAP, MINUS, count, tao
from marketplace.facts import Fact, Unit

ELLIPSIS = "…"
BPS = 10_000
DASH = "–"  # stands where there is no figure yet

# The largest size that fits is used: (seconds in it, one, many).
_SPANS = (
    (86_400, "day", "days"),
    (3_600, "h", "h"),
    (60, "min", "min"),
    (1, "s", "s"),
)
_SIZES = ((10**9, "G"), (10**6, "M"), (10**3, "k"))
_KEY_IN_TEXT = re.compile(r"\b5[1-9A-HJ-NP-Za-km-z]{46,47}\b")  # ss58 of a substrate account


def short_tao(rao: int) -> str:
    """Write rao as TAO in about three digits for a tile: "950", "0.125", "12.3 k", "1.25 M"."""
    sign = MINUS if rao < 0 else ""
    size = abs(rao)
    for factor, letter in _SIZES:
        if size >= factor * RAO_PER_TAO:
            return f"{sign}{three_digits(size, factor * RAO_PER_TAO)}{GAP}{letter}"
    return sign + three_digits(size, RAO_PER_TAO)


def three_digits(amount: int, unit: int) -> str:
    """Divide and keep three significant digits before and after the point together, cut towards zero."""
    whole = amount // unit
    places = 0 if whole >= 100 else 1 if whole >= 10 else 2 if whole >= 1 else 4
    part = amount % unit * 10**places // unit
    decimals = f"{part:0{places}d}".rstrip("0") if places else ""
    return count(whole) + (f".{decimals}" if decimals else "")


def percent(part: int, *, of: int, places: int = 1) -> str:
    """Write a share in percent, rounded half up by integers; a share of nothing is a dash."""
    if of <= 0:
        return DASH
    scaled = (part * 100 * 10**places * 2 + of) // (2 * of)
    whole, decimals = divmod(scaled, 10**places)
    digits = f"{whole}.{decimals:0{places}d}" if places else str(whole)
    return f"{digits}{GAP}%"


def change(bps: int) -> str:
    """Write a change in percent with its sign, cut to one decimal: "+12.5 %", "−3.0 %"."""
    whole, rest = divmod(abs(bps), 100)
    sign = "+" if bps > 0 else MINUS if bps < 0 else ""
    return f"{sign}{count(whole)}.{rest // 10}{GAP}%"


def tenths(value: int) -> str:
    """Write a count of tenths, cut from something above zero, with one decimal."""
    return f"{count(value // 10)}.{value % 10}" if value else "under 0.1"


FACT_WORDS: dict[Unit, Callable[[int], str]] = {
    # A blank that may break: four figures stand side by side on a phone.
    Unit.RAO: lambda rao: f"{tao(rao, places=2)} TAO",
    Unit.BPS: lambda bps: percent(bps, of=BPS),
    Unit.TENTHS: lambda value: f"{tenths(value)} days",
    Unit.COUNT: count,
}


def fact(one: Fact) -> str:
    """Write a fact of a data room in its unit."""
    return DASH if one.value is None else FACT_WORDS[one.kind.unit](one.value)


def short_key(ss58: str) -> str:
    """Shorten an address to its ends: enough to recognise, never enough to pay to."""
    return ss58 if len(ss58) <= 14 else f"{ss58[:6]}{ELLIPSIS}{ss58[-4:]}"


def alias(owner: object) -> str:
    """Name an owner without telling who it is: the first eight digits of the account's id."""
    return str(owner)[:8]


def distance(at: datetime, *, now: datetime) -> str:
    """Say how far an instant is: "3 min ago", "in 2 days", "now"."""
    seconds = int((at - now).total_seconds())
    span = duration(timedelta(seconds=abs(seconds)))
    if seconds == 0:
        return "now"
    return f"in {span}" if seconds > 0 else f"{span} ago"


def duration(length: timedelta) -> str:
    """Say a length in its largest unit: "45 s", "3 min", "2 h", "1 day"."""
    seconds = max(0, int(length.total_seconds()))
    for size, one, many in _SPANS:
        if seconds >= size:
            times = seconds // size
            return f"{times}{GAP}{one if times == 1 else many}"
    return f"0{GAP}s"


def size(byte_count: int) -> str:
    """Write a memory size in GiB or MiB: "24 GiB", "512 MiB"."""
    gibibytes = byte_count / 2**30
    if gibibytes >= 1:
        return f"{gibibytes:.0f}{GAP}GiB"
    return f"{byte_count / 2**20:.0f}{GAP}MiB"


def with_short_keys(text: str) -> str:
    """Shorten every address in a sentence."""
    return _KEY_IN_TEXT.sub(lambda match: short_key(match[0]), text)


BECAUSE = {
    Code.SUPPLY_ISSUED: "TAO issued to the treasury",
    Code.GRANT_MADE: "Grant from the treasury",
    Code.BID_PLACED: "Maximum bid",
    Code.BID_VOIDED: "Bid taken out",
    Code.BID_RELEASED: "Bid released",
    Code.SEALED_BID_PLACED: "Sealed bid",
    Code.DEPOSIT_FORFEITED: "Deposit of a winner who did not pay",
    Code.SALE_SETTLED: "Auction settled",
    Code.OFFER_PLACED: "Offer for a subnet",
    Code.OFFER_RELEASED: "Offer released",
    Code.OFFER_SETTLED: "Offer accepted",
    Code.SUBNET_BOUGHT: "Subnet bought",
    Code.SLOT_BOUGHT: "Slot bought",
    Code.PREMIUM_PAID: "Premium on a slot",
    Code.SLOT_RELEASED: "Slot given back",
    Code.BURN_PAID: "Place on a subnet",
    Code.STAKE_ADDED: "Staked",
    Code.STAKE_REMOVED: "Stake taken back",
    Code.EPOCH_PAID: "Payout of an epoch",
    Code.JOB_PLACED: "Job ordered",
    Code.JOB_SETTLED: "Job paid",
    Code.JOB_RELEASED: "Job ended without a result",
    Code.TAB_OPENED: "Money for model requests set aside",
    Code.TAB_SETTLED: "Model requests paid",
    Code.TAB_RELEASED: "Money for model requests released",
    Code.CARD_CREDITED: "Card top-up",
    Code.CARD_FEE_TAKEN: "Fee on a card top-up",
    Code.CARD_REFUNDED: "Card top-up refunded",
    Code.CARD_REFUND_FAILED: "Refund of a card top-up came back",
    Code.CARD_LIEN_PLACED: "Kept while a card payment is disputed",
    Code.CARD_LIEN_RELEASED: "Free again after a dispute",
    Code.CARD_DISPUTE_MOVED: "Dispute of a card payment",
    Code.CARD_DISPUTE_LOST: "Dispute of a card payment lost",
    Code.CARD_DEBT_COLLECTED: "What you owed of a card payment",
    Code.CARD_DEBT_FORGIVEN: "What you owed was forgiven",
    Code.CARD_PAYOUT_MOVED: "Payout to the house’s bank",
    Code.CARD_TOPUP_MOVED: "Payment into the house’s balance",
    Code.CARD_COST_TAKEN: "Cost of the card processor",
    Code.WITHDRAWAL_REQUESTED: "Withdrawal asked for",
    Code.WITHDRAWAL_PAID: "Withdrawal",
    Code.WITHDRAWAL_RELEASED: "Withdrawal taken back",
    Code.WITHDRAWAL_REVERSED: "Withdrawal came back",
    Code.HOLD_EXPIRED: "Set aside too long, released",
    Code.ACCOUNT_CLOSED: "Account closed",
    Code.ACCOUNT_REOPENED: "Account opened again",
    Code.ENTRY_REVERSED: "Correction",
}
"""What stands on a statement for each reason that money moves."""


def because(code: str) -> str:
    """Say why money moved; a code without words of its own is shown as it is."""
    return BECAUSE.get(Code(code), code) if code in set(Code) else code

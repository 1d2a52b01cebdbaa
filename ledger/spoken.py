"""Figures and instants as people read them: on pages, in notices and mails, in what is refused. Pure.

One way for all of them. What programs read stays as it is: rao as integers, instants as ISO 8601.

>>> tao(1_234_500_000_000)
'1\u202f234.5'
>>> tao(-5, places=4)
'\u22120.0000'
>>> dollars(123_450)
'1\u202f234.50'
>>> instant(datetime(2026, 12, 6, 9, 5, tzinfo=UTC))
'6 Dec 2026 09:05 UTC'
"""

import re
from datetime import UTC, date, datetime

from ledger.money import RAO_PER_TAO

GAP = (
    "\u202f"  # a narrow no-break space groups digits and stands before a unit (ISO 80000-1, 7.3.1)
)
MINUS = "\u2212"
_RAO_IN_TEXT = re.compile(r"(-?\d+) rao")
_INSTANT_IN_TEXT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d)(:\d\d)? UTC")


def count(number: int) -> str:
    """Group the digits of an integer by threes: "12 345"."""
    grouped = f"{abs(number):,}".replace(",", GAP)
    return MINUS + grouped if number < 0 else grouped


def tao(rao: int, *, places: int | None = None) -> str:
    """Write rao as TAO with grouped digits, exactly; with `places`, cut after that many decimals.

    Cutting goes towards zero, so no figure ever shows more money than there is.
    """
    whole, part = divmod(abs(rao), RAO_PER_TAO)
    decimals = f"{part:09d}"
    decimals = decimals.rstrip("0") if places is None else decimals[:places]
    text = count(whole) + (f".{decimals}" if decimals else "")
    return MINUS + text if rao < 0 else text


def dollars(cents: int) -> str:
    """Write US cents as dollars with grouped digits."""
    whole, part = divmod(cents, 100)
    return f"{count(whole)}.{part:02d}"


def day(on: date) -> str:
    """Write a day of the year: "6 Dec"."""
    return f"{on.day} {on:%b}"


def instant(at: datetime, *, seconds: bool = False) -> str:
    """Write an instant in UTC, to the minute or the second, as config.formats does on pages."""
    at = at.astimezone(UTC)
    return f"{day(at)} {at:%Y %H:%M:%S} UTC" if seconds else f"{day(at)} {at:%Y %H:%M} UTC"


def sentence(message: str) -> str:
    """Write the amounts and instants of a refusal's message as people read them.

    Example:
        >>> sentence("It closed at 2026-12-06 09:05:00 UTC; 1500000000 rao are free.")
        'It closed at 6 Dec 2026 09:05:00 UTC; 1.5 TAO are free.'
    """
    in_tao = _RAO_IN_TEXT.sub(lambda match: f"{tao(int(match[1]))} TAO", message)
    return _INSTANT_IN_TEXT.sub(_instant_spoken, in_tao)


def _instant_spoken(match: re.Match[str]) -> str:
    at = datetime.fromisoformat(f"{match[1]}{match[2] or ''}+00:00")
    return instant(at, seconds=bool(match[2]))

"""TAO as people write it, rao as programs count it: 1 TAO = 10**9 rao. Pure."""

import re

DIGITS = 9
RAO_PER_TAO: int = 10**DIGITS
AMOUNT = re.compile(r"(\d{1,8})(?:\.(\d{1,9}))?", re.ASCII)


def parse_tao(text: str) -> int:
    """Read an amount such as 12.5 as rao. Raises: ValueError."""
    found = AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no amount of TAO; write digits such as 12.5")
    whole, fraction = found[1], found[2] or ""
    return int(whole) * RAO_PER_TAO + int(fraction.ljust(DIGITS, "0"))


def format_tao(amount_rao: int) -> str:
    """Write rao as TAO without needless zeros: 1500000000 as 1.5."""
    sign = "-" if amount_rao < 0 else ""
    whole, fraction = divmod(abs(amount_rao), RAO_PER_TAO)
    digits = f"{fraction:0{DIGITS}d}".rstrip("0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"

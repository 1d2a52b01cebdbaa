"""What somebody types to find a subnet, taken apart: a number, or words. Pure.

Words are folded as the database folds what it looks in (columns.Unaccented): no case, no accents.
How far a word may be mistyped is settings.WORD_SIMILARITY's business.

>>> asked("SN 7")
Asked(netuid=7, words=())
>>> asked("Émbedings  fast")
Asked(netuid=None, words=('embedings', 'fast'))
"""

import re
import unicodedata
from dataclasses import dataclass

QUERY_LENGTH_MAX = 100  # a name has 60; more is no search
WORDS_MAX = 6  # each costs one pass over the names; who types more has said enough by then

_MARKS = re.compile(
    "[\u0300-\u036f]"
)  # combining diacritical marks, the range that columns.py takes out
_NUMBER = re.compile(r"(?:(?:sn|subnet|netuid)\s*|#\s*)(\d{1,3})")
_BARE_NUMBER = re.compile(r"\d{1,3}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A search. netuid: the number that was typed, alone or behind "sn".  words: folded, none for "sn 7"."""

    netuid: int | None
    words: tuple[str, ...]


def asked(query: str) -> Asked:
    """Read a search; what is beyond QUERY_LENGTH_MAX and WORDS_MAX is not looked at."""
    text = folded(query[:QUERY_LENGTH_MAX]).strip()
    if numbered := _NUMBER.fullmatch(text):
        return Asked(netuid=int(numbered[1]), words=())
    # A bare number may stand in a name as well: both are looked for.
    netuid = int(text) if _BARE_NUMBER.fullmatch(text) else None
    return Asked(netuid=netuid, words=tuple(text.split()[:WORDS_MAX]))


def folded(text: str) -> str:
    """Take case, accents and compatibility forms away, and NUL, which no text of the database can hold."""
    return _MARKS.sub("", unicodedata.normalize("NFKD", text)).lower().replace("\0", "")

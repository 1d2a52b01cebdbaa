"""What somebody types to find a subnet, taken apart: a number, or words. Pure.

Words are folded as the database folds what it looks in (columns.Unaccented): no case, no accents.
How far a word may be mistyped is settings.WORD_SIMILARITY's business; two letters that changed places are undone here.

>>> asked("SN 7")
Asked(netuid=7, words=())
>>> asked("Émbedings  fast")
Asked(netuid=None, words=('embedings', 'fast'))
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

QUERY_LENGTH_MAX = 100  # a name has 60; more is no search
# "on" and "no" are two words, and so are many of three letters; who types more than twenty searches for no name.
SWAPPED_LENGTHS = range(4, 21)
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


def unswapped(word: str) -> list[str]:
    """Return what may have been meant where two neighbouring letters of a word changed places.

    In a short word that changes most groups of three letters: "blnak" and "blank" are no more alike than "matmul" and
    "matrices".

    Example:
        >>> unswapped("blnak")
        ['lbnak', 'bnlak', 'blank', 'blnka']
    """
    if len(word) not in SWAPPED_LENGTHS:
        return []
    return [
        word[:at] + second + first + word[at + 2 :]
        for at, (first, second) in enumerate(pairwise(word))
        if first != second
    ]


def folded(text: str) -> str:
    """Take case, accents and compatibility forms away, and NUL, which no text of the database can hold."""
    return _MARKS.sub("", unicodedata.normalize("NFKD", text)).lower().replace("\0", "")

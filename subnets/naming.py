"""Words that people give things: what may stand in them, and when two names read alike. Pure.

A name (of a subnet, a hotkey, a machine) stands in lists beside figures that people act upon, so it is kept to
what the eye can tell apart. Names are put into NFKC; prose (summaries, descriptions) into NFC, which leaves "m²"
as it was typed. Refused are characters that cannot be seen or that turn the direction of what follows, and, in
names, words that mix scripts.

Two names read alike when they are equal after NFKC and case folding, or after that of their prototypes:
letters of Greek and Cyrillic that look like Latin ones, and I, l, 1, | or O, 0 among each other.

Not covered: pairs of letters that look like one ("rn", "m"), the rarer scripts of confusables.txt, accents.

Source: Unicode 15.0, UTS #39 (5.1 single-script, 4 confusable detection), UAX #31 (2.3 default ignorables).
"""

import unicodedata

from subnets.errors import TextRefused

MARKS_MAX = 2  # on one letter; Vietnamese needs two, and a tower of them covers the line above

# Letters and marks that draw nothing, though their category says otherwise (UAX #31, default ignorable).
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    chr(point)
    for span in ((0x180B, 0x1810), (0xFE00, 0xFE0E), (0xE0100, 0xE01F0))
    for point in range(*span)
)
# Keyboards put them behind every emoji; without them it looks the same.
DROPPED = dict.fromkeys((0xFE0E, 0xFE0F))
# Cc control, Cf format (zero width, bidi), Cs half a pair, Co private, Cn nobody's, Zl and Zp breaks of lines.
UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
# Scripts that are written together; with Latin beside them too (UTS #39, highly restrictive).
EAST_ASIAN = frozenset(
    ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC")
)
LOOKS_LIKE = str.maketrans(
    # Cyrillic small and capital, Greek small and capital, figures and strokes.
    "асеһіјӏоԛрѕԝхуԁ" + "АВСЕНІЈКӀМОРԚЅТԜХУ" + "αγικνορυχ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "I1|0" + "ıɑɡ",
    "acehijloqpswxyd" + "ABCEHlJKlMOPQSTWXY" + "ayiKvopux" + "ABEZHlKMNOPTYX" + "lllO" + "iag",
)  # fmt: skip


def subnet_name(text: str) -> str:
    """Return a subnet's name as it is kept. Raises: TextRefused."""
    return read_name(text, length_max=60)


def subnet_summary(text: str) -> str:
    """Return a subnet's summary as it is kept: one line. Raises: TextRefused."""
    return read_prose(text, field="summary", length_max=200)


def subnet_description(text: str) -> str:
    """Return a subnet's description as it is kept. Raises: TextRefused."""
    return read_prose(text, field="description", length_max=4_000, lines=True)


def read_name(text: str, *, field: str = "name", length_max: int) -> str:
    """Return a name as it is kept: NFKC, one blank between words. Raises: TextRefused."""
    plain = unicodedata.normalize("NFKC", text.translate(DROPPED)).strip()
    name = " ".join(plain.split())
    problem = (
        unseen(plain)
        or towering(name)
        or ("" if any(sign.isalnum() for sign in name) else "it needs a letter or a digit")
        or mixed(name)
        or too_long(name, length_max)
    )
    if problem:
        raise TextRefused(name=field, problem=problem)
    return name


def read_prose(text: str, *, field: str, length_max: int, lines: bool = False) -> str:
    """Return prose as it is kept: NFC, without blanks around it; line breaks only where it has `lines`.

    Raises: TextRefused.
    """
    prose = unicodedata.normalize("NFC", text.translate(DROPPED)).replace("\r\n", "\n").strip()
    seen = prose.replace("\n", " ").replace("\t", " ") if lines else prose
    if problem := unseen(seen) or towering(seen) or too_long(prose, length_max):
        raise TextRefused(name=field, problem=problem)
    return prose


def refuse_unseen(text: str, *, field: str) -> None:
    """Refuse what cannot be shown to people in a text that is kept as it is, for a signature covers it.

    Raises: TextRefused.
    """
    if problem := unseen(text) or towering(text):
        raise TextRefused(name=field, problem=problem)


def read_alike(one: str, other: str) -> bool:
    """Say whether people would take two names for the same.

    Example:
        >>> read_alike("Prime", "PRIME"), read_alike("Prime", "Рrimе"), read_alike("Prime", "Primes")
        (True, True, False)
    """
    return folded(one) == folded(other) or prototype(one) == prototype(other)


def folded(name: str) -> str:
    """Return a name without case and compatibility forms."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def prototype(name: str) -> str:
    """Return what a name looks like, in Latin letters where it could be taken for them."""
    plain = unicodedata.normalize("NFKC", name)
    dashed = "".join("-" if unicodedata.category(sign) == "Pd" else sign for sign in plain)
    return folded(dashed.replace("’", "'").translate(LOOKS_LIKE))


def unseen(text: str) -> str:
    """Name the first character that cannot be seen; empty without one."""
    for sign in text:
        if unicodedata.category(sign) in UNSEEN or sign in BLANK:
            called = unicodedata.name(sign, "")
            code = f"U+{ord(sign):04X}"
            return (
                f"it holds a character that cannot be seen ({code}{' ' if called else ''}{called})"
            )
    return ""


def towering(text: str) -> str:
    """Say whether a letter carries too many marks."""
    height = 0
    for sign in text:
        height = height + 1 if unicodedata.category(sign) in {"Mn", "Me"} else 0
        if height > MARKS_MAX:
            return f"a letter carries more than {MARKS_MAX} marks"
    return ""


def mixed(name: str) -> str:
    """Name the first word that mixes scripts; empty without one."""
    for word in "".join(sign if sign.isalpha() else " " for sign in name).split():
        scripts = sorted({script(sign) for sign in word})
        if len(scripts) > 1 and scripts != ["EAST ASIAN", "LATIN"]:
            mix = " and ".join(each.title() for each in scripts)
            return f"the word {word!r} mixes {mix} letters"
    return ""


def script(letter: str) -> str:
    """Return the script of a letter: the first word of its name in Unicode, which says so for all in use."""
    first = unicodedata.name(letter, "UNKNOWN").split()[0]
    return "EAST ASIAN" if first in EAST_ASIAN else first


def too_long(text: str, length_max: int) -> str:
    """Say whether a text is longer than its column; NFKC makes 18 characters of one."""
    return f"it has more than {length_max} characters" if len(text) > length_max else ""

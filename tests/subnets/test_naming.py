"""Names and summaries: what may stand in them, and which names people would take for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subnets import naming
from subnets.errors import TextRefused


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Prime \u00a0 Products ", "Prime Products"),
        ("\uff30rime", "Prime"),
        ("Cafe\u0301", "Café"),
        ("❤\ufe0f net", "❤ net"),
        ("AI計算", "AI計算"),
        ("한국 AI", "한국 AI"),
        ("Сеть Alpha", "Сеть Alpha"),
        ("Việt", "Việt"),
        ("तमिल", "तमिल"),
    ],
)
def test_a_name_is_kept_in_one_form(typed, kept):
    assert naming.subnet_name(typed) == kept
    assert naming.subnet_name(kept) == kept


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("Prime\u202e", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("\u2066Prime", "U+2066"),
        ("Pri\u200bme", "U+200B ZERO WIDTH SPACE"),
        ("Pri\u00adme", "U+00AD"),
        ("Pri\ufeffme", "U+FEFF"),
        ("Prime\U000e0041", "U+E0041"),
        ("Pri\nme", "U+000A"),
        ("Pri\tme", "U+0009"),
        ("Pri\x7fme", "U+007F"),
        ("Pri\u2028me", "U+2028"),
        ("\u3164", "U+1160 HANGUL JUNGSEONG FILLER"),
        ("Prime\u2800", "U+2800"),
        ("Prime\U000e0101", "U+E0101"),
        ("Prime\ue000", "U+E000"),
        ("Prime\ud800", "U+D800"),
        ("Pri" + "\u0335" * 3 + "me", "more than 2 marks"),
        ("Рrime", "mixes Cyrillic and Latin"),
        ("Primε", "mixes Greek and Latin"),
        ("...", "needs a letter or a digit"),
        ("", "needs a letter or a digit"),
        ("\ufdfa" * 10, "more than 60 characters"),
    ],
)
def test_a_name_that_hides_something_is_refused_with_the_reason(typed, why):
    with pytest.raises(TextRefused) as refusal:
        naming.subnet_name(typed)

    assert why in refusal.value.fields["problem"]
    assert refusal.value.fields["name"] == "name"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Prime", "PRIME"),
        ("COCO", "СОСО"),
        ("coco", "сосо"),
        ("BETA", "ΒΕΤΑ"),
        ("Illusion", "lllusion"),
        ("Node 10", "Node 1O"),
        ("A-B", "A–B"),
        ("Ann's", "Ann’s"),
        ("Straße", "STRASSE"),
        ("ΝΑ", "να"),
        ("Ⅳ", "IV"),
    ],
)
def test_names_that_read_alike_are_one(one, other):
    assert naming.read_alike(one, other)
    assert naming.read_alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Prime", "Primes"), ("Alpha", "Beta"), ("Cafe", "Café"), ("Node 2", "Node 3"), ("ab", "a b")],
)
def test_names_that_read_differently_are_two(one, other):
    assert not naming.read_alike(one, other)


def test_prose_keeps_its_signs_and_lines_where_it_has_lines():
    assert naming.subnet_summary(" 10 m² for ½ … ") == "10 m² for ½ …"
    assert naming.subnet_description("One.\r\n\tTwo.") == "One.\n\tTwo."


@pytest.mark.parametrize("typed", ["one\ntwo", "pay \u202e001", "a\u200b"])
def test_a_summary_that_hides_something_is_refused(typed):
    with pytest.raises(TextRefused) as refusal:
        naming.subnet_summary(typed)

    assert refusal.value.fields["name"] == "summary"


@given(st.text(max_size=60))
def test_what_is_kept_is_kept_again_and_reads_like_itself(typed):
    try:
        kept = naming.subnet_name(typed)
    except TextRefused:
        return
    assert naming.subnet_name(kept) == kept
    assert kept.isprintable()
    assert naming.read_alike(kept, kept.swapcase() if kept.isascii() else kept)

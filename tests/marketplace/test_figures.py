"""Figures as people read them: exact where money is, and never more than there is."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.template import engines
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from ledger import spoken
from ledger.chart import Code
from ledger.money import MAX_SUPPLY_RAO, parse_tao
from ledger.money import RAO_PER_TAO as TAO
from marketplace import notices
from marketplace.errors import AuctionClosed, BuyNowGone, WithdrawalCoolingDown
from marketplace.pages import drawing, refusals, wording
from marketplace.pages.rule_words import rule_words
from subnets.models import SUBNET_LIMIT
from subnets.rules import DEFAULT_RULES

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def drawn(source, **context):
    return engines["django"].from_string(source).render(context)


@given(st.integers(min_value=0, max_value=MAX_SUPPLY_RAO))
def test_written_tao_reads_back_to_the_same_rao(rao):
    assert parse_tao(spoken.tao(rao).replace(spoken.GAP, "")) == rao


@given(st.integers(min_value=0, max_value=MAX_SUPPLY_RAO), st.integers(min_value=0, max_value=9))
def test_a_cut_amount_never_shows_more_than_there_is(rao, places):
    shown = parse_tao(spoken.tao(rao, places=places).replace(spoken.GAP, ""))

    assert 0 <= rao - shown < 10 ** (9 - places)


def test_an_instant_is_written_as_templates_write_it():
    at = datetime(2026, 12, 6, 9, 5, 7, tzinfo=UTC)
    in_paris = at.astimezone(timezone.get_fixed_timezone(60))

    assert drawn("{{ at }} UTC", at=at) == spoken.instant(at) == spoken.instant(in_paris)
    assert 'title="6 Dec 2026 09:05:07 UTC"' in drawn("{% moment at %}", at=at)


def test_a_notice_writes_figures_as_the_pages_do():
    data = {"name": "Prime", "price_rao": str(2_400 * TAO), "due_at": "2026-12-06T09:05:00+00:00"}
    card = {"name": "It", "amount_cents": 123_450, "refunded_cents": 5}

    won, refunded = (
        notices.sentence("payment_due", data),
        notices.sentence("payment_refunded", card),
    )

    assert won.startswith(
        f"You won Prime for 2{spoken.GAP}400 TAO. Pay until 6 Dec 2026 09:05 UTC,"
    )
    assert refunded.startswith(
        f"It of 1{spoken.GAP}234.50 USD was given back to its card, 0.05 USD in all"
    )


def test_a_page_says_the_figures_of_a_refusal_as_its_own():
    at = datetime(2026, 12, 6, 9, 5, tzinfo=UTC)

    assert refusals.words(AuctionClosed(closes_at=at)).startswith(
        "This auction closed at 6 Dec 2026 09:05:00 UTC."
    )
    assert refusals.words(WithdrawalCoolingDown(words="your password", until=at)).endswith(
        "wait until 6 Dec 2026 09:05 UTC. Try again then."
    )
    assert f"1{spoken.GAP}234.5 TAO" in refusals.words(BuyNowGone(min_next_rao=1_234_500_000_000))


@pytest.mark.parametrize(
    ("rao", "words"),
    [
        (0, "0"),
        (125_000_000, "0.125"),
        (9_999_999_999, "9.99"),
        (950_000_000_000, "950"),
        (1_000_000_000_000, "1 k"),
        (12_399_000_000_000, "12.3 k"),
        (1_250_000_000_000_000, "1.25 M"),
        (-2_000_000_000, "−2"),
    ],
)
def test_a_tile_shows_three_digits(rao, words):
    assert wording.short_tao(rao).replace(spoken.GAP, " ") == words


@pytest.mark.parametrize(
    ("part", "of", "places", "words"),
    [
        (65_535, 65_535, 1, "100.0 %"),
        (1, 3, 1, "33.3 %"),
        (1, 0, 1, "–"),
        (250, 10_000, 2, "2.50 %"),
    ],
)
def test_a_share_is_written_in_percent(part, of, places, words):
    assert wording.percent(part, of=of, places=places).replace(spoken.GAP, " ") == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (-59, "59 s ago"),
        (-3_600, "1 h ago"),
        (2 * 86_400, "in 2 days"),
        (90, "in 1 min"),
    ],
)
def test_an_instant_is_told_by_its_distance(seconds, words):
    told = wording.distance(NOW + timedelta(seconds=seconds), now=NOW)

    assert told.replace(spoken.GAP, " ") == words


def test_a_refusal_speaks_of_tao():
    told = spoken.sentence("The lowest bid taken now is 1500000000 rao; this one was 1 rao.")

    assert told == "The lowest bid taken now is 1.5 TAO; this one was 0.000000001 TAO."


def test_every_reason_that_money_moves_has_words():
    assert set(wording.BECAUSE) == set(Code)
    assert wording.because("no:such:code") == "no:such:code"


def test_an_amount_carries_its_exact_rao():
    html = drawn("{% amount rao %}", rao=1_234_567_890_123)

    assert 'value="1234567890123"' in html
    assert f'title="1{spoken.GAP}234.567890123 TAO"' in html
    assert ">.5678<" in html


def test_a_name_cannot_smuggle_markup_into_a_chart():
    html = drawn("{% sparkline values label %}", values=[1, 2], label='"><script>')

    assert "<script>" not in html


def test_every_slot_has_a_seal_of_its_own():
    assert len({drawing.rosette(netuid) for netuid in range(1, SUBNET_LIMIT + 1)}) == SUBNET_LIMIT


@given(
    st.lists(
        st.tuples(st.integers(0, 2**40), st.integers(0, MAX_SUPPLY_RAO)), min_size=2, max_size=30
    ),
    st.booleans(),
)
def test_a_line_stays_within_its_box(points, is_step):
    line = drawing.line(sorted(points), is_step=is_step)

    assert line is not None
    numbers = [float(word) for word in line.path.translate(str.maketrans("MLHV", "    ")).split()]
    assert all(0 <= number <= drawing.WIDTH for number in numbers)
    values = [value for _, value in points]
    assert (line.low, line.high) == (min(values), max(values))
    assert line.ticks[-1] <= line.low <= line.high <= line.ticks[0]
    assert len({high - low for low, high in itertools.pairwise(line.ticks[::-1])}) == 1
    assert 2 <= len(line.ticks) <= drawing.SPACES + 2


def test_one_figure_is_no_line():
    assert drawing.line([(1, 1)]) is None
    assert "One figure so far" in drawn("{% tao_over_time points 'Price' %}", points=[(NOW, 5)])


@given(st.lists(st.integers(0, MAX_SUPPLY_RAO), min_size=1, max_size=60))
def test_bars_stand_on_the_floor_and_do_not_touch(values):
    bars = drawing.bars(values)

    assert all(bar.y + bar.height == pytest.approx(drawing.HEIGHT, abs=0.2) for bar in bars)
    assert all(left.x + left.width < right.x for left, right in itertools.pairwise(bars))


@pytest.mark.parametrize("kind", sorted(DEFAULT_RULES))
def test_a_rule_is_told_gate_by_gate_with_what_its_names_mean(kind):
    document = DEFAULT_RULES[kind]

    words = rule_words(document)

    expressions = [sentence.expression for sentence in words.sentences]
    assert expressions[: len(document["gates"])] == [gate["if"] for gate in document["gates"]]
    assert document["score"] in expressions
    assert {"success_rate", "canary_quality"} <= {name.name for name in words.names}


def test_a_value_that_never_changed_is_drawn_over_an_axis_from_zero():
    drawn = drawing.line([(0, 1_000), (10, 1_000)], is_step=True)

    assert drawn.ticks == (1_000, 500, 0)
    assert drawn.area.endswith("V160H0Z")


def test_a_chart_of_prices_marks_every_sale_and_says_what_was_paid_last():
    now = timezone.now()
    points = [(now - timedelta(days=20), 60 * TAO), (now - timedelta(days=3), 130 * TAO)]

    html = drawn("{% tao_over_time points 'Price' is_step=True %}", points=points)

    assert html.count('class="chart-mark"') == 2
    assert '<b class="num">130</b> <span class="unit">TAO</span> <small>last, <time' in html
    assert 'aria-label="Price: 2 sales, from 60.0000 TAO to 130.0000 TAO' in html
    assert "<span>150</span><span>100</span><span>50</span><span>0</span>" in html
    assert html.count("<tr>") == 3  # the same as a table

"""Prices of answers, the most one can cost, what a tab sets aside, and the line that is kept of a request."""

import json

import numpy as np
import pytest

from compute import serving
from compute.serving import Kind, ModelTerms, Outcome, UsageRecord
from tests.compute.serving_world import TERMS, line


def test_a_price_is_the_sum_of_both_sides_rounded_up_once():
    # 10 × 1 + 20 × 4 = 90 rao; a single token of a prompt costs 1, and no fraction is lost twice.
    assert serving.price_rao(TERMS, prompt_tokens=10, completion_tokens=20) == 90
    cheap = ModelTerms("m", 1, Kind.CHAT, 2**13, 2**12, 400_000, 400_000, 0)
    assert serving.price_rao(cheap, prompt_tokens=1, completion_tokens=1) == 1
    assert serving.price_rao(cheap, prompt_tokens=0, completion_tokens=0) == 0


def test_no_answer_costs_more_than_its_ceiling():
    rng = np.random.default_rng(5)
    for _ in range(1_000):
        price_a, price_b = (int(n) for n in rng.integers(0, serving.PRICE_RAO_PER_MTOK_MAX, 2))
        sent, asked, said = (int(n) for n in rng.integers(0, 2**16, 3))
        terms = ModelTerms("m", 1, Kind.CHAT, 2**15, 2**14, price_a, price_b, 0)
        prompt_tokens = serving.prompt_tokens_max(terms, prompt_bytes=sent)

        price_rao = serving.price_rao(
            terms, prompt_tokens=prompt_tokens, completion_tokens=min(said, asked)
        )

        assert price_rao <= serving.ceiling_rao(terms, prompt_bytes=sent, output_tokens=asked)


def test_a_prompt_has_a_token_a_byte_at_most_and_never_more_than_the_context():
    assert serving.prompt_tokens_max(TERMS, prompt_bytes=100) == 100 + serving.TEMPLATE_TOKENS
    assert serving.prompt_tokens_max(TERMS, prompt_bytes=10**6) == TERMS.context_tokens_max


@pytest.mark.parametrize(
    ("available_rao", "left_rao", "size_rao"),
    [
        (100_000, None, 500),  # fifty requests
        (600, None, 300),  # half of the wallet
        (12, None, 10),  # less than two requests are left: all the request needs
        (100_000, 70, 70),  # what the month leaves
        (100_000, 10, 10),
    ],
)
def test_a_tab_is_for_many_requests_within_half_the_wallet_and_the_limit(
    available_rao, left_rao, size_rao
):
    asked = serving.tab_size_rao(need_rao=10, available_rao=available_rao, left_rao=left_rao)

    assert asked == size_rao


@pytest.mark.parametrize("tab", [None, line().id])
def test_a_line_is_read_back_as_it_was_written(tab):
    record = line(tab=tab, price_rao=0 if tab is None else 7, outcome=Outcome.CUT)

    text = record.to_json()

    assert "\n" not in text
    assert UsageRecord.from_json(text) == record
    assert UsageRecord.from_json(text.encode()) == record


@pytest.mark.parametrize(
    "facts",
    [
        {"price_rao": 1},
        {"tab": line().id, "price_rao": 1, "outcome": Outcome.FAILED},
        {"prompt_tokens": 2**31},
        {"duration_ms": -1},
        {"hotkey": "5" * 49},
    ],
)
def test_a_line_that_no_row_could_hold_is_refused_when_it_is_made(facts):
    with pytest.raises(ValueError, match=r"costs nothing|bounds|characters"):
        line(**facts)


@pytest.mark.parametrize("text", ["", "{}", "[]", "7", '{"id":', '{"id":null}', "\x00"])
def test_what_is_no_line_is_told_by_one_error(text):
    with pytest.raises(ValueError, match="no record"):
        UsageRecord.from_json(text)


def test_a_line_with_a_member_too_many_is_none_of_ours():
    said = json.loads(line().to_json()) | {"more": 1}

    with pytest.raises(ValueError, match="no record"):
        UsageRecord.from_json(json.dumps(said))

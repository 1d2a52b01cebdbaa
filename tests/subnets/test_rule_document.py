"""A rule document is read whole or refused whole, with every problem named at once."""

import json
from dataclasses import FrozenInstanceError

import pytest

from subnets import rule_document, rules
from subnets.errors import RuleInvalid
from subnets.shaping import Bounds, Linear, Power, WinnerTakesAll
from tests.subnets.rule_builders import DOCUMENT, document, miner, problems, rule

# --- reading a document ---


def test_a_document_becomes_a_frozen_rule():
    parsed = rules.parse(DOCUMENT)

    assert parsed == rules.Rule(
        title="Fast and right",
        gates=(rule_document.Gate("sample_count >= 3", "Too few results were checked."),),
        score="quality * math.least(1.0, 500.0 / latency_ms)",
        shaping=Power(exponent_ppm=2_000_000),
        smoothing=rule_document.Smoothing(ema_alpha_ppm=250_000, idle_keep_ppm=500_000),
        burn_bps=100,
    )
    with pytest.raises(FrozenInstanceError):
        parsed.burn_bps = 0


def test_optional_fields_may_be_left_out():
    parsed = rule()

    assert (parsed.gates, parsed.smoothing, parsed.burn_bps) == ((), None, 0)


@pytest.mark.parametrize(
    "source", [json.dumps(DOCUMENT), json.dumps(DOCUMENT, indent=4).encode(), DOCUMENT]
)
def test_text_bytes_and_mapping_give_the_same_rule(source):
    assert rules.digest(rules.parse(source)) == rules.digest(rules.parse(DOCUMENT))


def test_every_member_reads_back_from_the_canonical_text():
    full = rule(
        smoothing={"ema_alpha_ppm": 1, "bias_corrected": True},
        shaping={"kind": "rank_decay", "decay_ppm": 500_000},
        one_per_owner=True,
        max_share_ppm=10_000,
        floor_ppm=3_906,
    )

    assert rules.parse(rules.canonical(full)) == full
    assert full.bounds == Bounds(max_share_ppm=10_000, floor_ppm=3_906)
    assert full.smoothing.is_bias_corrected
    assert full.one_per_owner


def test_a_canonical_text_is_sorted_without_spaces_and_reads_back():
    parsed = rules.parse(DOCUMENT)
    text = rules.canonical(parsed)

    assert text.startswith(
        b'{"burn_bps":100,"format":1,"gates":[{"if":"sample_count >= 3","reason"'
    )
    assert rules.parse(text) == parsed


def test_a_digest_is_stable_for_ever():
    assert rules.digest(rule()) == (
        "cbbd33766bd9b0f2a1777c085cf681caf144971c2ba4a657642d50a19bad6c2f"
    )


# Digests of documents as they were published before the members that may be left out came.
@pytest.mark.parametrize(
    ("source", "known"),
    [
        (DOCUMENT, "093c3a3826dbfad95e7b06abe7d19237fbccffc0b3813af703673e47cca8a600"),
        (
            # It came before wrong results themselves were a gate.
            rules.DEFAULT_RULES["matmul"]
            | {
                "gates": [
                    gate
                    for gate in rules.DEFAULT_RULES["matmul"]["gates"]
                    if gate["if"] != "quality >= 0.95"
                ]
            },
            "01af453cd3dc640990dbe148132f6b787275c532e7b47881c4e47229060212b3",
        ),
        (
            rules.DEFAULT_RULES["embeddings"],
            "4fa84945b8d7039b4404680fdc1f226004b1c34641e1e591a8b056385efd7b7d",
        ),
        (
            document(shaping={"kind": "winner_takes_all"}),
            "db33a7a4d0b5fdf35b87212440795481d67ef886a4a6eb1e3640dba35eafe19d",
        ),
    ],
)
def test_a_rule_published_long_ago_keeps_its_digest(source, known):
    assert rules.digest(rules.parse(source)) == known


def test_writing_out_a_default_does_not_change_the_digest():
    written = rule(gates=[], burn_bps=0, one_per_owner=False, max_share_ppm=1_000_000, floor_ppm=0)

    assert rules.digest(written) == rules.digest(rule())


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Other"},
        {"score": "quality "},
        {"burn_bps": 1},
        {"shaping": {"kind": "top_k", "k": 3}},
        {"smoothing": {"ema_alpha_ppm": 1}},
        {"gates": [{"if": "true", "reason": "Never."}]},
        {"one_per_owner": True},
        {"max_share_ppm": 250_000},
        {"floor_ppm": 1},
    ],
)
def test_any_change_of_meaning_changes_the_digest(changes):
    assert rules.digest(rule(**changes)) != rules.digest(rule())


@pytest.mark.parametrize(
    ("shaping", "read"),
    [
        ({"kind": "linear"}, Linear()),
        ({"kind": "winner_takes_all"}, WinnerTakesAll(margin_ppm=0)),
        ({"kind": "winner_takes_all", "margin_ppm": 30_000}, WinnerTakesAll(margin_ppm=30_000)),
    ],
)
def test_a_shaping_is_read_with_its_defaults(shaping, read):
    assert rule(shaping=shaping).shaping == read


@pytest.mark.parametrize(
    ("kind", "poor_quality"), [("matmul", 0.95), ("embeddings", 0.5), ("language", 0.7)]
)
def test_a_default_rule_is_valid_and_pays_the_better_miner_more(kind, poor_quality):
    parsed = rules.parse(rules.DEFAULT_RULES[kind])
    good, poor = miner(0.95), miner(poor_quality, credited_work_units=4.0)

    weights = rules.evaluate(parsed, {"good": good, "poor": poor}).weights_u16

    assert weights["good"] == 65_535
    assert 0 < weights["poor"] < 40_000


# --- refusing a document ---


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        (b"\xff{}", "not valid JSON"),
        ('{"format": 1, "format": 1}', "'format' stands twice"),
        ('{"burn_bps": NaN}', "NaN is not a JSON number"),
        ({"burn_bps": float("inf")}, "not valid JSON"),
        ({"title": object()}, "not valid JSON"),
        ("[1]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ("[" * 16_000, "nested too deep"),
        ('{"burn_bps": ' + "9" * 9_000 + "}", "not valid JSON"),
        (" " * 16_385, "16385 bytes; at most 16384"),
        (document(title="é" * 9_000), "at most 16384"),
    ],
)
def test_what_is_not_a_document_is_refused_as_a_whole(source, detail):
    found = problems(source)

    assert list(found) == [""]
    assert detail in found[""]


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"format": 2}, "/format", "exactly 1"),
        ({"format": True}, "/format", "exactly 1"),
        ({"format": ...}, "/format", "missing"),
        ({"title": ...}, "/title", "missing"),
        ({"score": ...}, "/score", "missing"),
        ({"shaping": ...}, "/shaping", "missing"),
        ({"split": {}}, "/split", "Unknown field 'split'"),
        ({"a/b~c": 1}, "/a~1b~0c", "Unknown field"),
        ({"title": " "}, "/title", "not empty"),
        ({"title": 7}, "/title", "must be text"),
        ({"title": "t" * 121}, "/title", "121 characters; at most 120"),
        ({"title": "two\nlines"}, "/title", "one line"),
        ({"title": "\ud800"}, "/title", "printable"),
        ({"burn_bps": 5_001}, "/burn_bps", "from 0 to 5000"),
        ({"burn_bps": -1}, "/burn_bps", "from 0 to 5000"),
        ({"burn_bps": 1.0}, "/burn_bps", "whole number"),
        ({"burn_bps": None}, "/burn_bps", "whole number"),
        ({"smoothing": []}, "/smoothing", "JSON object"),
        ({"smoothing": {}}, "/smoothing/ema_alpha_ppm", "missing"),
        ({"smoothing": {"ema_alpha_ppm": 0}}, "/smoothing/ema_alpha_ppm", "from 1 to 1000000"),
        (
            {"smoothing": {"ema_alpha_ppm": 1, "idle_keep_ppm": 1_000_001}},
            "/smoothing/idle_keep_ppm",
            "from 0 to 1000000",
        ),
        ({"smoothing": {"ema_alpha_ppm": 1, "half_life": 3}}, "/smoothing/half_life", "Unknown"),
        ({"shaping": "linear"}, "/shaping/kind", "one of linear, power"),
        ({"shaping": {"kind": "cubic"}}, "/shaping/kind", "one of linear, power"),
        ({"shaping": {"kind": ["linear"]}}, "/shaping/kind", "one of linear, power"),
        ({"shaping": {"kind": "linear", "k": 1}}, "/shaping/k", "Unknown field"),
        ({"shaping": {"kind": "power"}}, "/shaping/exponent_ppm", "missing"),
        ({"shaping": {"kind": "power", "exponent_ppm": 0}}, "/shaping/exponent_ppm", "from 100000"),
        (
            {"shaping": {"kind": "softmax", "temperature_ppm": 999}},
            "/shaping/temperature_ppm",
            "from 1000",
        ),
        ({"shaping": {"kind": "top_k", "k": 0}}, "/shaping/k", "from 1 to 256"),
        (
            {"shaping": {"kind": "winner_takes_all", "margin_ppm": 500_001}},
            "/shaping/margin_ppm",
            "from 0 to 500000",
        ),
        (
            {"shaping": {"kind": "rank_decay", "decay_ppm": 1_000_000}},
            "/shaping/decay_ppm",
            "from 1000 to 999000",
        ),
        ({"one_per_owner": 1}, "/one_per_owner", "true or false"),
        ({"max_share_ppm": 9_999}, "/max_share_ppm", "from 10000 to 1000000"),
        ({"floor_ppm": 3_907}, "/floor_ppm", "from 0 to 3906"),
        (
            {"shaping": {"kind": "winner_takes_all"}, "max_share_ppm": 500_000},
            "/max_share_ppm",
            "winner_takes_all pays one miner",
        ),
        (
            {"smoothing": {"ema_alpha_ppm": 1, "bias_corrected": "yes"}},
            "/smoothing/bias_corrected",
            "true or false",
        ),
        ({"gates": {}}, "/gates", "list of at most 8"),
        ({"gates": [{"if": "true", "reason": "r"}] * 9}, "/gates", "list of at most 8"),
        ({"gates": ["true"]}, "/gates/0", "JSON object"),
        ({"gates": [{"reason": "r"}]}, "/gates/0/if", "missing"),
        ({"gates": [{"if": "true"}]}, "/gates/0/reason", "missing"),
        ({"gates": [{"if": "true", "reason": "r" * 201}]}, "/gates/0/reason", "at most 200"),
        ({"gates": [{"if": "quality", "reason": "r"}]}, "/gates/0/if", "true or false"),
        ({"gates": [{"if": True, "reason": "r"}]}, "/gates/0/if", "must be an expression"),
    ],
)
def test_a_wrong_field_is_named_and_explained(changes, pointer, detail):
    found = problems(document(**changes))

    assert list(found) == [pointer]
    assert detail in found[pointer]


@pytest.mark.parametrize(
    ("score", "detail"),
    [
        ("", "not empty"),
        (3, "must be an expression"),
        ("quality" + " " * 2_000, "2007 characters; at most 2000"),
        ("qualty * 2.0", "Did you mean quality?"),
        ("quality.x", "neither a metric nor a function"),
        ("size", "neither a metric nor a function"),
        ("dyn(1)", "neither a metric nor a function"),
        ("null", "neither a metric nor a function"),
        ("quality in quality", "neither a metric nor a function"),
        ("math.pow(quality, 2.0)", "neither a metric nor a function"),
        ("math", "neither a metric nor a function"),
        ("math.least", "write math.least(...)"),
        ("quality(1)", "quality is not a function"),
        ("true()", "true is not a function"),
        ("quality // 2.0", "Comments"),
        ("quality @ 2", "'@' at column 9"),
        ("quality × 2.0", "'×' at column 9"),
        ("٣", "means nothing"),
        ("3u", "not a number a rule can use"),
        ("0x1F", "not a number a rule can use"),
        ("1e999", "too large"),
        ("9" * 1_900, "too large"),
        ("9223372036854775808", "too large"),
        ("quality * 2", "write whole numbers as 2.0"),
        ("quality\n* 2", "line 2, column 1"),
        ("quality +", "ends too early"),
        ("(quality", "ends too early"),
        ("quality)", "does not read as an expression"),
        ("1.0.0", "does not read as an expression"),
        ("quality > 0.5", "must be a number"),
        ("math.least(sample_count, 1.0)", "mixes whole numbers and decimals"),
        ("quality > 0.5 ? 1.0 : 0", "cannot take (bool, double, int)"),
        ("math.least(true)", "invalid single argument"),
    ],
)
def test_a_wrong_expression_is_explained(score, detail):
    found = problems(document(score=score))

    assert list(found) == ["/score"]
    assert detail in found["/score"]


def test_every_problem_is_reported_at_once():
    found = problems(
        {
            "format": 3,
            "titel": "Typo",
            "gates": [
                {"if": "quality", "reason": ""},
                {"if": "foo > 1", "reason": "Fine."},
                {"if": "true", "reason": "Fine."},
            ],
            "score": "quality * 2",
            "shaping": {"kind": "top_k"},
            "burn_bps": 9_999,
        }
    )

    assert set(found) == {
        "/format",
        "/titel",
        "/title",
        "/gates/0/if",
        "/gates/0/reason",
        "/gates/1/if",
        "/score",
        "/shaping/k",
        "/burn_bps",
    }


def test_a_refusal_says_its_first_problem_in_its_message():
    with pytest.raises(RuleInvalid, match="burn_bps must be a whole number from 0 to 5000"):
        rules.parse(document(burn_bps=6_000))


def test_the_number_of_problems_is_bounded():
    with pytest.raises(RuleInvalid) as caught:
        rules.parse(document(**{f"field{number}": 1 for number in range(500)}))

    assert len(caught.value.fields["problems"]) == rule_document.PROBLEMS_MAX

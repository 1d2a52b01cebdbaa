"""Language: what a payload may be, and how far a text has to go along."""

import pytest

from compute import replication
from compute.blueprints import language as blueprint
from compute.blueprints.language.prompts import conversation
from neurons.workloads import language
from neurons.workloads.language import CHECKED_CHARACTERS, Generated, Language, compared
from tests.neurons.kit import said

QUESTION = {"role": "user", "content": "Why is the sky blue?"}
PAYLOAD = {"messages": [QUESTION], "max_tokens": 8, "temperature": 0, "seed": 1}


def answer(text, finish_reason="stop"):
    return {
        "text": text,
        "finish_reason": finish_reason,
        "prompt_tokens": 5,
        "completion_tokens": 5,
    }


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"temperature": 0.5}, "temperature must be 0"),
        ({"max_tokens": 513}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"seed": -1}, "seed"),
        ({"messages": []}, "list of 1 to"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role of message 0"),
        ({"messages": [QUESTION | {"content": "a\0"}]}, "Message 0 must hold text"),
        ({"messages": [QUESTION | {"content": " "}]}, "Message 0 must hold text"),
        ({"messages": [QUESTION, {"role": "assistant", "content": "x"}]}, "last message"),
        ({"messages": [QUESTION | {"content": "a" * 9_000}] * 2}, "characters together"),
        ({"messages": [QUESTION | {"name": "x"}]}, "exactly the fields"),
        ({"upstream": "http://169.254.169.254"}, "exactly the fields"),
    ],
)
def test_a_payload_that_cannot_be_checked_is_refused(changed, told):
    assert language.payload_problem(PAYLOAD) is None
    assert told in language.payload_problem(PAYLOAD | changed)


def test_the_beginning_alone_is_compared():
    text = "a" * CHECKED_CHARACTERS

    assert compared(answer(text + " and on"), answer(text + " or not"))[0] == 1_000_000
    assert compared(answer("\n" + text), answer(text))[0] == 1_000_000


def test_a_text_that_parts_late_is_worth_what_it_shared_and_one_that_parts_early_nothing():
    right = answer("b" * CHECKED_CHARACTERS)

    late = compared(answer("b" * 120 + "x" * 40), right)
    early = compared(answer("b" * 39 + "x" * 121), right)

    assert late == (750_000, "the first 120 of 160 characters checked are equal")
    assert early[0] == 0


def test_a_text_that_stops_where_the_answer_goes_on_is_worth_less_and_the_other_way_round():
    assert compared(answer("The sky"), answer("The sky scatters blue light")) == (
        259_259,
        "the first 7 of 27 characters checked are equal",
    )
    assert compared(answer("Paris, and buy my book, " * 3), answer("Paris"))[0] == 0
    assert compared(answer(""), answer(""))[0] == 1_000_000
    assert compared(answer(""), answer("No."))[0] == 0


def test_a_server_that_counts_beyond_what_was_asked_does_not_cost_its_miner_the_job():
    workload = Language(lambda *_, **__: Generated("Hi", "stop", 3, 99))

    assert workload.run(PAYLOAD)["completion_tokens"] == 8


def test_a_validator_whose_model_is_down_gives_no_score():
    def down(*_, **__):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        Language(down).check(payload=PAYLOAD, output=answer("x"), known_answer=None, rng=None)


def test_a_canary_has_the_form_of_any_order_and_never_comes_twice(rng):
    canaries = [blueprint.make_canary(rng) for _ in range(2_000)]
    texts = {canary["messages"][-1]["content"] for canary, _ in canaries}

    assert {known for _, known in canaries} == {None}
    assert all(language.payload_problem(canary) is None for canary, _ in canaries)
    assert {len(canary["messages"]) for canary, _ in canaries} == {1, 2, 3, 4}
    # Follow-ups are few and short; what precedes them is new.
    assert len({str(canary["messages"]) for canary, _ in canaries}) == 2_000
    assert len(texts) > 1_600
    lengths = sorted(len(text) for text in texts)
    assert lengths[0] < 60
    assert lengths[-1] > 400


def test_a_canary_leaves_no_place_unfilled(rng):
    said_to = [each["content"] for _ in range(500) for each in conversation(rng)]

    assert not [text for text in said_to if "{" in text.replace('{"', "")]


def test_language_is_priced_by_what_is_said_and_what_may_be_answered():
    assert blueprint.work_units(PAYLOAD) == 4 + 5 + 8
    assert blueprint.price_rao(PAYLOAD) == 17 * 2_000


@pytest.fixture
def rng():
    import numpy as np

    return np.random.default_rng(4)


def test_the_stand_in_of_the_kit_is_cut_like_a_model():
    assert said([QUESTION], max_tokens=2, seed=1).finish_reason == "length"


LONG = PAYLOAD | {"max_tokens": 512}
STORY = " ".join(f"word{number}" for number in range(200))


def goes_on(messages, *, max_tokens, seed):
    """Stand for a model that tells one story, and goes on from whatever it is given of it."""
    begun = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
    rest = STORY.removeprefix(begun) if STORY.startswith(begun) else " and something else" * 9
    return Generated((rest if begun else STORY)[: 4 * max_tokens], "length", 5, max_tokens)


def begins_anew(messages, *, max_tokens, seed):
    return Generated(STORY[: 4 * max_tokens], "length", 5, max_tokens)


def says_all(messages, *, max_tokens, seed):
    """Stand for a server that says what it was given as well, as llama.cpp's does."""
    begun = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
    return Generated(
        begun + goes_on(messages, max_tokens=max_tokens, seed=seed).text, "length", 5, 9
    )


def checked(generate, text, rng):
    return Language(generate).check(
        payload=LONG, output=answer(text), known_answer=answer(STORY), rng=rng
    )


@pytest.mark.parametrize("generate", [goes_on, says_all])
def test_a_text_that_is_right_for_as_long_as_beginnings_go_and_invented_then_is_worth_nothing(
    rng, generate
):
    begun = STORY[: CHECKED_CHARACTERS + 20]

    assert checked(generate, STORY, rng)[0] == 1_000_000
    for rest in (" whatever comes to mind" * 20, "x" * 400):
        ppm, reason = checked(generate, begun + rest, rng)
        assert ppm == 0
        assert reason.startswith("from character ")


def test_a_later_part_that_says_one_thing_again_and_again_is_looked_at_where_it_was_new(rng):
    def goes_on_with_loops(messages, *, max_tokens, seed):
        begun = messages[-1]["content"]
        said_before = begun.find(begun[-20:])
        if STORY.startswith(begun) or not 0 <= said_before < len(begun) - 20:
            return goes_on(messages, max_tokens=max_tokens, seed=seed)
        return Generated(begun[said_before + 20 :] * 9, "length", 5, max_tokens)

    text = (
        STORY[: CHECKED_CHARACTERS + 20]
        + " and everybody agreed that it is a fine day to sing" * 20
    )
    found = [checked(goes_on_with_loops, text, rng)[0] for _ in range(50)]

    assert found.count(0) > 45


def test_a_server_that_begins_anew_judges_by_the_beginning_alone(rng):
    workload = Language(begins_anew)
    cheat = answer(STORY[: CHECKED_CHARACTERS + 20] + " whatever" * 40)

    found = {
        workload.check(payload=LONG, output=cheat, known_answer=answer(STORY), rng=rng)[0]
        for _ in range(8)
    }

    assert found == {1_000_000}


def test_a_text_without_room_for_a_window_is_not_asked_for_again(rng):
    def never(messages, *, max_tokens, seed):
        raise AssertionError

    assert checked(never, STORY[: CHECKED_CHARACTERS + 79], rng)[0] == 1_000_000


@pytest.mark.parametrize("altered", [0.25, 0.5, 0.75])
def test_a_later_part_that_is_invented_is_missed_no_oftener_than_its_share_says(rng, altered):
    honest = int((len(STORY) - CHECKED_CHARACTERS) * (1 - altered)) + CHECKED_CHARACTERS
    text = STORY[:honest] + "#" * (len(STORY) - honest)
    workload = Language(goes_on)

    missed = sum(
        workload.check(payload=LONG, output=answer(text), known_answer=answer(STORY), rng=rng)[0]
        == language.RIGHT_PPM
        for _ in range(600)
    )

    expected = replication.missed_by_samples(1, looked_at=1.0, cheated=altered)
    assert expected - 0.15 < missed / 600 < expected + 0.02


def test_a_payload_names_the_model_by_which_it_is_judged():
    one, other = (
        Language(lambda *_, text=text, **__: Generated(text, "stop", 3, 2))
        for text in ("Yes", "No")
    )
    workload = Language(one.generate, {"one": one, "other": other})

    for name, ppm in (("one", 1_000_000), ("other", 0)):
        given = {"payload": PAYLOAD | {"model": name}, "output": answer("Yes")}
        assert workload.check(**given, known_answer=None, rng=None)[0] == ppm
    with pytest.raises(LookupError, match="no model third"):
        workload.check(
            payload=PAYLOAD | {"model": "third"}, output=answer("Yes"), known_answer=None, rng=None
        )

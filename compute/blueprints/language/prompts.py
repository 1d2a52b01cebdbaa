"""Compose conversations as consumers write them, for jobs that a miner must not be able to tell from theirs.

A request has 1 to 5 new sentences (each one of more than 10**9) in one of 24 forms, with or without a system message
and an earlier turn: a miner that stores answers does not meet one twice.
"""

import numpy as np

from compute.blueprints.embeddings.sentences import PEOPLE, THINGS, sentence

SYSTEMS = (
    "You are a helpful assistant.",
    "You are a helpful, honest and concise assistant.",
    "Answer briefly.",
    "You are an editor. Keep the author's voice.",
    "Reply in plain English, without lists.",
    "You are a support agent of a small shop. Be polite and short.",
    "You are a teacher of twelve-year-olds.",
    "Answer with the text alone, no introduction.",
)
FORMS = (
    "Summarise in one sentence: {text}",
    "tl;dr\n\n{text}",
    "Translate into French:\n\n{text}",
    "Please translate this to Spanish. {text}",
    "Rewrite this more formally: {text}",
    "Fix the grammar, change nothing else:\n{text}",
    "{text}\n\nWhat is this about?",
    "Write a title for this text: {text}",
    "Continue the story: {text}",
    "List the people and things that are named here.\n\n{text}",
    'Is the tone of this positive, negative or neutral? "{text}"',
    "{text} Who does what? Answer in one line.",
    "Turn this into three bullet points: {text}",
    "Explain to a child: {text}",
    "Write a short reply to this message:\n\n> {text}",
    "Which word of the following is the most unusual, and why? {text}",
    "Make a haiku out of this. {text}",
    "Give me 5 keywords for: {text}",
    "What would a {person} say to this? {text}",
    "Write a two-line advertisement for a {thing}. Mention this: {text}",
    "Compare a {thing} with a {other} in two sentences. {text}",
    'Return JSON with the keys "subject" and "verb" for: {text}',
    "hi, can you shorten this for me? {text}",
    "What questions does this leave open?\n{text}",
)
FOLLOW_UPS = (
    "Shorter, please.",
    "And now in German?",
    "Why?",
    "Can you give an example?",
    "Make it funnier.",
    "Are you sure? Explain.",
    "Thanks. Once more, but for a {person}.",
    "What about the {thing}?",
)
SENTENCES_MAX = 5
SYSTEM_SHARE = 0.4
FOLLOW_UP_SHARE = 0.2


def conversation(rng: np.random.Generator) -> list[dict[str, str]]:
    """Compose the messages of one request; the last one is the user's."""
    messages = []
    if rng.random() < SYSTEM_SHARE:
        messages.append({"role": "system", "content": _drawn(rng, SYSTEMS)})
    messages.append({"role": "user", "content": _filled(rng, _drawn(rng, FORMS))})
    if rng.random() < FOLLOW_UP_SHARE:
        messages.append({"role": "assistant", "content": _text(rng)})
        messages.append({"role": "user", "content": _filled(rng, _drawn(rng, FOLLOW_UPS))})
    return messages


def _filled(rng: np.random.Generator, form: str) -> str:
    return form.format(
        text=_text(rng),
        person=_drawn(rng, PEOPLE),
        thing=_drawn(rng, THINGS),
        other=_drawn(rng, THINGS),
    )


def _text(rng: np.random.Generator) -> str:
    count = int(rng.integers(1, SENTENCES_MAX + 1))
    return " ".join(sentence(rng) for _ in range(count))


def _drawn(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]

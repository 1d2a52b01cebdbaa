"""Compose sentences nobody wrote before, for jobs whose answer must not be known to a miner.

A sentence has 5 forms and 5 or 6 free places: more than 10**9 sentences, so that a miner that stores
answers does not meet one twice. That is measured by tests/neurons/test_blueprints.py.
"""

import numpy as np

ADJECTIVES = (
    *("quiet", "narrow", "amber", "patient", "hollow", "northern", "brisk", "weathered", "polite"),
    *("crooked", "distant", "frozen", "gentle", "hasty", "ivory", "jagged", "leafy", "modest"),
    *("noisy", "open", "pale", "rural", "salty", "tidy", "unlit", "velvet", "windy", "young"),
    *("damp", "early", "faded", "golden", "humble", "inner", "late", "marble", "neat", "oval"),
)
THINGS = (
    *("harbour", "lantern", "orchard", "ledger", "bridge", "violin", "glacier", "market", "tram"),
    *("library", "compass", "kettle", "meadow", "archive", "ferry", "garden", "workshop", "tunnel"),
    *("lighthouse", "notebook", "oven", "piano", "quarry", "reservoir", "saddle", "telescope"),
    *("umbrella", "valley", "windmill", "staircase", "bakery", "canal", "dictionary", "engine"),
    *("fountain", "greenhouse", "hospital", "island", "journal", "kitchen", "museum", "balcony"),
)
PEOPLE = (
    *("teacher", "sailor", "carpenter", "nurse", "pilot", "farmer", "judge", "painter", "baker"),
    *("chemist", "drummer", "editor", "gardener", "historian", "locksmith", "miller", "plumber"),
    *("referee", "shepherd", "tailor", "surveyor", "weaver", "librarian", "astronomer", "broker"),
)
DEEDS = (
    *("measures", "repairs", "sketches", "inherits", "cleans", "describes", "guards", "opens"),
    *("photographs", "rents", "sells", "visits", "admires", "borrows", "closes", "decorates"),
    *(
        "examines",
        "follows",
        "insures",
        "leaves",
        "moves",
        "names",
        "paints",
        "rebuilds",
        "watches",
    ),
)
TIMES = (
    *("before dawn", "after the storm", "in March", "every winter", "at noon", "on Sundays"),
    *("during the strike", "since the flood", "twice a year", "without warning", "by moonlight"),
    *("in the second week", "while others sleep", "for the last time", "as agreed", "in silence"),
)
FORMS = (
    "The {a} {person} {deed} the {b} {thing} {time}.",
    "{Time}, a {person} {deed} {count} {a} drawings of the {thing}.",
    "Why does the {person} say that nobody {deed} the {a} {thing} {time}?",
    "A {a} {thing} costs {count} coins {time}, and the {person} {deed} it.",
    "Between the {thing} and the {b} river, one {a} {person} {deed} everything {time}.",
)
COUNT_MAX = 900


def sentence(rng: np.random.Generator) -> str:
    """Compose one sentence of 40 to 120 characters."""
    time = _drawn(rng, TIMES)
    return _drawn(rng, FORMS).format(
        a=_drawn(rng, ADJECTIVES),
        b=_drawn(rng, ADJECTIVES),
        person=_drawn(rng, PEOPLE),
        thing=_drawn(rng, THINGS),
        deed=_drawn(rng, DEEDS),
        time=time,
        Time=time.capitalize(),
        count=int(rng.integers(2, COUNT_MAX)),
    )


def _drawn(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]

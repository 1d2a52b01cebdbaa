"""The house rules hold in every file, and each rule can tell a line that breaks it from one that keeps it."""

from functools import cache

import pytest

from tests.project import tree
from tests.project.house_rules import RULES


def named(rules):
    return pytest.mark.parametrize("rule", rules, ids=lambda rule: rule.name.replace(" ", "_"))


@cache
def faults(rule):
    """Return what a rule finds in the tree, and which of its excuses are used."""
    found, used = [], set()
    for name in tree.files():
        if not rule.reaches(name):
            continue
        for line, what in rule.find(name, tree.text(name)):
            excuse = next(
                (
                    key
                    for key in rule.excused
                    if key.split(":")[0] == name and key.split(":", 1)[1] in what
                ),
                None,
            )
            if excuse is None:
                found.append(f"{name}:{line}: {what}")
            else:
                used.add(excuse)
    return found, used


@named(RULES)
def test_the_house_keeps_the_rule(rule):
    found, _ = faults(rule)

    assert not found, "\n".join([rule.name, *found])


@named([rule for rule in RULES if rule.excused])
def test_every_exception_is_still_needed(rule):
    _, used = faults(rule)

    assert set(rule.excused) == used


@named(RULES)
def test_the_rule_finds_the_line_that_breaks_it(rule):
    assert list(rule.find(*rule.bad))


@named(RULES)
def test_the_rule_passes_the_line_that_keeps_it(rule):
    assert not list(rule.find(*rule.good))


@named(RULES)
def test_the_rule_reaches_some_file(rule):
    assert any(rule.reaches(name) for name in tree.files())

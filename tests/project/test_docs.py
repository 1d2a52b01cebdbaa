"""What docs/ says is what the code does: words, codes, settings, commands, tables, examples."""

import doctest
import importlib
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tests.project import doc_tables, tree

PAGES = [name for name in tree.files() if name.endswith(".md")]
FIELD_WORDS = """
    netuid uid hotkey coldkey neuron miner validator tempo epoch weights stake rank trust consensus
    incentive dividends bonds emission validator_permit immunity_period metagraph rao
"""
MONEY_WORDS = "account entry transfer debit credit hold post void reverse statement"
WORDS = [*FIELD_WORDS.split(), *MONEY_WORDS.split(), "trial balance"]


def page(name):
    return tree.text(f"docs/{name}")


# Words --------------------------------------------------------------------------------------------


def glossary_words():
    return re.findall(r"^\*\*(.+?)\*\*:", page("glossary.md"), re.MULTILINE)


def test_each_word_of_the_glossary_is_defined_once():
    words = [word.casefold() for word in glossary_words()]

    assert len(words) == len(set(words)), sorted(
        word for word in set(words) if words.count(word) > 1
    )


@pytest.mark.parametrize("word", WORDS)
def test_the_words_of_the_field_and_of_accounting_are_defined(word):
    assert word in glossary_words()


# Errors -------------------------------------------------------------------------------------------


def test_every_refusal_has_a_code_of_its_own():
    codes = [one.code for one in doc_tables.refusals() if one.__name__ != "RequestNotAuthentic"]
    codes += [one.code for one in doc_tables.signature_refusals()]

    assert len(codes) > 50
    assert len(codes) == len(set(codes)), sorted({code for code in codes if codes.count(code) > 1})


@pytest.mark.parametrize("refusal", doc_tables.refusals(), ids=lambda one: one.__name__)
def test_a_refusal_has_a_stable_code_a_status_and_a_sentence(refusal):
    assert re.fullmatch(r"[a-z][a-z_]+", refusal.code)
    assert 400 <= refusal.http_status < 600
    assert refusal.__doc__
    assert not refusal.__name__.endswith(("Error", "Exception"))


@pytest.mark.parametrize("code", ["body_too_large", "busy", "invalid_input", "replayed_request"])
def test_codes_that_no_class_carries_stand_in_code_and_docs(code):
    assert f"`{code}`" in page("api.md")
    assert any(
        f'"{code}"' in tree.text(name)
        for name in tree.files()
        if tree.is_python(name) and tree.in_app(name, *tree.APPS)
    )


def test_every_code_that_refuses_a_score_is_told():
    codes = re.findall(r'(?:return|else) "(\w+)"', tree.text("compute/operations/scores.py"))

    assert len(codes) >= 7
    for code in codes:
        assert f"`{code}`" in page("api.md")


# Tables and pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", doc_tables.pages())
def test_the_tables_of_a_page_are_those_of_the_code(name):
    assert doc_tables.written(tree.text(name)) == tree.text(name), "run `make tables`"


def test_every_table_has_its_page():
    marked = [
        mark[2] for name in doc_tables.pages() for mark in doc_tables.MARK.finditer(tree.text(name))
    ]

    assert sorted(marked) == sorted(doc_tables.TABLES)


def test_every_hyperparameter_is_listed():
    from subnets.hyperparameters import HYPERPARAMETERS

    assert all(f"| `{row.name}` |" in page("hyperparameters.md") for row in HYPERPARAMETERS)


def test_the_members_of_a_stream_event_are_those_that_are_sent():
    from marketplace.live import auction_message
    from marketplace.queries import AuctionView

    now = datetime(2026, 11, 22, tzinfo=UTC)
    view = AuctionView(
        **dict.fromkeys(AuctionView.__dataclass_fields__, 1)
        | {"id": UUID(int=1), "closes_at": now, "server_now": now}
    )

    line = next(row for row in page("api.md").splitlines() if "/events/auctions/" in row)

    assert re.findall(r"`(\w+)`", line.split("|")[-2]) == list(auction_message(view))


# Operations ---------------------------------------------------------------------------------------


def settings_read():
    text = tree.text("config/settings.py")
    return set(re.findall(r'(?:environ\.get|flag)\(\s*"([A-Z_]+)"', text))


def test_every_setting_is_told_and_every_told_setting_is_read():
    section = page("operations.md").split("## Settings")[1].split("## Secrets")[0]
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE))

    assert told == settings_read()


def test_every_command_of_make_has_help_and_is_told():
    makefile = tree.text("Makefile")
    phony = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split())
    helped = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    told = set(re.findall(r"^\| `make ([a-z]+)` \|", page("operations.md"), re.MULTILINE))

    assert phony == helped == told


def test_every_sweep_is_told():
    from django.conf import settings

    for sweep in settings.CELERY_BEAT_SCHEDULE.values():
        assert f"| `{sweep['task'].rsplit('.', 1)[1]}` |" in page("architecture.md")


# Decisions ----------------------------------------------------------------------------------------


def decisions():
    return [name for name in tree.files() if name.startswith("docs/decisions/")]


def test_decisions_are_numbered_without_a_gap():
    numbers = [name.split("/")[-1][:4] for name in decisions()]

    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("name", decisions(), ids=lambda name: name.split("/")[-1][:4])
def test_a_decision_is_short_and_says_context_decision_and_consequence(name):
    text = tree.text(name)

    assert text.count("\n") <= 40
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequence"]
    assert text.startswith(f"# {name.split('/')[-1][:4]} ")


# Links and examples -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_every_link_inside_the_project_leads_somewhere(name):
    here = (tree.ROOT / name).parent

    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", tree.text(name)):
        assert (here / target).exists(), target


@pytest.mark.parametrize("name", ["docs/architecture.md", "docs/flows/job-to-payout.md"])
def test_every_file_that_a_page_names_exists(name):
    named = re.findall(r"`((?:\w+/)+\w+\.(?:py|json|md|yaml))`", tree.text(name))

    assert named
    for file in named:
        assert file in tree.files(), file


def examples():
    for name in PAGES:
        for number, code in enumerate(
            re.findall(r"^```python\n(.*?)^```", tree.text(name), re.MULTILINE | re.DOTALL), 1
        ):
            yield pytest.param(code, id=f"{name}-{number}")


@pytest.mark.parametrize("code", list(examples()))
def test_an_example_in_the_docs_runs(code):
    exec(compile(code, "example", "exec"), {})


def modules_with_examples():
    return [
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for name in tree.files()
        if tree.is_python(name) and tree.in_app(name, *tree.APPS) and ">>> " in tree.text(name)
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_an_example_in_a_docstring_gives_what_it_says(name):
    outcome = doctest.testmod(importlib.import_module(name))

    assert outcome.attempted > 0
    assert outcome.failed == 0

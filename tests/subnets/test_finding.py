"""Finding a subnet by what people type, slips included."""

import pytest

from subnets import queries, searching
from tests import make


@pytest.fixture
def found(db):
    """Return the names that a search finds, best first."""
    owner = make.rich_owner(100_000)
    for name, blueprint in (
        ("Café Vecteur", "embeddings"),
        ("Matmul Mill", "matmul"),
        ("Seven Seas", "matmul"),
        ("Protein Folding", "embeddings"),
        ("Milling 5 axes", "embeddings"),
    ):
        make.subnet(owner, name=name, blueprint=blueprint)

    def search(query):
        return [row.name for row in queries.subnet_rows(search=query)]

    return search


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("protien", "Protein Folding"),
        ("foldin", "Protein Folding"),
        ("proteinfolding", "Protein Folding"),
        ("cafe", "Café Vecteur"),
        ("CAFÉ VECTUER", "Café Vecteur"),
        ("mtamul", "Matmul Mill"),
        ("sevn", "Seven Seas"),
        ("sesa", "Seven Seas"),
        ("axse 5", "Milling 5 axes"),
        ("mlil", "Matmul Mill"),
        ("prot", "Protein Folding"),
        ("rotei", "Protein Folding"),
    ],
)
def test_a_slip_of_the_keyboard_finds_what_was_meant_first(found, typed, name):
    assert found(typed)[0] == name


def test_a_name_stands_before_the_kind_of_work(found):
    assert found("matmul") == ["Matmul Mill", "Seven Seas"]
    assert set(found("verifed")) == {"Matmul Mill", "Seven Seas"}


@pytest.mark.parametrize("typed", ["sn 5", "SN5", "#5", "subnet 5", "netuid 5"])
def test_a_number_with_its_word_finds_that_subnet_alone(found, typed):
    assert found(typed) == ["Milling 5 axes"]


def test_a_bare_number_finds_its_subnet_before_names_that_hold_it(found):
    make.subnet(make.rich_owner(100_000), name="Quarter 3")

    assert found("3") == ["Seven Seas", "Quarter 3"]


def test_every_word_has_to_be_found(found):
    assert found("protein axes") == []
    assert found("folding protein") == ["Protein Folding"]


@pytest.mark.parametrize(
    "typed", ["zzzz", "'; DROP TABLE subnets_subnet; --", "100%", "_", "\\", "\0" * 3, "x" * 5_000]
)
def test_what_is_no_word_of_any_finds_nothing_and_breaks_nothing(found, typed):
    assert found(typed) == []


def test_an_empty_search_lists_all_by_number(found):
    assert len(found("  ")) == 5


@pytest.mark.parametrize("text", ["Ünïcode ﬁne", "ÀÉÎõü", "Straße", "İstanbul", "Ω5 x²"])
def test_database_and_search_fold_alike(db, text):
    netuid = make.subnet(name="plain")
    row = queries.subnet(netuid)
    row.summary = text
    row.save(update_fields=["summary"])

    row.refresh_from_db()

    assert searching.folded(text) in row.searched


def test_no_more_words_are_looked_for_than_anybody_means():
    asked = searching.asked("a " * searching.QUERY_LENGTH_MAX)

    assert len(asked.words) == searching.WORDS_MAX

"""A person's statement: between two days, as a page and as files, and the receipt of each entry."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.urls import reverse

from ledger import booked, chart, prove
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Code
from ledger.entries import Entry, Move
from ledger.money import RAO_PER_TAO as TAO
from marketplace.pages.exports import ExportThrottle
from tests.ledger.make import recorded
from tests.ledger.seals import sealed
from tests.marketplace import world

pytestmark = pytest.mark.django_db
DAY = datetime(2026, 11, 10, 12, tzinfo=UTC)
SPAN = {"begin": "2026-11-10", "end": "2026-11-11", "by": "at"}
FILES = ("statement_csv", "statement_json")
STATEMENTS = (
    9  # session, person, what every page shows, the stretch and its page with the account each
)


def paid(owner, rao, *, at, note=""):
    """Let the treasury give somebody a grant, or take from it, at an instant."""
    wallet = chart.wallet(owner.id)
    step = Move(chart.TREASURY, wallet, rao) if rao > 0 else Move(wallet, chart.TREASURY, -rao)
    key = f"reverse:{uuid4()}"
    ledger.post(Entry(key=key, code=Code.ENTRY_REVERSED, at=at, steps=(step,), note=note))
    recorded(key, at)


@pytest.fixture
def ada(client):
    """Sign in somebody with 5 TAO before the days looked at, two changes in them, and one behind."""
    person = world.person(tao=100)
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    for n, (rao, note) in enumerate(
        [(5 * TAO, ""), (3 * TAO, "=HYPERLINK(1)"), (-TAO, "back"), (TAO, "")]
    ):
        paid(person, rao, at=DAY + timedelta(days=(-1, 0, 1, 2)[n]), note=note)
    return person


def test_a_statement_leads_from_the_first_days_balance_to_the_last_days(client, ada):
    answer = client.get(reverse("statement"), SPAN)

    context, text = answer.context, answer.content.decode()
    assert "Balance at the beginning" in text
    told = context["told"]
    assert (told.opening_rao, told.change_rao, told.closing_rao) == (105 * TAO, 2 * TAO, 107 * TAO)
    assert [line.balance_rao for line in context["page"].lines] == [107 * TAO, 108 * TAO]


def test_without_days_the_last_thirty_are_shown(client, ada):
    answer = client.get(reverse("statement"))

    assert answer.status_code == 200
    assert answer.context["told"].closing_rao == books.balance(chart.wallet(ada.id)).posted_rao


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ({"begin": "2026-11-11", "end": "2026-11-10"}, "before the first"),
        ({"begin": "yesterday", "end": "2026-11-10"}, "Enter a valid date"),
        ({"begin": "0001-01-01", "end": "9999-12-31"}, "earlier day"),
    ],
)
def test_days_that_make_no_span_are_said_to_be_wrong(client, ada, span, words):
    for name in ("statement", "statement_csv", "statement_json"):
        answer = client.get(reverse(name), SPAN | span)
        assert words in answer.content.decode()
        assert "told" not in answer.context


def test_days_in_which_nothing_moved_say_what_to_do(client, ada):
    empty = SPAN | {"begin": "2026-01-01", "end": "2026-01-02"}

    files = [client.get(reverse(name), SPAN | {"by": "mood"}) for name in FILES]
    assert {file.context["told"].closing_rao for file in files} == {107 * TAO}  # the page instead
    assert "Nothing moved in these days" in client.get(reverse("statement"), empty).content.decode()


def test_a_page_costs_the_same_for_one_line_and_for_many(client, ada, django_assert_num_queries):
    client.get(reverse("statement"), SPAN)
    with django_assert_num_queries(STATEMENTS) as few:
        client.get(reverse("statement"), SPAN)
    for _ in range(20):
        paid(ada, 1, at=DAY)

    with django_assert_num_queries(len(few.captured_queries)):
        client.get(reverse("statement"), SPAN)


def test_older_lines_are_a_page_further(client, ada, monkeypatch):
    monkeypatch.setattr(booked, "PAGE_LINES", 1)

    first = client.get(reverse("statement"), SPAN)
    older = first.context["page"].older
    second = client.get(reverse("statement"), SPAN | {"before": older})

    shown = [page.context["page"].lines[0].balance_rao for page in (first, second)]
    assert shown == [107 * TAO, 108 * TAO]
    assert f"before={older}" in first.content.decode()
    assert second.context["page"].older is None
    assert "Newest" in second.content.decode()
    for odd in ("0", "1", "x", "٣", "9" * 40):
        assert client.get(reverse("statement"), SPAN | {"before": odd}).status_code == 200


def test_the_csv_has_every_line_and_no_cell_that_computes(client, ada):
    answer = client.get(reverse("statement_csv"), SPAN)

    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert answer["Content-Disposition"] == 'attachment; filename="statement.csv"'
    assert [row["note"] for row in rows] == ["'=HYPERLINK(1)", "back"]
    assert [row["change_rao"] for row in rows] == [str(3 * TAO), str(-TAO)]
    assert [(row["in_tao"], row["out_tao"], row["balance_tao"]) for row in rows] == [
        ("3", "0", "8"),
        ("0", "1", "7"),
    ]


def test_the_json_says_the_same_with_the_balances_around_it(client, ada):
    answer = client.get(reverse("statement_json"), SPAN)

    told = json.loads(b"".join(answer.streaming_content))
    assert (told["opening_rao"], told["closing_rao"]) == (str(5 * TAO), str(7 * TAO))
    assert [line["change_rao"] for line in told["lines"]] == [str(3 * TAO), str(-TAO)]
    assert told["lines"][0]["reason"] == "Correction"


@pytest.mark.parametrize("name", ["statement_csv", "statement_json"])
def test_who_asks_for_too_many_files_waits(client, ada, name, monkeypatch):
    monkeypatch.setattr(ExportThrottle, "usual_rate", "1/min")

    assert client.get(reverse(name), SPAN).status_code == 200
    assert client.get(reverse(name), SPAN).status_code == 429


def own_entry(owner):
    return books.statement(owner.id)[0].entry


def test_an_entry_of_ones_own_has_a_receipt_that_proves_it(client, ada):
    sealed()
    entry = own_entry(ada)

    page = client.get(reverse("entry", args=[entry]))
    file = client.get(reverse("entry_receipt", args=[entry]))
    by_api = client.get(f"/api/v1/wallet/entries/{entry}/receipt/").json()

    assert "Download the proof" in page.content.decode()
    assert [effect.change_rao for effect in page.context["effects"]] == [TAO]
    receipt = json.loads(b"".join(file.streaming_content))
    assert receipt == by_api
    assert prove.proven(receipt).entry == str(entry)


def test_before_its_seal_an_entry_has_a_page_and_no_receipt(client, ada):
    entry = own_entry(ada)

    assert "waits for its seal" in client.get(reverse("entry", args=[entry])).content.decode()
    refusal = client.get(f"/api/v1/wallet/entries/{entry}/receipt/")
    assert (refusal.status_code, refusal.json()["code"]) == (409, "entry_not_sealed")


def test_an_entry_of_others_is_not_there(client, ada):
    sealed()
    entry = own_entry(world.person(tao=3))

    assert client.get(reverse("entry", args=[entry])).status_code == 404
    assert client.get(reverse("entry_receipt", args=[entry])).status_code == 404
    refusal = client.get(f"/api/v1/wallet/entries/{entry}/receipt/")
    assert (refusal.status_code, refusal.json()["code"]) == (404, "entry_unknown")


def test_anybody_follows_the_seals_from_a_receipt_to_the_head(client, ada):
    sealed(limit=2)
    entry = own_entry(ada)
    receipt = client.get(f"/api/v1/wallet/entries/{entry}/receipt/").json()
    client.logout()

    first = client.get("/api/v1/ledger/seals/?limit=1").json()
    rest = client.get(first["next"]).json()
    behind = client.get("/api/v1/ledger/seals/", {"after": first["results"][0]["seal"]}).json()

    seals = first["results"] + rest["results"]
    assert [seal["seal"] for seal in seals[:2]] == ["1", "2"]
    assert behind["results"][0]["seal"] == "2"
    whole = client.get("/api/v1/ledger/seals/").json()["results"]
    head = bytes.fromhex(whole[-1]["hash"])
    assert prove.followed(prove.proven(receipt), whole, head=head) == int(whole[-1]["seal"])

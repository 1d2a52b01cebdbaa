"""Whatever goes wrong below /api/ is a problem document; elsewhere it is a page."""

import pytest

pytestmark = pytest.mark.django_db


def test_an_address_of_the_api_that_leads_nowhere_is_a_problem(client):
    answer = client.get("/api/v1/nothing/")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_a_page_that_is_not_there_is_a_page(client):
    answer = client.get("/nothing/")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "query", ["search=%00", "blueprint=nonsense", "sort=%00", "search=" + "x" * 101]
)
def test_a_list_asked_for_with_nonsense_is_refused_by_field(client, query):
    answer = client.get(f"/api/v1/subnets/?{query}")

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_input"
    assert answer.json()["errors"][0]["pointer"] == f"/{query.split('=')[0]}"

"""Saved searches: kept, bounded, one's own, and telling what is new."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.browsing import Search, Wanted
from marketplace.catalogue import new_matches
from marketplace.errors import SearchUnknown, TooManySearches
from marketplace.operations.searches import SEARCHES_MAX
from tests.marketplace import world
from tests.marketplace.conftest import NOW
from tests.marketplace.reading import names_must_exist, open_auction, read  # noqa: F401

pytestmark = pytest.mark.django_db
FOR_SALE = Search(words="", blueprint="matmul", wanted=Wanted(format="any"))


def save(person, *, name="Cheap", search=FOR_SALE, now=NOW):
    return operations.save_search(owner=person.id, name=name, search=search, now=now)


def test_a_search_tells_what_came_up_since():
    kept = save(world.person(), now=NOW)
    world.subnet(world.person(tao=100))  # matches no offer
    listed = open_auction()

    ((_, found),) = new_matches([kept], now=listed.opens_at)

    assert [one.netuid for one in found] == [listed.netuid]
    kept.looked_at = listed.opens_at + timedelta(seconds=1)
    assert new_matches([kept], now=kept.looked_at) == [(kept, [])]


def test_the_same_name_takes_the_new_filter_and_a_full_list_no_new_name():
    ada = world.person()
    for place in range(SEARCHES_MAX):
        save(ada, name=f"Search {place}")

    with pytest.raises(TooManySearches) as refusal:
        save(ada, name="One more")
    assert refusal.value.fields["limit"] == SEARCHES_MAX
    changed = save(ada, name="Search 0", search=Search("protein", "", Wanted()))

    assert len(queries.saved_searches(ada.id)) == SEARCHES_MAX
    assert Search.read(changed.wanted).words == "protein"


def test_a_search_is_its_owners_alone():
    kept = save(world.person())
    other = world.person()

    with pytest.raises(SearchUnknown):
        operations.delete_search(search_id=kept.id, owner=other.id)
    with pytest.raises(SearchUnknown):
        operations.look_at_search(search_id=kept.id, owner=other.id, now=NOW)
    operations.delete_search(search_id=kept.id, owner=kept.owner)

    assert queries.saved_searches(kept.owner) == []


def test_a_reader_keeps_what_they_see_and_looks_again(client):
    world.network()
    client.force_login(world.person())
    assert "Save this search" in read(client, "subnets", sale="any")

    client.post(reverse("searches"), {"name": "For me", "address": "sale=any&price_max=60&page=9"})
    listed = open_auction(start=50)
    cache.clear()
    text = read(client, "searches")

    assert "1 new" in text
    (kept,) = queries.saved_searches(client.session["_auth_user_id"])
    answer = client.post(reverse("look_at_search", args=[kept.id]))
    assert answer["Location"] == "/subnets/?sale=any&price_max=60"
    assert str(listed.id) in client.get(answer["Location"]).content.decode()
    client.post(reverse("delete_search", args=[kept.id]))
    assert "You keep no search yet" in read(client, "searches")


@pytest.fixture
def ada(client):
    """Return somebody whose program speaks, with their session."""
    ada = world.person()
    client.force_login(ada)
    return ada


def kept_by_api(client, *, status=201, **asked):
    answer = client.post("/api/v1/searches/", asked, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_program_keeps_a_search_looks_at_it_and_deletes_it(client, ada):
    made = kept_by_api(client, name="Cheap", sale="any", price_max_rao=str(60 * TAO))
    assert made["filter"] == {"sale": "any", "price_max_rao": str(60 * TAO)}
    cheap, _ = open_auction(start=50), open_auction(start=70)
    cache.clear()

    (found,) = client.get("/api/v1/searches/").json()["results"]
    assert (found["id"], found["new_netuids"]) == (made["id"], [cheap.netuid])
    looked = client.post(f"/api/v1/searches/{made['id']}/look/").json()

    assert looked["new_netuids"] == []
    assert client.delete(f"/api/v1/searches/{made['id']}/").status_code == 204
    assert client.delete(f"/api/v1/searches/{made['id']}/").json()["code"] == "search_unknown"


def test_what_a_program_keeps_stands_on_the_page_and_leads_to_the_same_list(client, ada):
    made = kept_by_api(client, name="Cheap", q="prot", sale="fixed", price_max_rao="1500000000")

    assert "Cheap" in read(client, "searches")
    led = client.post(reverse("look_at_search", args=[made["id"]]))["Location"]
    assert led == "/subnets/?q=prot&sale=fixed&price_max=1.5"
    again = kept_by_api(client, name="Cheap")
    assert (again["id"], again["filter"]) == (made["id"], {})


def test_a_search_that_makes_no_sense_is_refused_with_its_places(client, ada):
    refused = kept_by_api(client, status=400, name="", sale="barter", price_max_rao=60)

    assert {fault["pointer"] for fault in refused["errors"]} == {"/name", "/sale", "/price_max_rao"}
    assert queries.saved_searches(ada.id) == []


def test_searches_take_as_many_statements_for_ten_as_for_one(
    client, ada, django_assert_max_num_queries
):
    open_auction()
    for place in range(SEARCHES_MAX):
        save(ada, name=f"Search {place}")
        cache.clear()
        with django_assert_max_num_queries(14) as counted:
            client.get("/api/v1/searches/")
        if not place:
            few = len(counted)

    assert len(counted) == few

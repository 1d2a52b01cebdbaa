"""Saved searches: kept, bounded, one's own, and telling what is new."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse

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
    return operations.save_search(
        owner=person.id, name=name, address="sale=any", search=search, now=now
    )


def test_a_search_tells_what_came_up_since():
    kept = save(world.person(), now=NOW)
    world.subnet(world.person(tao=100))  # matches no offer
    listed = open_auction()

    found = new_matches(kept, since=kept.looked_at, now=listed.opens_at)

    assert [one.netuid for one in found] == [listed.netuid]
    later = listed.opens_at + timedelta(seconds=1)
    assert new_matches(kept, since=later, now=later) == []


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

"""Saved searches: a filter of the list of subnets, kept under a name by whoever looks for something to buy."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace import browsing, queries
from marketplace.browsing import Search
from marketplace.errors import TooManySearches
from marketplace.models import SavedSearch
from subnets import naming

NAME_MAX = 60
SEARCHES_MAX = 10  # each is looked through anew when its owner asks what is new


@transaction.atomic
def save_search(
    *, owner: UUID, name: str, search: Search, now: datetime, sort: str = ""
) -> SavedSearch:
    """Keep a filter under a name; the same name again takes the new filter. Raises: TextRefused, TooManySearches.

    sort: the order in which its page shows what it finds.
    """
    address = browsing.address(search, sort=sort)
    name = naming.read_prose(name, field="name", length_max=NAME_MAX) or "Search"
    queries.lock_person(owner)
    kept = {one.name: one for one in queries.saved_searches(owner)}
    found = kept.get(name)
    if found is None and len(kept) >= SEARCHES_MAX:
        raise TooManySearches(limit=SEARCHES_MAX)
    if found is None:
        return SavedSearch.objects.create(
            owner=owner,
            name=name,
            address=address,
            wanted=search.as_json(),
            saved_at=now,
            looked_at=now,
        )
    found.address, found.wanted, found.looked_at = address, search.as_json(), now
    found.save(update_fields=["address", "wanted", "looked_at"])
    return found


@transaction.atomic
def look_at_search(*, search_id: UUID, owner: UUID, now: datetime) -> SavedSearch:
    """Note that somebody looked: what is new counts from here. Raises: SearchUnknown."""
    found = queries.lock_search(search_id, owner=owner)
    found.looked_at = max(now, found.looked_at)
    found.save(update_fields=["looked_at"])
    return found


@transaction.atomic
def delete_search(*, search_id: UUID, owner: UUID) -> None:
    """Keep a search no longer. Raises: SearchUnknown."""
    queries.lock_search(search_id, owner=owner).delete()

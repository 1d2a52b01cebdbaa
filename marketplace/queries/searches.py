"""Saved searches: whose, and locked for a change."""

from uuid import UUID

from marketplace.errors import SearchUnknown
from marketplace.models import SavedSearch, User


def saved_searches(owner: UUID) -> list[SavedSearch]:
    """List what somebody keeps, by name."""
    return list(SavedSearch.objects.filter(owner=owner).order_by("name"))


def lock_search(search_id: UUID, *, owner: UUID) -> SavedSearch:
    """Lock a search of somebody's own. Raises: SearchUnknown, also for another's."""
    own = SavedSearch.objects.select_for_update(of=("self",)).filter(pk=search_id, owner=owner)
    found = own.first()
    if found is None:
        raise SearchUnknown(search_id=search_id)
    return found


def lock_person(owner: UUID) -> None:
    """Lock somebody's own row: what is counted per person is counted by one request at a time."""
    User.objects.select_for_update(of=("self",)).filter(pk=owner).first()

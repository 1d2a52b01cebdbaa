"""What can be refused of saved searches."""

from ledger.errors import DomainError


class SearchUnknown(DomainError):
    """The caller keeps no search of this id."""

    code = "search_unknown"
    http_status = 404
    message = "You have no saved search {search_id}."


class TooManySearches(DomainError):
    """One person keeps so many searches and no more."""

    code = "too_many_searches"
    message = "You keep {limit} searches, which is all there is room for. Delete one first."

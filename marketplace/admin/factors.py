"""Second factors and sessions for staff: who has which, since when; a lost one is removed by an operation that tells its owner."""

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ledger.admin import ReadOnlyAdmin
from marketplace import operations
from marketplace.admin.auctions import staff
from marketplace.models import SecurityChange

# allauth registers them with all their fields: secrets, and keys of sessions that whoever has them is somebody else by.
for model in (Authenticator, UserSession):
    admin.site.unregister(model)


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Second factors. Ask who writes who they are before you take a factor away: it is what an intruder would ask for."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_filter = ["type"]
    search_fields = ["user__email"]
    exclude = ["data"]
    actions = ["remove_all"]

    @admin.action(description="Remove every factor of these people", permissions=["remove"])
    def remove_all(self, request: HttpRequest, chosen: QuerySet[Authenticator]) -> None:
        """Take all factors and codes from the owners of the chosen ones; their sessions end, and they are told."""
        for person in chosen.values_list("user_id", flat=True).distinct():
            operations.remove_factors(person=person, operator=staff(request), now=timezone.now())

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """Let those act who may delete factors; the rows themselves stay read-only."""
        return request.user.has_perm("mfa.delete_authenticator")


@admin.register(SecurityChange)
class SecurityChangeAdmin(ReadOnlyAdmin):
    """What changed about how people sign in, the newest first."""

    list_display = ["happened_at", "person", "kind", "about", "device", "address"]
    list_filter = ["kind"]
    search_fields = ["person__email"]
    exclude = ["browser"]

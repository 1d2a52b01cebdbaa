"""What one follows and is told, over REST."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.rest import paging
from ledger.rest.scopes import Refusals, Scopes
from ledger.rest.shapes import given
from ledger.scopes import Scope
from marketplace import operations, queries
from marketplace.api import notice_wire as wire
from marketplace.api.views import PersonView, person
from subnets.errors import SubnetUnknown


class WatchlistView(PersonView):
    @extend_schema(responses=wire.WatchlistOutput)
    def get(self, request: Request) -> Response:
        """List the subnets you watch, by number."""
        watched = [{"netuid": netuid} for netuid in queries.watched_by(person(request).id)]
        return Response(wire.WatchlistOutput({"results": watched}).data)


class WatchView(PersonView):
    scopes: Scopes = {"PUT": Scope.ACCOUNT, "DELETE": Scope.ACCOUNT}
    refusals: Refusals = {"PUT": (SubnetUnknown,)}

    @extend_schema(request=None, responses=wire.WatchOutput)
    def put(self, request: Request, netuid: int) -> Response:
        """Watch a subnet; again, and nothing changes."""
        operations.watch(person=person(request).id, netuid=netuid, now=timezone.now())
        return Response(wire.WatchOutput({"netuid": netuid}).data)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, netuid: int) -> Response:
        """Watch a subnet no longer; again, and nothing changes."""
        operations.unwatch(person=person(request).id, netuid=netuid)
        return Response(status=204)


class NoticesView(PersonView):
    @extend_schema(parameters=[wire.NoticesAsked], responses=wire.NoticesOutput)
    def get(self, request: Request) -> Response:
        """List what you were told, the newest first."""
        asked = given(wire.NoticesAsked, request.query_params)
        window = paging.window(request, asked, by=("-id",))
        lines = queries.notices_in(person(request).id, window=window, is_unread=asked["unread"])
        return paging.answer(request, window, lines, wire.NoticesOutput)


class ReadView(PersonView):
    scopes: Scopes = {"POST": Scope.ACCOUNT}

    @extend_schema(request=wire.ReadInput, responses=wire.ReadOutput)
    def post(self, request: Request) -> Response:
        """Mark notices as read: those of `ids`, or all up to `until`; neither means all."""
        asked = given(wire.ReadInput, request.data)
        count = operations.read_notices(
            person=person(request).id,
            ids=asked.get("ids"),
            until_id=asked.get("until"),
            now=timezone.now(),
        )
        return Response(wire.ReadOutput({"read_count": count}).data)


class PreferencesView(PersonView):
    scopes: Scopes = {"GET": Scope.READ, "PATCH": Scope.ACCOUNT}

    @extend_schema(responses=wire.ChoicesOutput)
    def get(self, request: Request) -> Response:
        """Return by what ways each kind of notice comes to you besides the site."""
        return self._choices(request)

    @extend_schema(request=wire.ChoicesInput, responses=wire.ChoicesOutput)
    def patch(self, request: Request) -> Response:
        """Choose by what ways kinds of notices come; those that are not named stay as they are."""
        chosen = given(wire.ChoicesInput, request.data)["results"]
        ways = {one["kind"]: (one["by_email"], one["by_webhook"]) for one in chosen}
        operations.choose_ways(person=person(request).id, ways=ways)
        return self._choices(request)

    def _choices(self, request: Request) -> Response:
        choices = queries.choices_of(person(request).id)
        return Response(wire.ChoicesOutput({"results": choices}).data)

"""Webhook endpoints over REST: where one's notices go, and what became of each.

Reading needs the scope `account` too: receivers are often let in by a secret word in their address.
"""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.rest import IDEMPOTENCY_KEY, idempotency_key, paging
from ledger.rest.once import once
from ledger.rest.scopes import Refusals, Scopes
from ledger.rest.shapes import given
from ledger.scopes import Scope
from marketplace import errors, operations, queries
from marketplace.api import webhook_wire as wire
from marketplace.api.views import PersonView, person
from marketplace.models import WebhookEndpoint


class EndpointsView(PersonView):
    scopes: Scopes = {"GET": Scope.ACCOUNT, "POST": Scope.ACCOUNT}
    refusals: Refusals = {
        "POST": (
            errors.AddressRefused,
            errors.TooManyEndpoints,
        )
    }

    @extend_schema(operation_id="webhook_endpoints_list", responses=wire.EndpointsOutput)
    def get(self, request: Request) -> Response:
        """List your webhook endpoints, the oldest first; there are few."""
        rows = queries.endpoints_of(person(request).id)
        return Response(wire.EndpointsOutput({"results": rows}).data)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=wire.EndpointInput,
        responses={201: wire.RegisteredOutput},
    )
    @once
    def post(self, request: Request) -> Response:
        """Register where your notices go. The answer has the secret, which is shown nowhere else."""
        made = operations.add_endpoint(
            owner=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
            **given(wire.EndpointInput, request.data),
        )
        return Response(wire.RegisteredOutput(made).data, status=201)


class EndpointView(PersonView):
    scopes: Scopes = dict.fromkeys(("GET", "PATCH", "DELETE"), Scope.ACCOUNT)
    refusals: Refusals = {
        "GET": (errors.EndpointUnknown,),
        "PATCH": (errors.EndpointUnknown,),
        "DELETE": (errors.EndpointUnknown,),
    }

    @extend_schema(responses=wire.EndpointOutput)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Return a webhook endpoint of yours."""
        row = queries.endpoint(endpoint_id, owner=person(request).id)
        return Response(wire.EndpointOutput(row).data)

    @extend_schema(request=wire.EndpointChange, responses=wire.EndpointOutput)
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        """Switch an endpoint on or off, or choose what goes there; what is not named stays as it is."""
        asked = given(wire.EndpointChange, request.data)
        state = WebhookEndpoint.State(asked["state"]) if "state" in asked else None
        row = operations.change_endpoint(
            endpoint_id=endpoint_id,
            owner=person(request).id,
            state=state,
            kinds=asked.get("kinds"),
        )
        return Response(wire.EndpointOutput(row).data)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        """Remove an endpoint; nothing is sent there any more."""
        removed = WebhookEndpoint.State.REMOVED
        operations.change_endpoint(endpoint_id=endpoint_id, owner=person(request).id, state=removed)
        return Response(status=204)


class RotateView(PersonView):
    scopes: Scopes = {"POST": Scope.ACCOUNT}
    refusals: Refusals = {"POST": (errors.EndpointUnknown,)}

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY], request=None, responses={201: wire.RegisteredOutput}
    )
    @once
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Make a new secret, shown in this answer alone. For a day the one before signs as well."""
        made = operations.rotate_secret(
            endpoint_id=endpoint_id,
            owner=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
        )
        return Response(wire.RegisteredOutput(made).data, status=201)


class TryView(PersonView):
    scopes: Scopes = {"POST": Scope.ACCOUNT}
    refusals: Refusals = {
        "POST": (
            errors.EndpointUnknown,
            errors.EndpointDisabled,
            errors.TooManyTests,
        )
    }

    @extend_schema(parameters=[IDEMPOTENCY_KEY], request=None, responses={201: wire.DeliveryOutput})
    @once
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Send a test event. Its delivery tells what the receiver answered."""
        sent = operations.test_endpoint(
            endpoint_id=endpoint_id,
            owner=person(request).id,
            key=idempotency_key(request),
            now=timezone.now(),
        )
        return Response(wire.DeliveryOutput(sent).data, status=201)


class DeliveriesView(PersonView):
    scopes: Scopes = {"GET": Scope.ACCOUNT}
    refusals: Refusals = {"GET": (errors.EndpointUnknown,)}

    @extend_schema(parameters=[paging.PageAsked], responses=wire.DeliveriesOutput)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List what was sent to an endpoint, the newest first, for 180 days."""
        asked = given(paging.PageAsked, request.query_params)
        row = queries.endpoint(endpoint_id, owner=person(request).id)
        window = paging.window(request, asked, by=("-created_at", "id"))
        rows = queries.deliveries_in(row.pk, window=window)
        return paging.answer(request, window, rows, wire.DeliveriesOutput)


class SendAgainView(PersonView):
    scopes: Scopes = {"POST": Scope.ACCOUNT}
    refusals: Refusals = {
        "POST": (
            errors.EndpointUnknown,
            errors.DeliveryUnknown,
            errors.EndpointDisabled,
            errors.TooManyTests,
        )
    }

    @extend_schema(request=None, responses=wire.DeliveryOutput)
    def post(self, request: Request, endpoint_id: UUID, delivery_id: UUID) -> Response:
        """Send a delivery again, under the same webhook-id, from its first attempt on."""
        again = operations.resend(
            endpoint_id=endpoint_id,
            delivery_id=delivery_id,
            owner=person(request).id,
            now=timezone.now(),
        )
        return Response(wire.DeliveryOutput(again).data)

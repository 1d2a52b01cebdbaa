"""Stripe's way in: believe the signature, store the event, answer at once. A sweep acts on it."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger.rest.scopes import Refusals
from marketplace import operations, payments
from marketplace.errors import CardsSwitchedOff, WebhookPayloadInvalid, WebhookSignatureInvalid


class StripeWebhookView(APIView):
    authentication_classes = ()
    permission_classes = ()
    inbox = payments.Inbox.HOUSE
    refusals: Refusals = {
        "POST": (WebhookSignatureInvalid, WebhookPayloadInvalid, CardsSwitchedOff)
    }

    @extend_schema(
        request={"application/json": {"type": "object"}},
        responses={200: {"type": "object", "properties": {"received": {"type": "boolean"}}}},
    )
    def post(self, request: Request) -> Response:
        """Take an event of Stripe, signed in the Stripe-Signature header. The same event counts once."""
        event = payments.read_event(
            request._request.body,  # noqa: SLF001  the raw bytes are what was signed
            signature=request.headers.get("Stripe-Signature", ""),
            inbox=self.inbox,
        )
        operations.record_webhook_event(event, now=timezone.now())
        return Response({"received": True})


class StripeConnectWebhookView(StripeWebhookView):
    inbox = payments.Inbox.CONNECTED

    @extend_schema(
        request={"application/json": {"type": "object"}},
        responses={200: {"type": "object", "properties": {"received": {"type": "boolean"}}}},
    )
    def post(self, request: Request) -> Response:
        """Take an event of an account connected to the house, signed with a secret of its own. The same event counts once."""
        return super().post(request)

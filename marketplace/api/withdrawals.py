"""Withdrawals over REST, to be read. None is made here: a key of a program is no second factor (docs/api.md)."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.rest import RaoField, paging
from ledger.rest.paging import Page, PageAsked
from ledger.rest.scopes import Refusals
from ledger.rest.shapes import given
from marketplace import errors
from marketplace.api.views import PersonView, person
from marketplace.models import Withdrawal
from marketplace.queries import withdrawals as outgoing
from marketplace.withdrawing import Rail


class WithdrawalOutput(serializers.Serializer):
    id = serializers.UUIDField()
    rail = serializers.ChoiceField(
        choices=[rail.value for rail in Rail],
        help_text="`chain`: TAO to an address; `stripe`: US dollars to your account at Stripe.",
    )
    state = serializers.ChoiceField(choices=Withdrawal.State.values)
    destination = serializers.CharField()
    held_rao = RaoField(help_text="What is set aside until it ends.")
    fee_rao = RaoField(help_text="What of it the house keeps.")
    arrives_rao = serializers.SerializerMethodField(help_text="What arrives on the chain.")
    arrives_cents = serializers.IntegerField(allow_null=True, help_text="What arrives in dollars.")
    waits_for = serializers.CharField(help_text="Why it was not sent yet, in words.")
    reason = serializers.CharField(help_text="Why it was refused, or came back, in words.")
    bank_fault = serializers.CharField(
        help_text="Why the bank sent the dollars back, in Stripe's word; they are at Stripe, and `state` is `sent`. Else empty."
    )
    reference = serializers.CharField(
        allow_null=True, help_text="The extrinsic, or Stripe's transfer."
    )
    requested_at = serializers.DateTimeField()
    approved_at = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)

    def get_arrives_rao(self, row: Withdrawal) -> str | None:
        """Spell what arrives as TAO, where TAO does."""
        return None if row.arrives_cents else str(row.arrives_rao)


class WithdrawalsOutput(Page):
    results = WithdrawalOutput(many=True)


class WithdrawalsView(PersonView):
    @extend_schema(
        operation_id="withdrawals_list", parameters=[PageAsked], responses=WithdrawalsOutput
    )
    def get(self, request: Request) -> Response:
        """List your withdrawals, the newest first."""
        asked = given(PageAsked, request.query_params)
        window = paging.window(request, asked, by=("-requested_at", "-id"))
        rows = list(window.cut(outgoing.withdrawals(person(request).id)))
        return paging.answer(request, window, rows, WithdrawalsOutput)


class WithdrawalView(PersonView):
    refusals: Refusals = {"GET": (errors.WithdrawalUnknown,)}

    @extend_schema(responses=WithdrawalOutput)
    def get(self, request: Request, withdrawal_id: UUID) -> Response:
        """Return a withdrawal of yours: how far it is."""
        row = outgoing.withdrawal(withdrawal_id, owner=person(request).id)
        return Response(WithdrawalOutput(row).data)

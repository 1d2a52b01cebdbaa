"""What people type, read once into integers. Refusals by the house's rules are the operations' business."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from ledger.errors import NotAnAmount
from ledger.money import parse_tao
from ledger.spoken import count
from marketplace.operations.deposits import DEPOSIT_CENTS_MAX, DEPOSIT_CENTS_MIN
from subnets.models import Blueprint
from subnets.queries import SubnetRow

AUCTION_SORTS = (
    ("closing", "Closing soonest"),
    ("newest", "Newest"),
    ("highest", "Highest price"),
    ("lowest", "Lowest price"),
    ("busiest", "Most bids"),
)
DURATIONS = (
    (10 * 60, "10 minutes"),
    (3600, "1 hour"),
    (24 * 3600, "1 day"),
    (3 * 24 * 3600, "3 days"),
    (7 * 24 * 3600, "7 days"),
    (14 * 24 * 3600, "14 days"),
)


class TaoField(forms.Field):
    """An amount typed as TAO; its value is rao."""

    unit = "TAO"  # stands beside the input

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Ask for a number pad, and set figures as figures."""
        attrs = {"inputmode": "decimal", "autocomplete": "off", "class": "money", "maxlength": "24"}
        return super().widget_attrs(widget) | attrs

    def to_python(self, value: object) -> int | None:
        """Read what was typed. People paste what pages show, so digits may come grouped by blanks."""
        plain = "".join(str(value or "").split())
        if not plain:
            return None
        try:
            rao = parse_tao(plain)
        except NotAnAmount as refusal:
            raise ValidationError(str(refusal)) from refusal
        if rao == 0:
            raise ValidationError("Type an amount above zero.")
        return rao


class AuctionFilter(forms.Form):
    sort = forms.ChoiceField(required=False, choices=AUCTION_SORTS)


class BidForm(forms.Form):
    max_rao = TaoField(
        label="Your maximum",
        help_text="The most you would pay. You pay less where others stop earlier.",
    )
    repeat_rao = TaoField(label="The same amount again", required=False)


class SlotForm(forms.Form):
    name = forms.CharField(
        label="Name", max_length=60, help_text="Up to 60 characters; no other subnet may have it."
    )
    summary = forms.CharField(
        label="Summary",
        max_length=200,
        help_text="One sentence: what this subnet pays for.",
    )
    blueprint = forms.ChoiceField(
        label="Work",
        choices=Blueprint.choices,
        help_text="What a job is and how it is verified. It stays for good.",
    )
    max_cost_rao = TaoField(
        label="Pay at most",
        help_text="If the lock cost is higher at that moment, nothing is bought.",
    )


class DollarsField(forms.IntegerField):
    """Whole US dollars."""

    unit = "USD"  # stands beside the input


class TopUpForm(forms.Form):
    dollars = DollarsField(
        label="Amount",
        min_value=DEPOSIT_CENTS_MIN // 100,
        max_value=DEPOSIT_CENTS_MAX // 100,
        help_text=(
            f"Whole dollars, {count(DEPOSIT_CENTS_MIN // 100)} to {count(DEPOSIT_CENTS_MAX // 100)}."
        ),
    )


class CodeForm(forms.Form):
    netuid = forms.TypedChoiceField(label="For subnet", coerce=int)


def code_form(sent: QueryDict | None, *, subnets: Sequence[SubnetRow]) -> CodeForm:
    """Return the form that makes a code, offering the subnets there are."""
    form = CodeForm(sent)
    field = form.fields["netuid"]
    assert isinstance(field, forms.ChoiceField)
    field.choices = [(row.netuid, f"{row.netuid} {row.name}") for row in subnets]
    return form

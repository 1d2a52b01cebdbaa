"""What people type into a negotiation."""

from django import forms

from marketplace.operations.offers import MESSAGE_LENGTH_MAX
from marketplace.pages.forms import TaoField

VALID_FOR = (
    (24 * 3600, "1 day"),
    (3 * 24 * 3600, "3 days"),
    (7 * 24 * 3600, "7 days"),
    (14 * 24 * 3600, "14 days"),
    (30 * 24 * 3600, "30 days"),
)


class FigureForm(forms.Form):
    """An amount, for how long it is good, and words to the other side."""

    field_order = ("amount_rao", "valid_s", "message")

    valid_s = forms.TypedChoiceField(
        label="Good for", coerce=int, choices=VALID_FOR, initial=7 * 24 * 3600
    )
    message = forms.CharField(
        label="Message",
        required=False,
        max_length=MESSAGE_LENGTH_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The other side alone reads it. It stays with the offer for good.",
    )


class OfferForm(FigureForm):
    amount_rao = TaoField(
        label="You offer", help_text="It is set aside in your wallet until the offer ends."
    )


class AskForm(FigureForm):
    amount_rao = TaoField(label="You ask for", help_text="More than was offered.")


class AcceptForm(forms.Form):
    expected_rao = forms.IntegerField(widget=forms.HiddenInput)
    is_agreed = forms.BooleanField()

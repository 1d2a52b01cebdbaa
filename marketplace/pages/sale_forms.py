"""The steps of putting a subnet up for sale. Each asks only for what its format has; `offering` judges the whole."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django import forms
from django.utils import timezone

from marketplace import offering
from marketplace.bidding import ReserveUnmetPolicy
from marketplace.offering import Backing, Format, Offering
from marketplace.pages.forms import DURATIONS, TaoField

FORMATS = (
    (Format.ENGLISH, "English auction", "People bid, the highest maximum wins at one step above the second. Good when you do not know the price."),
    (Format.SEALED, "Sealed bids", "Nobody sees a bid before the end; the highest wins and pays what the second offered. Good among few, large buyers."),
    (Format.DUTCH, "Falling price", "The price falls from high to low until somebody takes it. Good for a quick sale."),
    (Format.FIXED, "Fixed price", "The first to pay the price has the subnet. Good when you know the price."),
)  # fmt: skip
PRICED = {
    Format.ENGLISH: ("start_rao", "reserve_rao", "reserve_policy", "buy_now_rao"),
    Format.SEALED: ("start_rao", "reserve_rao"),
    Format.DUTCH: ("start_rao", "floor_rao", "half_life_s"),
    Format.FIXED: ("start_rao",),
}
START_WORDS = {
    Format.ENGLISH: ("Start price", "The lowest first bid."),
    Format.SEALED: ("Start price", "The lowest bid taken."),
    Format.DUTCH: ("Price at the beginning", "It falls from here, fast at first, and reaches the lowest price at the end."),
    Format.FIXED: ("Price", "What the buyer pays."),
}  # fmt: skip
HALF_LIVES = (
    (3600, "1 hour"),
    (6 * 3600, "6 hours"),
    (24 * 3600, "1 day"),
    (3 * 24 * 3600, "3 days"),
)
SHARES = ((500, "5 %"), (1_000, "10 %"), (2_000, "20 %"), (5_000, "50 %"))
PAY_TERMS = (
    (24 * 3600, "1 day"),
    (2 * 24 * 3600, "2 days"),
    (3 * 24 * 3600, "3 days"),
    (7 * 24 * 3600, "7 days"),
)


def whole(value: Any) -> int | None:  # noqa: ANN401  what a browser sent
    """Read a choice that is a number; an empty one is none."""
    return int(value) if value not in {None, ""} else None


class FormatForm(forms.Form):
    format = forms.ChoiceField(
        label="How the price is found", choices=[(value, label) for value, label, _ in FORMATS]
    )


class OfFormat(forms.Form):
    """A step that depends on the format, which is sent along with it."""

    format = forms.ChoiceField(
        choices=[(value, value) for value in Format], widget=forms.HiddenInput
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=dict(initial or {}))
        said = (data or initial or {}).get("format")
        self.kind = Format(said) if said in set(Format) else Format.ENGLISH
        for name in set(self.fields) - set(self.asked()) - {"format"}:
            del self.fields[name]

    def asked(self) -> tuple[str, ...]:
        """Name what this step asks for in its format."""
        return tuple(self.fields)


class PriceForm(OfFormat):
    start_rao = TaoField(label="Start price")
    reserve_rao = TaoField(
        label="Reserve",
        required=False,
        help_text="Below it there is no sale. Others see only whether it is met.",
    )
    reserve_policy = forms.ChoiceField(
        label="While the reserve is not met",
        choices=[
            (ReserveUnmetPolicy.INCREMENTS, "the price rises by the usual steps"),
            (ReserveUnmetPolicy.JUMP_TO_MAX, "the highest maximum is shown whole"),
        ],
        required=False,
    )
    buy_now_rao = TaoField(
        label="Buy-now price",
        required=False,
        help_text="Whoever pays it before the first bid (or before the reserve is met) has the subnet at once.",
    )
    floor_rao = TaoField(label="Lowest price", help_text="It falls no further than this.")
    half_life_s = forms.TypedChoiceField(
        label="The fall slows to half after every",
        coerce=whole,
        choices=HALF_LIVES,
        initial=6 * 3600,
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial)
        self.fields["start_rao"].label, self.fields["start_rao"].help_text = START_WORDS[self.kind]

    def asked(self) -> tuple[str, ...]:
        """Ask for the prices that the format has."""
        return PRICED[self.kind]

    def clean(self) -> dict[str, Any]:
        """Say what two prices contradict each other where the second of them stands."""
        fields: dict[str, Any] = super().clean() or {}
        start_rao, reserve_rao = fields.get("start_rao"), fields.get("reserve_rao")
        if start_rao and reserve_rao and reserve_rao < start_rao:
            self.add_error("reserve_rao", "The reserve cannot lie below the start price.")
        if start_rao and (floor_rao := fields.get("floor_rao")) and floor_rao >= start_rao:
            self.add_error("floor_rao", "The lowest price lies below the first one.")
        least_rao = max((start_rao or 0) + 1, reserve_rao or 0)
        if (buy_now_rao := fields.get("buy_now_rao")) and buy_now_rao < least_rao:
            self.add_error(
                "buy_now_rao", "Buy-now lies above the start price and not below the reserve."
            )
        return fields


class TermsForm(OfFormat):
    duration_s = forms.TypedChoiceField(
        label="Runs for", coerce=int, choices=DURATIONS, initial=3 * 24 * 3600
    )
    opens_at = forms.DateTimeField(
        label="Opens at",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="In UTC. Left empty, it opens at once.",
    )
    backing = forms.ChoiceField(
        label="Bids are backed by",
        choices=[
            (Backing.FULL, "the whole maximum, held: a winner cannot fail to pay"),
            (
                Backing.DEPOSIT,
                "a deposit: more people can bid, and a winner pays later or loses it",
            ),
        ],
    )
    deposit_bps = forms.TypedChoiceField(
        label="Deposit",
        coerce=whole,
        empty_value=None,
        choices=SHARES,
        initial=1_000,
        required=False,
    )
    pay_within_s = forms.TypedChoiceField(
        label="The winner pays within",
        coerce=whole,
        empty_value=None,
        choices=PAY_TERMS,
        required=False,
    )

    def asked(self) -> tuple[str, ...]:
        """Ask how bids are backed only where people bid openly."""
        english = ("backing", "deposit_bps", "pay_within_s") if self.kind is Format.ENGLISH else ()
        return ("duration_s", "opens_at", *english)

    def clean_opens_at(self) -> Any:  # noqa: ANN401  an instant, or none
        """Refuse an instant that has passed."""
        opens_at = self.cleaned_data["opens_at"]
        if opens_at and opens_at < timezone.now():
            raise forms.ValidationError("This moment has passed. Leave it empty to open at once.")
        return opens_at and opens_at.astimezone(UTC)

    def clean(self) -> dict[str, Any]:
        """Drop what only a deposit has where there is none."""
        fields: dict[str, Any] = super().clean() or {}
        if fields.get("backing") != Backing.DEPOSIT:
            fields.pop("deposit_bps", None)
            fields.pop("pay_within_s", None)
        return fields


class WordsForm(forms.Form):
    statement = forms.CharField(
        label="What buyers should know",
        required=False,
        max_length=offering.STATEMENT_MAX,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text="In your words. It is shown as yours, apart from what the books say.",
    )


class AgreeForm(forms.Form):
    is_agreed = forms.BooleanField(
        label="I understand that a sale hands the subnet over at once and for good."
    )


def offering_of(steps: Mapping[str, forms.Form]) -> Offering:
    """Put the steps, each of them valid, together."""
    said: dict[str, Any] = {}
    for form in steps.values():
        said |= {
            name: value for name, value in form.cleaned_data.items() if value not in {None, ""}
        }
    return Offering(
        **said
        | {
            "format": Format(said["format"]),
            "backing": Backing(said.get("backing", Backing.FULL)),
            "reserve_policy": ReserveUnmetPolicy(
                said.get("reserve_policy", ReserveUnmetPolicy.INCREMENTS)
            ),
        }
    )

"""What an owner types. Whether it is allowed is decided by operations; a refusal becomes an error of the form."""
# ruff: noqa: ANN401  the signatures are Django's own

import json
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse_lazy
from django.utils import timezone

from ledger import spoken
from ledger.errors import DomainError
from subnets import queries, rule_trial
from subnets.admin.site import rule_problems
from subnets.errors import RuleInvalid
from subnets.hyperparameters import HYPERPARAMETERS, Authority, Hyperparameter
from subnets.models import HyperparameterChange, IncentiveRule, Subnet
from subnets.rule_document import DOCUMENT_BYTES_MAX

OWNERS = tuple(row for row in HYPERPARAMETERS if row.who is Authority.OWNER)
FIELD_ORDER = (
    "format",
    "title",
    "gates",
    "score",
    "smoothing",
    "one_per_owner",
    "shaping",
    "max_share_ppm",
    "floor_ppm",
    "burn_bps",
)
OPERATORS = tuple(row for row in HYPERPARAMETERS if row.who is Authority.ROOT)


def said(refusal: DomainError) -> list[str]:
    """Return a refusal as sentences; a rule's problems each with the place they stand at."""
    if isinstance(refusal, RuleInvalid):
        return [
            f"{item['pointer'] or 'The rule'}: {item['message']}" for item in rule_problems(refusal)
        ]
    return [spoken.sentence(str(refusal))]


class RefusableForm(forms.ModelForm):
    """A form that shows what an operation refused; `refusal` is set for the second run of the view."""

    refusal: DomainError | None = None

    def clean(self) -> dict[str, Any] | None:
        """Put the refusal at the field it names, or above all fields."""
        cleaned = super().clean()
        if self.refusal is not None:
            self.add_error(self.field_of(self.refusal), ValidationError(said(self.refusal)))
        return cleaned

    def field_of(self, refusal: DomainError) -> str | None:
        """Return the field a refusal is about; None when it is about all."""
        if isinstance(refusal, RuleInvalid):
            return "document"
        name = refusal.fields.get("name")
        return name if isinstance(name, str) and name in self.fields else None


def hyperparameter_field(row: Hyperparameter) -> forms.Field:
    """Return the input of one hyperparameter, with what it does and how far it goes.

    Bounds are words here and are enforced by the operation, for changes only: a value that the operator
    set beyond the owner's bounds must not keep the owner from saving the rest.
    """
    if row.is_flag:
        return forms.TypedChoiceField(
            label=row.name, help_text=row.doc, coerce=int, choices=[(1, "On"), (0, "Off")]
        )
    bounds = f"{bounds_in_words(row, by=Authority.OWNER)}; {row.default} at the start."
    return forms.IntegerField(label=row.name, help_text=f"{row.doc} {bounds}")


def bounds_in_words(row: Hyperparameter, *, by: Authority) -> str:
    """Say how far a hyperparameter goes, such as "0 to 65535 blocks"."""
    low, high = row.bounds(by)
    unit = f"in parts of {row.unit[1:]}" if row.unit.startswith("/") else row.unit
    return f"{low} to {high}" if row.is_flag else f"{low} to {high} {unit}"


def waits(block: int, opens: int) -> str:
    """Say from which block on a hyperparameter may be changed, and how far off that is."""
    count = opens - block
    return f"⏳ Waits: it may be changed from block {opens} on, {count} block{'s' if count > 1 else ''} from now."


class WordsForm(RefusableForm):
    """A subnet's words, and its hyperparameters read from one column into a field each."""

    repository_url = forms.URLField(
        max_length=200, required=False, assume_scheme="https", label="Repository"
    )

    class Meta:
        model = Subnet
        fields = ["name", "summary", "description", "repository_url"]
        widgets = {"description": forms.Textarea(attrs={"rows": 6, "cols": 80})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.update({row.name: self.instance.hyperparameters[row.name] for row in OWNERS})
        self.say_what_waits(timezone.now())

    def say_what_waits(self, now: datetime) -> None:
        """Say at each field that cannot be changed now from which block on it can."""
        block = queries.block_now(now)
        for line in queries.hyperparameter_lines(self.instance, block=block):
            opens = line.changeable_from_block
            if opens is not None and opens > block:
                field = self.fields[line.row.name]
                field.help_text = f"{field.help_text} {waits(block, opens)}"

    def changed_hyperparameters(self) -> dict[str, int]:
        """Return what the owner changed: name → value."""
        return {
            row.name: self.cleaned_data[row.name] for row in OWNERS if row.name in self.changed_data
        }


SubnetForm: type[WordsForm] = type(
    "SubnetForm", (WordsForm,), {row.name: hyperparameter_field(row) for row in OWNERS}
)


class RootChangeForm(RefusableForm):
    """One hyperparameter of one subnet, set by root; sent only when it is confirmed."""

    name = forms.ChoiceField(
        choices=[
            (row.name, f"{row.name}: {bounds_in_words(row, by=Authority.ROOT)}")
            for row in HYPERPARAMETERS
        ]
    )
    new_value = forms.IntegerField(label="Value")
    is_confirmed = forms.BooleanField(
        label="Yes, as root",
        help_text="It acts at once, past the owner’s bounds, wait and freeze, and stands in the public log.",
    )

    class Meta:
        model = HyperparameterChange
        fields = ["subnet", "name", "new_value"]

    def clean(self) -> dict[str, Any] | None:
        """Refuse what is set already: there would be no change to show."""
        cleaned = super().clean() or {}
        subnet, name = cleaned.get("subnet"), cleaned.get("name")
        if subnet and name and subnet.hyperparameters[name] == cleaned.get("new_value"):
            self.add_error("new_value", "This is its value already.")
        return cleaned

    def field_of(self, refusal: DomainError) -> str | None:
        """Put what is said of a hyperparameter at its value."""
        return "new_value" if "name" in refusal.fields else None


class DocumentField(forms.CharField):
    """A rule document as text, checked in the browser while it is typed and here when it is sent."""

    def __init__(self) -> None:
        widget = forms.Textarea(
            attrs={
                "rows": 24,
                "cols": 100,
                "class": "rule-document",
                "spellcheck": "false",
                "data-rule-check": reverse_lazy("admin:rule_check", current_app="owner"),
            }
        )
        super().__init__(
            widget=widget,
            max_length=DOCUMENT_BYTES_MAX,
            help_text="JSON. It is checked and tried on sample miners while you type.",
        )

    def clean(self, value: Any) -> Any:
        """Return the document as a mapping. Raises: ValidationError with every problem found."""
        text = super().clean(value)
        try:
            rule_trial.checked(text)
        except DomainError as refusal:
            raise ValidationError(said(refusal)) from None
        return json.loads(text)


class RuleForm(RefusableForm):
    """A draft of a subnet's rule."""

    document = DocumentField()

    class Meta:
        model = IncentiveRule
        fields = ["subnet", "document"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        document = self.initial.get("document")
        if isinstance(document, dict):
            self.initial["document"] = pretty(document)

    def clean_subnet(self) -> Subnet:
        """Refuse a second draft of a subnet: it would silently replace the first."""
        subnet: Subnet = self.cleaned_data["subnet"]
        draft = subnet.rules.filter(state=IncentiveRule.State.DRAFT).first()
        if draft is not None:
            raise ValidationError(
                f"Version {draft.version} is this subnet’s draft already. Change that one."
            )
        return subnet


def pretty(document: dict[str, Any]) -> str:
    """Write a rule document as people edit it, its fields in the order in which a rule is read."""
    # The database keeps no order of keys.
    placed = {name: document[name] for name in FIELD_ORDER if name in document}
    return json.dumps(placed | document, indent=2, ensure_ascii=False)

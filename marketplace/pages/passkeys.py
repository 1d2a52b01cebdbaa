"""What a passkey may be called: as everything that people give a name to."""

from typing import Any

from allauth.mfa.webauthn import forms as allauth_forms
from django.core.exceptions import ValidationError

from subnets import naming
from subnets.errors import TextRefused

NAME_LENGTH_MAX = 60


def read_name(name: str) -> str:
    """Return a passkey's name as it is kept. Raises: TextRefused."""
    return naming.read_prose(name, field="name", length_max=NAME_LENGTH_MAX)


class AddPasskeyForm(allauth_forms.AddWebAuthnForm):  # type: ignore[misc]  # allauth has no types
    def clean_name(self) -> str:
        """Keep a name that can be shown; in the place of another, the device's: the key itself was made already."""
        try:
            return read_name(super().clean_name())
        except TextRefused:
            self.cleaned_data["name"] = ""
            return str(super().clean_name())


class RenamePasskeyForm(allauth_forms.EditWebAuthnForm):  # type: ignore[misc]  # allauth has no types
    def clean_name(self) -> Any:  # noqa: ANN401  a form's cleaned value
        """Refuse a name that cannot be shown."""
        try:
            return read_name(self.cleaned_data["name"])
        except TextRefused as refusal:
            raise ValidationError(str(refusal)) from refusal

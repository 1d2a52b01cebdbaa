"""How people sign in and confirm that it is them: allauth, with what this house asks beyond it."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.models import Authenticator

from marketplace import queries

BY_PASSWORD, BY_PASSKEY = "reauthenticate", "mfa_reauthenticate:webauthn"
WORDS = {
    BY_PASSWORD: "Use your password",
    BY_PASSKEY: "Use a passkey",
    "mfa_reauthenticate": "Use your authenticator app, or a recovery code",
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    def get_reauthentication_methods(self, user: Any) -> list[dict[str, str]]:  # noqa: ANN401  a user or a visitor
        """Return the ways to confirm that it is you; where a second factor is set up, the password is none.

        The first is the one people are led to.
        """
        ways = {way["id"]: way for way in super().get_reauthentication_methods(user)}
        factors = queries.factors_of(user.id).values() if set(ways) - {BY_PASSWORD} else ()
        if factors:
            ways.pop(BY_PASSWORD, None)
        if BY_PASSKEY in ways and Authenticator.Type.TOTP not in factors:
            ways = {BY_PASSKEY: ways.pop(BY_PASSKEY), **ways}
        return [{**way, "description": WORDS[name]} for name, way in ways.items()]

"""How people sign in and confirm that it is them: allauth, with what this house asks beyond it.

allauth calls these adapters at each step. What it would mail of a change is written down as a fact here, and told as any
other news is: on the site, by mail, by webhook.
"""

import base64
import secrets
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from marketplace import devices, operations, queries, vault
from marketplace.models import SecurityChange, User

Kind = SecurityChange.Kind
# allauth's words for mails, and what each is here.
CHANGES = {
    "mfa/email/totp_activated": (Kind.FACTOR_ADDED, "authenticator app"),
    "mfa/email/totp_deactivated": (Kind.FACTOR_REMOVED, "authenticator app"),
    "mfa/email/webauthn_added": (Kind.FACTOR_ADDED, "passkey"),
    "mfa/email/webauthn_removed": (Kind.FACTOR_REMOVED, "passkey"),
    "mfa/email/recovery_codes_generated": (Kind.CODES_MADE, ""),
    "account/email/password_changed": (Kind.PASSWORD_CHANGED, ""),
    "account/email/password_set": (Kind.PASSWORD_CHANGED, ""),
    "account/email/password_reset": (Kind.PASSWORD_CHANGED, ""),
    "account/email/email_changed": (Kind.EMAIL_CHANGED, ""),
}
# The notice goes to the new address, which may be an intruder's; allauth's own mail goes to the old one.
ALSO_MAILED = {"account/email/email_changed"}
BY_PASSWORD, BY_PASSKEY = "reauthenticate", "mfa_reauthenticate:webauthn"
WORDS = {
    BY_PASSWORD: "Use your password",
    BY_PASSKEY: "Use a passkey",
    "mfa_reauthenticate": "Use your authenticator app, or a recovery code",
}
# By it a browser is known again. It says nothing of anybody, and opens nothing.
DEVICE_COOKIE = "device"
DEVICE_COOKIE_S = 400 * 86_400  # the longest browsers keep one
VAULT_PURPOSE = "second factors"


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

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        *words: Any,  # noqa: ANN401  as allauth calls it
        **more: Any,  # noqa: ANN401
    ) -> None:
        """Write down what changed; who changed the password stays signed in here alone."""
        if template_prefix in CHANGES:
            kind, about = CHANGES[template_prefix]
            record(self.request, user, kind, about=about)
            if kind is Kind.PASSWORD_CHANGED:
                operations.end_sessions(person=user.id, but_key=self.request.session.session_key)
        if template_prefix in ALSO_MAILED or template_prefix not in CHANGES:
            super().send_notification_mail(template_prefix, user, *words, **more)

    def confirm_email(self, request: HttpRequest, email_address: Any) -> bool:  # noqa: ANN401  allauth's row
        """Confirm an address; a second one of somebody is a change, since a new password can be asked for there."""
        is_done = bool(super().confirm_email(request, email_address))
        if is_done and not email_address.primary:
            record(request, email_address.user, Kind.EMAIL_ADDED, about=email_address.email)
        return is_done

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:  # noqa: ANN401
        """Remember the browser that signed in, so that its owner is told of one that never did before."""
        answer: HttpResponse = super().post_login(request, user, **more)
        browser = request.COOKIES.get(DEVICE_COOKIE) or secrets.token_urlsafe()
        operations.see_device(
            person=user.id, browser=browser, place=place_of(request), now=timezone.now()
        )
        answer.set_cookie(
            DEVICE_COOKIE, browser, max_age=DEVICE_COOKIE_S, secure=settings.SECURE, httponly=True, samesite="Lax"
        )  # fmt: skip
        return answer


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This code is wrong, was used already, or is no longer the current one. Wait for the next one and type it.",
        "unverified_email": "Confirm your e-mail address first: a second factor binds the account to whoever sets it up.",
    }

    def encrypt(self, text: str) -> str:
        """Keep secrets of apps and recovery codes where a copy of the database alone does not read them."""
        return vault.lock(text, master=settings.SECRET_KEY, purpose=VAULT_PURPOSE)

    def decrypt(self, encrypted_text: str) -> str:
        """Read a kept secret; one kept under another SECRET_KEY proves nothing, and no code fits it."""
        kept = vault.unlock(encrypted_text, master=settings.SECRET_KEY, purpose=VAULT_PURPOSE)
        return kept or base64.b32encode(secrets.token_bytes(20)).decode()

    def get_totp_issuer(self) -> str:
        """Return the name under which an app lists its codes."""
        return settings.SITE_NAME

    def generate_authenticator_name(self, user: Any, type: str) -> str:  # noqa: ANN401  allauth's names
        """Name a passkey by where it is made."""
        del user, type
        return place_of(context.request).device.removeprefix("a ").capitalize()

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Bind passkeys to the site's own name. A developer's site has an address in its place: then the name that was typed."""
        return {
            "id": rp_id(settings.SITE_URL, context.request.get_host()),
            "name": settings.SITE_NAME,
        }


def rp_id(site_url: str, host: str) -> str:
    """Return the name that passkeys are bound to.

    Example:
        >>> rp_id("https://market.example:8443", "10.0.0.5"), rp_id("http://127.0.0.1:8000", "localhost:8000")
        ('market.example', 'localhost')
    """
    name = urlsplit(site_url).hostname or ""
    try:
        ip_address(name)
    except ValueError:
        return name
    return host.partition(":")[0]


def record(request: HttpRequest, user: User, kind: SecurityChange.Kind, *, about: str = "") -> None:
    """Write down a change that somebody made in this request."""
    operations.record_security_change(
        person=user.id, kind=kind, about=about, place=place_of(request), now=timezone.now()
    )


def place_of(request: HttpRequest) -> operations.Place:
    """Return where a request comes from."""
    adapter = DefaultAccountAdapter(request)
    return operations.Place(
        device=devices.device_of(request.headers.get("User-Agent", "")),
        address=devices.address_of(adapter.get_client_ip(request)),
    )

"""Second factors of people in tests: an authenticator app, its codes, a session that proved one."""

import time

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.urls import reverse

PASSWORD = "a long password"  # what tests sign people up with


def app(user):
    """Set up an authenticator app for somebody; return its secret."""
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(user, secret)
    return secret


def code(secret):
    """Return what the app shows now."""
    counter = int(time.time()) // 30
    return totp.format_hotp_value(totp.hotp_value(secret, counter))


def recovery_codes(user):
    """Give somebody recovery codes; return them."""
    return RecoveryCodes.activate(user).generate_codes()


def sign_in(client, user, **also):
    """Sign in with the password; return the answer."""
    asked = {"login": user.email, "password": PASSWORD, **also}
    return client.post(reverse("account_login"), asked)


def prove(client, typed, **asked):
    """Type a code where the second factor is asked for again."""
    return client.post(reverse("mfa_reauthenticate"), {"code": typed, **asked})


def sign_in_proven(client, user, secret=None):
    """Sign in with password and second factor, as the next request of a guarded page needs it."""
    secret = secret or app(user)
    sign_in(client, user)
    client.post(reverse("mfa_authenticate"), {"code": code(secret)})
    assert client.session.get("_auth_user_id") == str(user.pk)


def grow_old(client, *, minutes):
    """Let so many minutes pass since what the session proved."""
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= minutes * 60
    session.save()

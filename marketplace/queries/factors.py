"""Second factors: what proves, beside the password, that it is the owner of the account."""

from uuid import UUID

from allauth.mfa.models import Authenticator

# Recovery codes lead back into an account; they prove nothing where money moves (docs/decisions/0041).
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def factors_of(person: UUID) -> dict[int, str]:
    """Return the kind of each second factor of somebody, by its id; recovery codes are none."""
    rows = Authenticator.objects.filter(user_id=person, type__in=FACTORS)
    return dict(rows.values_list("id", "type"))

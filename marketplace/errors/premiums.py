"""What can be refused of premiums on free slots."""

from ledger.errors import DomainError


class PremiumAlreadyOpen(DomainError):
    """Slots have one premium at a time."""

    code = "premium_already_open"
    message = (
        "Slots have a premium until {ends_at:%Y-%m-%d %H:%M} UTC. Withdraw it, or begin later."
    )


class PremiumTermsInvalid(DomainError):
    """The terms an operator asked for cannot be a premium's."""

    code = "premium_terms_invalid"
    http_status = 422
    message = "A premium cannot have these terms: {reason}."

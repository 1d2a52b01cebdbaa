"""What can be refused of people: who may deal with whom, and what is said of a sale."""

from ledger.errors import DomainError


class AddressNotVerified(DomainError):
    """Whoever bids or buys has shown that mail to their address reaches them."""

    code = "address_not_verified"
    http_status = 403
    message = "Confirm your e-mail address first: follow the link in the message we sent you."


class AccountsLinked(DomainError):
    """One person or company stands behind buyer and seller."""

    code = "accounts_linked"
    http_status = 403
    message = "Your account and the seller's belong together, so you cannot bid or buy here."


class SaleUnknown(DomainError):
    """No sale of this buyer has this id."""

    code = "sale_unknown"
    http_status = 404
    message = "There is no sale {sale_id} of yours."


class DisputeTooLate(DomainError):
    """A problem is reported within some days of the sale."""

    code = "dispute_too_late"
    message = "A problem with a purchase is reported within {days} days of it."


class DisputeUnknown(DomainError):
    """No dispute has this id."""

    code = "dispute_unknown"
    http_status = 404
    message = "There is no dispute {dispute_id}."


class DisputeDecided(DomainError):
    """A decided dispute stays as it is."""

    code = "dispute_decided"
    message = "This dispute is {state} already."

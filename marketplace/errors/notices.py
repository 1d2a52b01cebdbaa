"""What can be refused of notices."""

from ledger.errors import DomainError


class UnsubscribeLinkInvalid(DomainError):
    """The link was cut or changed on its way; it is not one of this site's."""

    code = "unsubscribe_link_invalid"
    http_status = 400
    message = "This link is not complete. Copy all of it from the mail, or choose on your page of notices."

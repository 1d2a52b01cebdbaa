"""What can be refused of event streams."""

from ledger.errors import DomainError


class TooManyStreams(DomainError):
    """This process serves as many event streams as it can."""

    code = "too_many_streams"
    http_status = 503
    message = "Too many people are watching. Try again in {retry_after_s} seconds."

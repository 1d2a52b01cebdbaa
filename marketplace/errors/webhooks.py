"""What can be refused of outgoing webhooks."""

from ledger.errors import DomainError


class AddressRefused(DomainError):
    """The server does not speak to this address."""

    code = "address_refused"
    http_status = 422
    message = "This address is not taken: {reason}. Give a public https:// address."


class EndpointUnknown(DomainError):
    """No webhook endpoint of this owner has this id."""

    code = "webhook_endpoint_unknown"
    http_status = 404
    message = "There is no webhook endpoint {endpoint_id} of yours."


class EndpointDisabled(DomainError):
    """Nothing is sent to an endpoint that is switched off."""

    code = "webhook_endpoint_disabled"
    message = "This webhook endpoint is switched off. Switch it on first."


class DeliveryUnknown(DomainError):
    """No delivery of this endpoint has this id."""

    code = "webhook_delivery_unknown"
    http_status = 404
    message = "There is no delivery {delivery_id} at this endpoint."


class TooManyEndpoints(DomainError):
    """An account has as many webhook endpoints as it may."""

    code = "too_many_webhook_endpoints"
    message = "An account has at most {limit} webhook endpoints. Remove one first."


class TooManyTests(DomainError):
    """Deliveries that were asked for by hand wait already."""

    code = "too_many_webhook_tests"
    http_status = 429
    message = "At most {limit} deliveries wait at an endpoint when one more is asked for by hand."

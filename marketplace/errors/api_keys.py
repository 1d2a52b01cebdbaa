"""What can be refused of API keys. A 401 says the same of every key that does not exist or has another secret."""

from ledger.errors import DomainError


class ApiKeyInvalid(DomainError):
    """No such API key, another secret, or an account that is closed."""

    code = "api_key_invalid"
    http_status = 401
    message = "This is no API key of this server. Send `Authorization: Bearer snm_live_…`."


class ApiKeyExpired(DomainError):
    """The API key is past its last day."""

    code = "api_key_expired"
    http_status = 401
    message = "This API key ended at {expires_at:%Y-%m-%d %H:%M:%S} UTC. Make a new one on the page API keys."


class ApiKeyRevoked(DomainError):
    """The owner revoked the API key."""

    code = "api_key_revoked"
    http_status = 401
    message = "This API key was revoked at {revoked_at:%Y-%m-%d %H:%M:%S} UTC. Make a new one on the page API keys."


class ApiKeyAddressRefused(DomainError):
    """The API key may not be used from this address."""

    code = "api_key_address_refused"
    http_status = 403
    message = "This API key may not be used from {address}."


class ApiKeyUnknown(DomainError):
    """The owner has no API key with this id."""

    code = "api_key_unknown"
    http_status = 404
    message = "You have no API key {key_id}."


class ApiKeyTermsInvalid(DomainError):
    """An API key cannot be made on these terms."""

    code = "api_key_terms_invalid"
    http_status = 422
    message = "The key cannot be made: {reason}."


class TooManyApiKeys(DomainError):
    """A person keeps as many working API keys as there may be."""

    code = "too_many_api_keys"
    http_status = 409
    message = "You have {limit} working API keys, the most there may be. Revoke one first."

"""What can be refused of card payments, and of what Stripe tells."""

from ledger.errors import DomainError


class CardsSwitchedOff(DomainError):
    """No key of the card processor is set."""

    code = "cards_switched_off"
    http_status = 503
    message = "Card payments are switched off here. Use another way to top up."


class CardsUnavailable(DomainError):
    """The card processor cannot be reached, or answered that it cannot serve."""

    code = "cards_unavailable"
    http_status = 503
    message = "The card processor does not answer. No card was charged; try again in a minute."


class CardsRefused(DomainError):
    """The card processor refused what was asked: a wrong key, a wrong value, an unknown object."""

    code = "cards_refused"
    http_status = 502
    message = "The card processor refused the request ({reason}). No card was charged."


class CardLookOvertaken(DomainError):
    """Another worker wrote down a newer state of the same payment meanwhile."""

    code = "card_look_overtaken"
    http_status = 409
    message = "The payment of deposit {deposit_id} was looked at by another worker meanwhile."


class WebhookSignatureInvalid(DomainError):
    """The event was not signed with a secret of this house, or was signed too long ago."""

    code = "webhook_signature_invalid"
    http_status = 400
    message = "The event's signature is not valid: {reason}."


class WebhookPayloadInvalid(DomainError):
    """The body was signed, but it is not an event about an object."""

    code = "webhook_payload_invalid"
    http_status = 400
    message = "The event cannot be read: {reason}."


class DepositOutOfBounds(DomainError):
    """A card deposit is smaller or larger than cards are used for here."""

    code = "deposit_out_of_bounds"
    http_status = 422
    message = (
        "A card deposit lies between {minimum_cents} and {maximum_cents} US cents; "
        "{amount_cents} does not."
    )


class DepositLimitReached(DomainError):
    """An account, or a card over all accounts, would pay for more than it may in 24 hours."""

    code = "deposit_limit_reached"
    http_status = 409
    message = (
        "Cards are taken up to {limit_cents} US cents in 24 hours; {used_cents} were used. "
        "Top up by less, or try again tomorrow."
    )


class CardsPaused(DomainError):
    """Too many cards of this account did not pay within 24 hours."""

    code = "cards_paused"
    http_status = 409
    message = (
        "{failure_count} card payments failed within a day. Try again tomorrow, or ask support."
    )


class NothingOwed(DomainError):
    """An owner owes nothing for card payments."""

    code = "nothing_owed"
    http_status = 409
    message = "{owner} owes nothing for card payments."


class OwnDebt(DomainError):
    """Staff would forgive a debt of its own."""

    code = "own_debt"
    http_status = 403
    message = "A debt is forgiven by others than who owes it, and by no account of theirs."


class ForgivenessUnknown(DomainError):
    """Nobody asked that a debt is forgiven under this id."""

    code = "forgiveness_unknown"
    http_status = 404
    message = "Nobody asked for forgiveness {forgiveness_id}."


class ForgivenessDecided(DomainError):
    """Whether a debt is forgiven was decided before."""

    code = "forgiveness_decided"
    http_status = 409
    message = "That was decided before: it is {state}."


class DepositUnknown(DomainError):
    """No deposit of this owner has this id."""

    code = "deposit_unknown"
    http_status = 404
    message = "There is no deposit {deposit_id}."

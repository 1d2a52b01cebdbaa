"""What can be refused of offers and counter-offers."""

from ledger.errors import DomainError


class OfferUnknown(DomainError):
    """No offer has this id, or it is between other people."""

    code = "offer_unknown"
    http_status = 404
    message = "There is no offer {offer_id} of yours or to you."


class OfferTermsInvalid(DomainError):
    """An amount or a length that no offer can have."""

    code = "offer_terms_invalid"
    http_status = 422
    message = "These terms cannot stand: {reason}."


class OfferAlreadyOpen(DomainError):
    """A buyer has one offer at a time for a subnet."""

    code = "offer_already_open"
    message = (
        "You have an open offer for subnet {netuid}. Withdraw it before you make another; "
        "its id is {offer_id}."
    )


class OwnerCannotOffer(DomainError):
    """Who owns a subnet has nothing to buy there."""

    code = "owner_cannot_offer"
    http_status = 403
    message = "Subnet {netuid} is yours; you cannot make an offer for it."


class OfferEnded(DomainError):
    """The offer was accepted, declined or withdrawn, it expired, or the subnet was sold to somebody."""

    code = "offer_ended"
    message = "This offer has ended ({state}). Nothing of it binds anybody; make a new offer."


class OfferLapsed(DomainError):
    """The figure on the table was good until an instant that has passed, by the server's clock."""

    code = "offer_lapsed"
    message = (
        "This was good until {expires_at:%Y-%m-%d %H:%M:%S} UTC and has lapsed. Make a new offer."
    )


class OfferChanged(DomainError):
    """Another figure is on the table than the one that was agreed to."""

    code = "offer_changed"
    message = (
        "You agreed to {expected_rao} rao, and {amount_rao} rao is on the table now. "
        "Nothing was sold; look again."
    )


class NotYourMove(DomainError):
    """The other side is to answer, or this side cannot do that."""

    code = "not_your_move"
    message = "You cannot {act} while {state}."


class TooManyMoves(DomainError):
    """A negotiation has a bounded number of figures."""

    code = "too_many_moves"
    message = "After {figures_max} figures only yes or no is left: accept, decline or withdraw."


class SubnetInAuction(DomainError):
    """A subnet in a live auction is promised to its bidders."""

    code = "subnet_in_auction"
    message = (
        "Subnet {netuid} stands in an auction. Its owner withdraws the auction first, "
        "which is possible until somebody bids, or waits for its end."
    )

"""What can be refused of withdrawals, of the places they go to, and of who lets them go."""

from ledger.errors import DomainError


class WithdrawalsSwitchedOff(DomainError):
    """This way out is switched off."""

    code = "withdrawals_switched_off"
    http_status = 503
    message = "Withdrawals by this way are switched off for now. Your money stays in your wallet."


class SecondFactorNotProven(DomainError):
    """The second factor was not proven within the last minutes."""

    code = "second_factor_not_proven"
    http_status = 403
    message = (
        "Prove your second factor again: it has to be proven within the last {minutes} minutes."
    )


class WithdrawalOutOfBounds(DomainError):
    """Less is asked for than leaves here at once."""

    code = "withdrawal_out_of_bounds"
    http_status = 422
    message = "{amount_rao} rao are too little to leave. Withdraw at least {minimum_rao} rao."


class WithdrawalLimitReached(DomainError):
    """An account would withdraw more than it may in 24 hours."""

    code = "withdrawal_limit_reached"
    http_status = 409
    message = (
        "An account withdraws up to {limit_rao} rao in 24 hours; {used_rao} rao were asked for. "
        "Withdraw less, or try again tomorrow."
    )


class WithdrawalsFrozen(DomainError):
    """A card payment of the owner is in doubt, or they owe: nothing of theirs leaves."""

    code = "withdrawals_frozen"
    http_status = 409
    message = (
        "Nothing can be withdrawn while a card payment of yours is disputed or under review, or while you owe. "
        "Your wallet says which."
    )


class NotWithdrawable(DomainError):
    """More is asked for than may leave: the rest is set aside, or came of a card and has not cleared."""

    code = "not_withdrawable"
    http_status = 409
    message = (
        "{amount_rao} rao were asked for and {withdrawable_rao} rao may leave now. "
        "What came of a card may leave once its window has passed."
    )


class WithdrawalCoolingDown(DomainError):
    """Something that decides where money goes is new: it waits, so that its owner can notice."""

    code = "withdrawal_cooling_down"
    http_status = 409
    message = (
        "Because {words} is new, withdrawals wait until {until:%Y-%m-%d %H:%M} UTC. Try again then."
    )


class WithdrawalQuoteChanged(DomainError):
    """What arrives is not what was shown: rate or fee changed in between."""

    code = "withdrawal_quote_changed"
    http_status = 409
    message = (
        "The rate or the fee changed since you looked. Look at the new figures and confirm them."
    )


class WithdrawalAddressUnknown(DomainError):
    """The owner's address book has no such address."""

    code = "withdrawal_address_unknown"
    http_status = 404
    message = "There is no such address in your address book."


class WithdrawalAddressInvalid(DomainError):
    """The text is no address of this chain."""

    code = "withdrawal_address_invalid"
    http_status = 422
    message = (
        "{text!r} is not an address of this chain. Copy it from your wallet; it begins with 5."
    )


class TooManyWithdrawalAddresses(DomainError):
    """An address book has so many addresses and no more."""

    code = "too_many_withdrawal_addresses"
    http_status = 409
    message = "An address book has {limit} addresses at most. Remove one first."


class PayoutAccountNotReady(DomainError):
    """The owner has no account at Stripe that takes money."""

    code = "payout_account_not_ready"
    http_status = 409
    message = "Stripe does not take money for you yet. Connect an account, or finish what Stripe asks for."


class WithdrawalUnknown(DomainError):
    """No withdrawal of this owner has this id."""

    code = "withdrawal_unknown"
    http_status = 404
    message = "There is no withdrawal {withdrawal_id}."


class WithdrawalDecided(DomainError):
    """The withdrawal is past the state in which this can be done."""

    code = "withdrawal_decided"
    http_status = 409
    message = "It is too late for that: the withdrawal is {state}."


class OwnWithdrawal(DomainError):
    """Staff would let its own money go."""

    code = "own_withdrawal"
    http_status = 403
    message = "This withdrawal is yours, or of an account linked to yours. Somebody else has to decide it."


class RailShort(DomainError):
    """The house has too little on this way out at the moment; nothing was sent."""

    code = "withdrawal_rail_short"
    http_status = 503
    message = "The house has too little on this way out at the moment. It is sent in full once there is enough."


class ChainUnavailable(DomainError):
    """The chain cannot be asked."""

    code = "chain_unavailable"
    http_status = 503
    message = "The chain does not answer. Nothing was lost; it is asked again in a minute."

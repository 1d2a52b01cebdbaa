"""What can be refused once an auction has a winner who still has to pay."""

from ledger.errors import DomainError


class NotAwaitingPayment(DomainError):
    """The auction waits for nobody's payment."""

    code = "not_awaiting_payment"
    message = "This auction does not wait for a payment; it is {state}."


class NotYoursToPay(DomainError):
    """Somebody else won, or has the second chance."""

    code = "not_yours_to_pay"
    http_status = 403
    message = "Somebody else won this auction; there is nothing for you to pay."


class PaymentOverdue(DomainError):
    """The time to pay has passed."""

    code = "payment_overdue"
    message = "The time to pay ended at {due_at:%Y-%m-%d %H:%M:%S} UTC."


class NoSecondChance(DomainError):
    """The auction waits for its winner, who cannot decline."""

    code = "no_second_chance"
    message = "You have no second chance in this auction to decline."


class SellerLeft(DomainError):
    """The seller no longer owns the subnet; nothing was paid."""

    code = "seller_left"
    message = (
        "The seller no longer owns this subnet. The auction is cancelled, nothing was paid, "
        "and your deposit is free."
    )


class TooManyStrikes(DomainError):
    """Who let several auctions go unpaid lately may not bid with deposits."""

    code = "too_many_strikes"
    http_status = 403
    message = (
        "You did not pay for {strikes} auctions within {days} days, so you cannot bid with a deposit. "
        "Auctions that set the whole maximum aside are open to you."
    )

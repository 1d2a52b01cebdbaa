"""How often one caller may ask. Rates stand in REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] under their scope."""

from rest_framework.settings import api_settings
from rest_framework.throttling import UserRateThrottle


class BidThrottle(UserRateThrottle):
    """One person's bids: a duel needs a bid every few seconds, a loop gone wrong needs many more."""

    scope = "bids"
    usual_rate = "60/min"

    def get_rate(self) -> str:
        """Return the operator's rate, or the usual one."""
        rates = api_settings.DEFAULT_THROTTLE_RATES
        return str(rates.get(self.scope, self.usual_rate))


class PurchaseThrottle(BidThrottle):
    """One person's purchases, auctions and deposits: each is a decision, not a stream."""

    scope = "purchases"
    usual_rate = "20/min"

"""How often one caller may ask. Rates stand in REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] under their scope."""

from math import ceil
from typing import cast

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle
from rest_framework.views import APIView


class Throttle(SimpleRateThrottle):
    """A limit with a usual rate, which operators may set differently."""

    usual_rate: str

    def get_rate(self) -> str:
        """Return the operator's rate, or the usual one."""
        return str(api_settings.DEFAULT_THROTTLE_RATES.get(str(self.scope), self.usual_rate))

    def wait_s(self, request: HttpRequest) -> int:
        """Count a request of a page; return how many seconds it comes too early, 0 when it may pass."""
        # Of both, a throttle reads the caller alone, who is in either kind of request.
        if self.allow_request(cast(Request, request), cast(APIView, None)):
            return 0
        return max(1, ceil(self.wait() or 1))


class TuningThrottle(Throttle, UserRateThrottle):
    """One person's changes: each is a decision, not a stream."""

    scope = "tuning"
    usual_rate = "20/min"


class RuleCheckThrottle(Throttle, UserRateThrottle):
    """One person's checks of rules, typed or sent: each may take seconds of a processor and 256 MiB."""

    scope = "rule_checks"
    usual_rate = "30/min"  # who types pauses less often than every other second


class ExplanationThrottle(Throttle, AnonRateThrottle):
    """One address's explanations: the first of each takes up to a second of a processor."""

    scope = "explanations"
    usual_rate = "60/min"

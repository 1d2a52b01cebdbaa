"""How often one caller may ask of subnets; `ledger.rest.limits` counts."""

from ledger.rest.limits import AddressThrottle, Throttle


class TuningThrottle(Throttle):
    """One person's changes: each is a decision, not a stream."""

    bucket = "tune"
    usual_rate = "20/min"


class RuleCheckThrottle(Throttle):
    """One person's checks of rules, typed or sent: each may take seconds of a processor and 256 MiB."""

    bucket = "rule_check"
    usual_rate = "30/min"  # who types pauses less often than every other second


class ExplanationThrottle(AddressThrottle):
    """One address's explanations: the first of each takes up to a second of a processor."""

    bucket = "explanation"
    usual_rate = "60/min"

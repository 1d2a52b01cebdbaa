"""A subnet's rules: their history, what changed, what failed, and the miners to try a new one on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.db.models import Max

from subnets import evidence, rule_diff
from subnets.errors import RuleUnknown
from subnets.metrics import Metrics
from subnets.models import Epoch, EpochEvidence, IncentiveRule

HISTORY_MAX = 50  # versions on one page; a document has up to 16 KB


def published_rules(
    netuid: int, *, limit: int = HISTORY_MAX, before: int | None = None
) -> list[IncentiveRule]:
    """List the published versions, newest first, those older than `before` where that is given."""
    rows = IncentiveRule.objects.filter(subnet=netuid, state=IncentiveRule.State.PUBLISHED)
    if before is not None:
        rows = rows.filter(version__lt=before)
    return list(rows.order_by("-version")[: min(limit, HISTORY_MAX)])


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A version with the published one before it, and what changed; before is None for the first."""

    rule: IncentiveRule
    before: IncentiveRule | None
    changes: tuple[rule_diff.Change, ...]


def rule_change(netuid: int, version: int) -> RuleChange:
    """Return a published version and how it differs from the one before. Raises: RuleUnknown."""
    found = published_rules(netuid, limit=2, before=version + 1)
    if not found or found[0].version != version:
        raise RuleUnknown(netuid=netuid, version=version)
    return changed(found[0], found[1] if len(found) > 1 else None)


def rule_history(netuid: int, *, limit: int) -> list[RuleChange]:
    """List the newest published versions, each with what it changed."""
    found = published_rules(netuid, limit=limit + 1)
    pairs = zip(found, [*found[1:], None], strict=True)
    return [changed(rule, before) for rule, before in pairs][:limit]


def changed(rule: IncentiveRule, before: IncentiveRule | None) -> RuleChange:
    """Compare a version with another."""
    differing = rule_diff.changes(before.document, rule.document) if before else ()
    return RuleChange(rule, before, differing)


@dataclass(frozen=True, slots=True)
class RuleFault:
    """A rule that could not be applied: since which epoch, why, and which version pays in its place."""

    since: int
    last: int
    fault: str
    paying_version: int


def rule_fault(netuid: int) -> RuleFault | None:
    """Return what was wrong with the rule in the last closed epoch; None when it was applied."""
    closed = Epoch.objects.filter(subnet=netuid).order_by("-number")
    last = closed.values_list("number", "rule_fault", "rule__version").first()
    if last is None or not last[1]:
        return None
    sound = closed.filter(rule_fault="").aggregate(last=Max("number"))["last"] or 0
    return RuleFault(since=sound + 1, last=last[0], fault=last[1], paying_version=last[2])


def last_miners(netuid: int) -> Mapping[str, Metrics]:
    """Return the miners of the last epoch as the validator that sampled most of them saw them."""
    newest = (
        EpochEvidence.objects.filter(epoch__subnet=netuid)
        .order_by("-epoch__number")
        .values_list("epoch", flat=True)
        .first()
    )
    return _miners_of(newest) if newest else {}


@lru_cache(maxsize=32)  # a rule is tried at every pause of whoever types it; evidence never changes
def _miners_of(epoch: UUID) -> Mapping[str, Metrics]:
    at_rest = EpochEvidence.objects.values_list("packed", flat=True).get(epoch=epoch)
    views = evidence.unpacked(bytes(at_rest)).measured.values()
    return max(views, key=len, default={})

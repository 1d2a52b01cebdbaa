"""The owner's rule: drafted, checked, published, and in force from an epoch that has not begun."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from subnets import queries, rules
from subnets.errors import RuleNotDraft, RuleUnknown
from subnets.models import IncentiveRule, Subnet


@transaction.atomic
def save_draft(
    *, netuid: int, owner: UUID, document: Mapping[str, Any], now: datetime
) -> IncentiveRule:
    """Save the subnet's one draft, as the next version; only a valid document is saved.

    Raises: SubnetUnknown, NotTheOwner, RuleInvalid (every problem at once).
    """
    # The check may run a program for seconds, so it comes before the lock.
    rule = rules.parse(document)
    subnet = queries.lock_own_subnet(netuid, owner)
    draft = IncentiveRule.objects.filter(subnet=subnet, state=IncentiveRule.State.DRAFT).first()
    if draft is None:
        draft = IncentiveRule(subnet=subnet, version=_next_version(subnet), created_at=now)
    draft.document, draft.digest, draft.author = dict(document), rules.digest(rule), owner
    draft.save()
    return draft


@transaction.atomic
def publish_rule(*, netuid: int, owner: UUID, version: int, now: datetime) -> IncentiveRule:
    """Announce a draft; it pays from the next epoch that has not begun, never in the running one.

    Publishing a published version again returns it. Raises: SubnetUnknown, NotTheOwner, RuleUnknown,
    RuleInvalid.
    """
    subnet = queries.lock_own_subnet(netuid, owner)
    rule = _version(subnet, version)
    if rule.state == IncentiveRule.State.PUBLISHED:
        return rule
    rules.parse(rule.document)
    rule.state, rule.published_at = IncentiveRule.State.PUBLISHED, now
    rule.from_epoch = queries.running_epoch_number(subnet, now=now) + 1
    rule.save(update_fields=["state", "published_at", "from_epoch"])
    return rule


@transaction.atomic
def discard_draft(*, netuid: int, owner: UUID, version: int) -> None:
    """Drop a draft. Raises: SubnetUnknown, NotTheOwner, RuleUnknown, RuleNotDraft."""
    subnet = queries.lock_own_subnet(netuid, owner)
    rule = _version(subnet, version)
    if rule.state != IncentiveRule.State.DRAFT:
        raise RuleNotDraft(version=version)
    rule.delete()


def _version(subnet: Subnet, version: int) -> IncentiveRule:
    found = IncentiveRule.objects.filter(subnet=subnet, version=version).first()
    if found is None:
        raise RuleUnknown(netuid=subnet.netuid, version=version)
    return found


def _next_version(subnet: Subnet) -> int:
    last = IncentiveRule.objects.filter(subnet=subnet).aggregate(last=Max("version"))["last"]
    return (last or 0) + 1

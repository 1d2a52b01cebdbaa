"""The owner's rule: drafted, tried, published with notice, and in force from an epoch that has not begun.

What is published stands for ever and is not taken back: whoever relies on an announcement can. A later
version may take its place before it begins, with a notice of its own, and never begins before it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from subnets import queries, rule_trial, rules
from subnets.errors import RuleChanged, RuleNotDraft, RuleNotPublished, RuleUnknown
from subnets.models import IncentiveRule, Subnet


@transaction.atomic
def save_draft(
    *, netuid: int, owner: UUID, document: Mapping[str, Any], now: datetime
) -> IncentiveRule:
    """Save the subnet's one draft, as the next version; only a rule that could pay somebody is saved.

    Raises: SubnetUnknown, NotTheOwner, RuleInvalid (every problem at once), RuleTooCostly,
    RuleEvaluatorUnavailable.
    """
    # The check may run a program for seconds, so it comes before the lock.
    rule = rule_trial.checked(document)
    subnet = queries.lock_own_subnet(netuid, owner)
    draft = IncentiveRule.objects.filter(subnet=subnet, state=IncentiveRule.State.DRAFT).first()
    if draft is None:
        draft = IncentiveRule(subnet=subnet, version=_next_version(subnet), created_at=now)
    draft.document, draft.digest, draft.author = dict(document), rules.digest(rule), owner
    draft.save()
    return draft


def publish_rule(
    *, netuid: int, owner: UUID, version: int, digest: str, now: datetime
) -> IncentiveRule:
    """Announce a draft; it pays once the subnet's `rule_notice` has passed, never in the running epoch.

    digest: of the rule as its owner read it; nothing else is published under its number. Publishing a
    published version again returns it. Raises: SubnetUnknown, NotTheOwner, RuleUnknown, RuleChanged,
    RuleInvalid, RuleTooCostly, RuleEvaluatorUnavailable.
    """
    read = _agreed(queries.own_subnet(netuid, owner), version, digest)
    if read.state == IncentiveRule.State.DRAFT:
        # It may run a program for seconds, for which nobody waits: the digest says that it is the same rule.
        rule_trial.checked(read.document)
    with transaction.atomic():
        subnet = queries.lock_own_subnet(netuid, owner)
        rule = _agreed(subnet, version, digest)
        if rule.state == IncentiveRule.State.PUBLISHED:
            return rule
        rule.state, rule.published_at = IncentiveRule.State.PUBLISHED, now
        rule.from_epoch = first_epoch(subnet, now=now)
        rule.save(update_fields=["state", "published_at", "from_epoch"])
        return rule


def restore_rule(*, netuid: int, owner: UUID, version: int, now: datetime) -> IncentiveRule:
    """Publish a copy of an earlier version as a new one, with the notice of any other.

    Nothing is published when the newest version is that one, or its copy: it is returned. A draft stays
    the newest version, with the number after the copy's: published in the copy's epoch, it still comes
    after it. Raises: SubnetUnknown, NotTheOwner, RuleUnknown, RuleNotPublished, RuleInvalid, RuleTooCostly,
    RuleEvaluatorUnavailable.
    """
    subnet = queries.own_subnet(netuid, owner)
    earlier = _version(subnet, version)
    if earlier.state != IncentiveRule.State.PUBLISHED:
        raise RuleNotPublished(version=version)
    if newest := _standing(subnet, version):
        return newest
    # It may run a program for seconds, so it comes before the lock; what is published never changes.
    digest = rules.digest(rule_trial.checked(earlier.document))
    with transaction.atomic():
        subnet = queries.lock_own_subnet(netuid, owner)
        if newest := _standing(subnet, version):
            return newest
        return IncentiveRule.objects.create(
            subnet=subnet,
            version=_number_before_the_draft(subnet),
            state=IncentiveRule.State.PUBLISHED,
            document=earlier.document,
            digest=digest,
            author=owner,
            created_at=now,
            published_at=now,
            from_epoch=first_epoch(subnet, now=now),
            restores=version,
        )


def _standing(subnet: Subnet, version: int) -> IncentiveRule | None:
    """Return the newest published version when it is the given one, or its copy."""
    newest = subnet.rules.filter(state=IncentiveRule.State.PUBLISHED).latest("version")
    return newest if version in {newest.version, newest.restores} else None


def _number_before_the_draft(subnet: Subnet) -> int:
    """Return the next version's number; a draft gives up its own for it and takes the one after."""
    number = _next_version(subnet)
    draft = subnet.rules.filter(state=IncentiveRule.State.DRAFT).first()
    if draft is not None:
        number, draft.version = draft.version, number
        draft.save(update_fields=["version"])
    return number


@transaction.atomic
def discard_draft(*, netuid: int, owner: UUID, version: int) -> None:
    """Drop a draft. Raises: SubnetUnknown, NotTheOwner, RuleUnknown, RuleNotDraft."""
    subnet = queries.lock_own_subnet(netuid, owner)
    rule = _version(subnet, version)
    if rule.state != IncentiveRule.State.DRAFT:
        raise RuleNotDraft(version=version)
    rule.delete()


def first_epoch(subnet: Subnet, *, now: datetime) -> int:
    """Return the epoch from which a rule acts that is published now.

    Never before one that was announced earlier: an owner who shortens the notice in between would
    otherwise see the older version come after the newer.
    """
    notice: int = subnet.hyperparameters["rule_notice"]
    announced: int = subnet.rules.aggregate(last=Max("from_epoch"))["last"] or 0
    return max(announced, queries.running_epoch_number(subnet, now=now) + notice)


def _version(subnet: Subnet, version: int) -> IncentiveRule:
    found = IncentiveRule.objects.filter(subnet=subnet, version=version).first()
    if found is None:
        raise RuleUnknown(netuid=subnet.netuid, version=version)
    return found


def _agreed(subnet: Subnet, version: int, digest: str) -> IncentiveRule:
    """Return a version, as long as it is still the rule that its owner read."""
    rule = _version(subnet, version)
    if rule.digest != digest:
        raise RuleChanged(netuid=subnet.netuid, version=version)
    return rule


def _next_version(subnet: Subnet) -> int:
    last = IncentiveRule.objects.filter(subnet=subnet).aggregate(last=Max("version"))["last"]
    return (last or 0) + 1

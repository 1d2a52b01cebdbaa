"""The watchlist: subnets somebody follows without owning them or bidding for them."""

from datetime import datetime
from uuid import UUID

from marketplace.models import Watch
from subnets import queries as subnets


def watch(*, person: UUID, netuid: int, now: datetime) -> None:
    """Follow a subnet; again, and nothing changes. There are as many to follow as there are slots. Raises: SubnetUnknown."""
    subnets.subnet(netuid)
    row = Watch(person_id=person, netuid=netuid, watched_at=now)
    Watch.objects.bulk_create([row], ignore_conflicts=True)


def unwatch(*, person: UUID, netuid: int) -> None:
    """Follow a subnet no longer; again, and nothing changes."""
    Watch.objects.filter(person=person, netuid=netuid).delete()

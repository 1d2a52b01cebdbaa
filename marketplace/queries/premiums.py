"""What a free slot costs: the chain's lock cost, and the house's premium while one is open."""

from dataclasses import dataclass
from datetime import datetime

from marketplace import dutch
from marketplace.models import SlotPremium
from subnets import queries as subnets


@dataclass(frozen=True, slots=True)
class SlotCost:
    """What the next slot costs now. premium: the price that falls, None where no premium is open."""

    lock_rao: int
    premium_rao: int
    premium: dutch.Tag | None

    @property
    def cost_rao(self) -> int:
        """Return what a buyer pays in all."""
        return self.lock_rao + self.premium_rao


def slot_premium(now: datetime) -> SlotPremium | None:
    """Return the premium that is open at an instant."""
    return premium_between(now, now)


def premium_between(starts_at: datetime, ends_at: datetime) -> SlotPremium | None:
    """Return the first premium that is open at some instant of a span; its last instant is without."""
    standing = SlotPremium.objects.filter(withdrawn_at=None, starts_at__lte=ends_at)
    return standing.filter(ends_at__gt=starts_at).order_by("starts_at").first()


def premium_tag(row: SlotPremium) -> dutch.Tag:
    """Read a premium as a price that falls to zero."""
    lasts_s = dutch.seconds(row.ends_at - row.starts_at)
    curve = dutch.Exponential(row.premium_rao, 0, row.half_life_s, lasts_s)
    return dutch.Tag(curve=curve, opens_at=row.starts_at, closes_at=row.ends_at)


def slot_cost(now: datetime, *, lock_rao: int | None = None) -> SlotCost:
    """Return what a free slot costs at an instant. lock_rao: the lock cost then, of who has read it already."""
    row = slot_premium(now)
    tag = None if row is None else premium_tag(row)
    return SlotCost(
        lock_rao=subnets.lock_cost(now) if lock_rao is None else lock_rao,
        premium_rao=0 if tag is None else tag.price_rao(now=now),
        premium=tag,
    )

"""An offer's row as `negotiating` sees it: read, written, and ended where its subnet is sold otherwise."""

from datetime import datetime

from ledger.entries import VoidHold
from marketplace import negotiating, queries
from marketplace.models import Offer
from marketplace.negotiating import Standing, State

# A sale frees so many other offers in its own entry; it holds locks meanwhile, and the sweep comes for the rest.
SUPERSEDED_AT_ONCE = 100


def standing_of(offer: Offer) -> Standing:
    """Read an offer in the words of `negotiating`."""
    return Standing(
        state=State(offer.state),
        amount_rao=offer.amount_rao,
        expires_at=offer.expires_at,
        promised_rao=offer.promised_rao,
        promised_until=offer.promised_until,
        figure_count=offer.figure_count,
    )


def shown(standing: Standing) -> dict[str, object]:
    """Return what an offer's row keeps of a standing."""
    return {
        "state": standing.state.value,
        "amount_rao": standing.amount_rao,
        "expires_at": standing.expires_at,
        "promised_rao": standing.promised_rao,
        "promised_until": standing.promised_until,
        "figure_count": standing.figure_count,
    }


def show(offer: Offer, standing: Standing, *, ended_at: datetime | None = None) -> None:
    """Write what stands now on an offer's row."""
    assert Offer.State(standing.state) in Offer.TRANSITIONS[Offer.State(offer.state)]
    kept = shown(standing) | {"ended_at": ended_at}
    for field, value in kept.items():
        setattr(offer, field, value)
    offer.save(update_fields=[*kept, "hold"])


def superseded(netuid: int, *, now: datetime) -> tuple[VoidHold, ...]:
    """End the open offers on a subnet that changes hands, under its lock; return what sets their money free.

    The sale's own entry takes these steps along: two entries of one transaction would lock accounts in two
    turns, and could wait for another sale's in a ring. What has lapsed, or is more than SUPERSEDED_AT_ONCE,
    is the sweep's; none of it can be accepted any more.
    """
    steps = []
    for offer in queries.lock_open_offers(netuid, now=now, limit=SUPERSEDED_AT_ONCE):
        show(offer, negotiating.closed(standing_of(offer), State.SUPERSEDED), ended_at=now)
        steps.append(VoidHold(offer.hold))
    return tuple(steps)

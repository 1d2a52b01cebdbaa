"""Offers: between two people, and nobody else's to see."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from ledger.keyset import Window
from marketplace import negotiating
from marketplace.errors import OfferUnknown
from marketplace.models import Auction, Offer, OfferMove, Sale
from marketplace.models.offers import OPEN_STATES
from marketplace.negotiating import Act, Side, State
from marketplace.queries.auctions import ROWS_MAX
from subnets.models import Subnet


@dataclass(frozen=True, slots=True)
class OfferView:
    """An offer as one of its two people sees it.

    side: the reader's.  amount_rao, expires_at: the figure on the table.  promised_rao: the buyer's own newest
    amount; held_rao of it is set aside.  acts: what the reader may do now, by the state alone.
    """

    id: UUID
    netuid: int
    subnet_name: str
    side: str
    buyer: UUID
    owner: UUID
    state: str
    amount_rao: int
    expires_at: datetime
    promised_rao: int
    promised_until: datetime
    held_rao: int
    fee_bps: int
    royalty_bps: int
    figure_count: int
    made_at: datetime
    ended_at: datetime | None
    acts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfferMoveLine:
    """One move of a negotiation. expires_at: until when a named figure was good, None for an answer."""

    sequence: int
    side: str
    act: str
    amount_rao: int
    expires_at: datetime | None
    message: str
    at: datetime


def offer(offer_id: UUID, *, viewer: UUID) -> OfferView:
    """Return an offer to one of its two people. Raises: OfferUnknown."""
    found = _views(_between(Offer.objects.filter(pk=offer_id), viewer), viewer)
    if not found:
        raise OfferUnknown(offer_id=offer_id)
    return found[0]


def offers_of(
    viewer: UUID,
    *,
    side: str | None = None,
    netuid: int | None = None,
    window: Window | None = None,
) -> list[OfferView]:
    """List somebody's offers, made and received, the newest first. side: one side's alone."""
    rows = _between(Offer.objects.all(), viewer, side=side)
    if netuid is not None:
        rows = rows.filter(netuid=netuid)
    if window is not None:
        return _views(window.cut(rows), viewer)
    return _views(rows.order_by("-made_at", "-pk")[:ROWS_MAX], viewer)


def moves_of(offer_id: UUID) -> list[OfferMoveLine]:
    """List the moves of a negotiation in their order; there are few."""
    return [
        OfferMoveLine(
            sequence=move.sequence,
            side=move.side,
            act=move.act,
            amount_rao=move.amount_rao,
            expires_at=move.expires_at,
            message=move.message,
            at=move.at,
        )
        for move in OfferMove.objects.filter(offer=offer_id).order_by("sequence")
    ]


def open_offer_of(buyer: UUID, *, netuid: int) -> Offer | None:
    """Find the open offer somebody made for a subnet."""
    return Offer.objects.filter(buyer=buyer, netuid=netuid, state__in=OPEN_STATES).first()


def offer_between(offer_id: UUID, who: UUID) -> Offer:
    """Find an offer of somebody's or to them, unlocked. Raises: OfferUnknown."""
    row = _between(Offer.objects.filter(pk=offer_id), who).first()
    if row is None:
        raise OfferUnknown(offer_id=offer_id)
    return row


def lock_offer(offer_id: UUID) -> Offer:
    """Lock one offer's row. Raises: OfferUnknown."""
    row = Offer.objects.select_for_update(of=("self",)).filter(pk=offer_id).first()
    if row is None:
        raise OfferUnknown(offer_id=offer_id)
    return row


def lock_open_offers(netuid: int, *, now: datetime, limit: int) -> list[Offer]:
    """Lock the open offers on a subnet that have not lapsed, in the order of their ids."""
    rows = Offer.objects.select_for_update(of=("self",)).filter(
        netuid=netuid, state__in=OPEN_STATES, expires_at__gt=now
    )
    return list(rows.order_by("id")[:limit])


def due_offers(*, now: datetime, limit: int) -> list[UUID]:
    """Name open offers that have lapsed or whose subnet was sold otherwise, the longest overdue first."""
    due = Offer.objects.filter(state__in=OPEN_STATES).filter(Q(expires_at__lte=now) | _resold())
    return list(due.order_by("expires_at").values_list("pk", flat=True)[:limit])


def is_superseded(row: Offer) -> bool:
    """Tell whether the subnet belongs to somebody else than the offer was made to."""
    return Offer.objects.filter(_resold(), pk=row.pk).exists()


def side_of(row: Offer, who: UUID) -> Side:
    """Tell on which side of an offer somebody is."""
    assert who in {row.buyer, row.owner}
    return Side.BUYER if who == row.buyer else Side.OWNER


def last_side(row: Offer) -> Side:
    """Tell who made the last move."""
    return Side(row.moves.order_by("-sequence").values_list("side", flat=True)[0])


def offer_move_by_key(key: str) -> OfferMove | None:
    """Find a move by the key it was made under, with its offer."""
    return OfferMove.objects.select_related("offer").filter(key=key).first()


def sale_of_offer(offer_id: UUID) -> Sale | None:
    """Find the sale an offer ended in."""
    return Sale.objects.filter(offer=offer_id).first()


def stands_in_auction(netuid: int) -> bool:
    """Tell whether a subnet is promised to the bidders of a live auction, or to its winner."""
    live = [Auction.State.OPEN, Auction.State.AWAITING]
    return Auction.objects.filter(netuid=netuid, state__in=live).exists()


def _between(rows: QuerySet[Offer], who: UUID, *, side: str | None = None) -> QuerySet[Offer]:
    sides = {Side.BUYER.value: Q(buyer=who), Side.OWNER.value: Q(owner=who)}
    return rows.filter(sides[side] if side else sides["buyer"] | sides["owner"])


def _resold() -> Exists:
    """Ask whether another than the addressee owns the subnet."""
    return Exists(Subnet.objects.filter(netuid=OuterRef("netuid")).exclude(owner=OuterRef("owner")))


def _views(rows: QuerySet[Offer], viewer: UUID) -> list[OfferView]:
    named = rows.annotate(
        subnet_name=Subquery(
            Subnet.objects.filter(netuid=OuterRef("netuid")).order_by().values("name")
        )
    )
    return [_view(row, viewer, row.subnet_name or f"subnet {row.netuid}") for row in named]


def _view(row: Offer, viewer: UUID, subnet_name: str) -> OfferView:
    side, state = side_of(row, viewer), State(row.state)
    return OfferView(
        id=row.id,
        netuid=row.netuid,
        subnet_name=subnet_name,
        side=side.value,
        buyer=row.buyer,
        owner=row.owner,
        state=row.state,
        amount_rao=row.amount_rao,
        expires_at=row.expires_at,
        promised_rao=row.promised_rao,
        promised_until=row.promised_until,
        held_rao=row.promised_rao if state.is_open else 0,
        fee_bps=row.fee_bps,
        royalty_bps=row.royalty_bps,
        figure_count=row.figure_count,
        made_at=row.made_at,
        ended_at=row.ended_at,
        acts=in_order(negotiating.may(state, side)),
    )


def in_order(acts: Iterable[Act]) -> tuple[str, ...]:
    """Put acts into the order in which they are offered: yes first, no last."""
    return tuple(act.value for act in Act if act in set(acts))

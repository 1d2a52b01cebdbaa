"""Offers and counter-offers: whoever names an amount as a buyer has it set aside until it is answered.

Locks are taken in one order everywhere: the subnet's row, the offer's, the accounts'.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, PlaceHold, Step, VoidHold, hold_id
from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from marketplace import negotiating, queries
from marketplace.errors import (
    OfferAlreadyOpen,
    OfferEnded,
    OwnerCannotOffer,
)
from marketplace.models import Offer, OfferMove
from marketplace.negotiating import Act, Figure, Side, State
from marketplace.operations.auctions import house_terms
from marketplace.operations.standings import show, shown, standing_of
from marketplace.operations.trust import check_may_deal
from subnets import naming
from subnets import queries as slots
from subnets.models import Subnet

logger = logging.getLogger(__name__)

MESSAGE_LENGTH_MAX = 500
# The sweep of offers frees the money when a promise ends. Should it be down, the ledger frees it an hour later;
# until then nobody but the offer's own operations, under its lock, resolves its hold.
HOLD_GRACE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody did in a negotiation, as it is written down."""

    side: Side
    act: Act
    key: str
    figure: Figure | None = None
    message: str = ""


@transaction.atomic
def make_offer(
    *,
    netuid: int,
    buyer: UUID,
    amount_rao: int,
    valid_s: int,
    key: str,
    now: datetime,
    message: str = "",
) -> Offer:
    """Offer an amount for a subnet, listed or not; it is set aside until the offer ends.

    The same key with the same input makes one offer.
    Raises: SubnetUnknown, OwnerCannotOffer, AddressNotVerified, AccountsLinked, OfferAlreadyOpen,
    OfferTermsInvalid, TextRefused, InsufficientFunds, IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    figure = Figure(amount_rao=amount_rao, valid_s=valid_s)
    said = Said(
        side=Side.BUYER,
        act=Act.OFFER,
        key=stored_key("offer", caller=buyer, key=key),
        figure=figure,
        message=readable(message),
    )
    subnet = slots.lock_subnet(netuid)
    if earlier := queries.offer_move_by_key(said.key):
        return replayed(earlier, said, key=key, netuid=netuid)

    require_may_deal(buyer, subnet)
    standing = negotiating.opened(figure, now=now)
    if (other := queries.open_offer_of(buyer, netuid=netuid)) is not None:
        raise OfferAlreadyOpen(netuid=netuid, offer_id=other.id)
    house, offer_id = house_terms(), uuid4()
    offer = Offer.objects.create(
        id=offer_id,
        netuid=netuid,
        buyer=buyer,
        owner=subnet.owner,
        hold=hold_id(f"offer:{offer_id}:1"),
        fee_bps=house.fee_bps,
        royalty_bps=house.royalty_bps,
        made_at=now,
        **shown(standing),
    )
    write_move(offer, said, now=now)
    _set_aside(offer, now=now)
    return offer


@transaction.atomic
def counter_offer(
    *,
    offer_id: UUID,
    who: UUID,
    amount_rao: int,
    valid_s: int,
    key: str,
    now: datetime,
    message: str = "",
) -> Offer:
    """Put another figure on the table: an owner asks for more, a buyer answers with a new promise.

    What a buyer promised before is released as the new amount is set aside. An owner's figure stands no longer
    than the buyer's promise. The same key with the same input counters once.
    Raises: OfferUnknown, OfferEnded, OfferLapsed, NotYourMove, TooManyMoves, OfferTermsInvalid, TextRefused,
    InsufficientFunds, IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    figure = Figure(amount_rao=amount_rao, valid_s=valid_s)
    stored = stored_key("counter", caller=who, key=key)
    said_in = readable(message)
    offer, side = lock_negotiation(offer_id, who)
    said = Said(side=side, act=Act.COUNTER, key=stored, figure=figure, message=said_in)
    if earlier := queries.offer_move_by_key(stored):
        return replayed(earlier, said, key=key, netuid=offer.netuid, offer_id=offer_id)

    require_same_owner(offer)
    standing = negotiating.countered(standing_of(offer), side=side, figure=figure, now=now)
    replaced = VoidHold(offer.hold)
    if side is Side.BUYER:
        offer.hold = hold_id(f"offer:{offer.id}:{standing.figure_count}")
    show(offer, standing)
    write_move(offer, said, now=now)
    if side is Side.BUYER:
        _set_aside(offer, replaced, now=now)
    return offer


@transaction.atomic
def decline_offer(*, offer_id: UUID, who: UUID, now: datetime, message: str = "") -> Offer:
    """Say no to the figure on the table; the buyer's money is free. Declining again changes nothing.

    Raises: OfferUnknown, OfferEnded, OfferLapsed, NotYourMove, TextRefused.
    """
    return _end(offer_id, who, Act.DECLINE, message=message, now=now)


@transaction.atomic
def withdraw_offer(*, offer_id: UUID, who: UUID, now: datetime, message: str = "") -> Offer:
    """Take an offer back, at any time before it ended; the money is free. Withdrawing again changes nothing.

    Raises: OfferUnknown, OfferEnded, NotYourMove, TextRefused.
    """
    return _end(offer_id, who, Act.WITHDRAW, message=message, now=now)


def require_may_deal(buyer: UUID, subnet: Subnet) -> None:
    """Refuse who may not buy a subnet by an offer. Raises: OwnerCannotOffer, AddressNotVerified, AccountsLinked."""
    if subnet.owner == buyer:
        raise OwnerCannotOffer(netuid=subnet.netuid)
    check_may_deal(buyer=buyer, seller=subnet.owner)


def lock_negotiation(offer_id: UUID, who: UUID) -> tuple[Offer, Side]:
    """Lock an offer below its subnet; return it with the side that somebody is on. Raises: OfferUnknown."""
    slots.lock_subnet(queries.offer_between(offer_id, who).netuid)
    offer = queries.lock_offer(offer_id)
    return offer, queries.side_of(offer, who)


def require_same_owner(offer: Offer) -> None:
    """Refuse to go on with somebody who sold the subnet meanwhile. Raises: OfferEnded."""
    if State(offer.state).is_open and slots.subnet(offer.netuid).owner != offer.owner:
        raise OfferEnded(state=State.SUPERSEDED.spoken)


def write_move(offer: Offer, said: Said, *, now: datetime) -> None:
    """Write down what somebody did, after the offer shows it."""
    figure = said.figure
    OfferMove.objects.create(
        offer=offer,
        sequence=offer.moves.count() + 1,
        side=said.side.value,
        act=said.act.value,
        amount_rao=offer.amount_rao,
        valid_s=None if figure is None else figure.valid_s,
        expires_at=None if figure is None else offer.expires_at,
        message=said.message,
        key=said.key,
        at=now,
    )
    logger.info("offer:moved act=%s side=%s offer=%s", said.act, said.side, offer.id)


def replayed(
    earlier: OfferMove, said: Said, *, key: str, netuid: int, offer_id: UUID | None = None
) -> Offer:
    """Return the offer as it stands, to who said the same before. Raises: IdempotencyConflict, with the field."""
    figure = said.figure
    pairs = {
        "netuid": (earlier.offer.netuid, netuid),
        "offer_id": (earlier.offer_id, offer_id or earlier.offer_id),
        "message": (earlier.message, said.message),
    }
    if figure is not None:
        pairs["amount_rao"] = (earlier.amount_rao, figure.amount_rao)
        pairs["valid_s"] = (earlier.valid_s, figure.valid_s)
    for field, (first, given) in pairs.items():
        if first != given:
            raise IdempotencyConflict(key=key, field=field)
    return earlier.offer


def readable(message: str) -> str:
    """Return a message as it is kept. Raises: TextRefused."""
    return naming.read_prose(message, field="message", length_max=MESSAGE_LENGTH_MAX, lines=True)


def _end(offer_id: UUID, who: UUID, act: Act, *, message: str, now: datetime) -> Offer:
    said_in = readable(message)
    offer, side = lock_negotiation(offer_id, who)
    if offer.state == negotiating.ENDS[act] and queries.last_side(offer) is side:
        return offer

    standing = negotiating.ended(standing_of(offer), side=side, act=act, now=now)
    show(offer, standing, ended_at=now)
    said = Said(side=side, act=act, key=f"offer:{offer.id}:{act.value}", message=said_in)
    write_move(offer, said, now=now)
    release(offer, now=now)
    return offer


def release(offer: Offer, *, now: datetime) -> None:
    """Set the buyer's money free."""
    freed = VoidHold(offer.hold)
    key = f"offer:{offer.id}:released"
    ledger.post(Entry(key=key, code=Code.OFFER_RELEASED, at=now, steps=(freed,)))


def _set_aside(offer: Offer, *before: Step, now: datetime) -> None:
    """Hold what the buyer promises, in one entry with the release of what they promised before."""
    held = PlaceHold(
        offer.hold,
        chart.wallet(offer.buyer),
        offer.promised_rao,
        expires_at=offer.promised_until + HOLD_GRACE,
    )
    key = f"offer:{offer.id}:{offer.figure_count}"
    ledger.post(Entry(key=key, code=Code.OFFER_PLACED, at=now, steps=(*before, held)))

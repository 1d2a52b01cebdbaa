"""How offers end: in a sale, by the clock, or because the subnet was sold otherwise."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move, PostHold, Step, VoidHold
from ledger.errors import HoldNotOpen, IdempotencyConflict
from ledger.idempotency import stored_key
from marketplace import negotiating, queries
from marketplace.errors import SubnetInAuction
from marketplace.models import Offer, OfferMove, Sale
from marketplace.negotiating import Act, State
from marketplace.operations import restrictions
from marketplace.operations.offers import (
    Said,
    lock_negotiation,
    release,
    require_same_owner,
    write_move,
)
from marketplace.operations.proceeds import Proceeds, proceeds_of
from marketplace.operations.standings import show, standing_of, superseded
from marketplace.operations.trust import check_may_deal
from subnets import operations as subnets

logger = logging.getLogger(__name__)


@transaction.atomic
def accept_offer(*, offer_id: UUID, who: UUID, expected_rao: int, key: str, now: datetime) -> Sale:
    """Take the figure on the table: the buyer pays and has the subnet, at once. Other offers for it are released.

    expected_rao: the figure that was seen. The same key with the same input sells once.
    Raises: OfferUnknown, OfferEnded, OfferLapsed, NotYourMove, OfferChanged, SubnetInAuction, AddressNotVerified,
    AccountsLinked, InsufficientFunds (of a buyer who accepts more than they promised), IdempotencyConflict,
    IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored = stored_key("accept", caller=who, key=key)
    offer, side = lock_negotiation(offer_id, who)
    if earlier := queries.offer_move_by_key(stored):
        return _replay(earlier, offer_id=offer_id, expected_rao=expected_rao, key=key)

    require_same_owner(offer)
    standing = negotiating.ended(
        standing_of(offer), side=side, act=Act.ACCEPT, now=now, expected_rao=expected_rao
    )
    # Read without its lock: an auction opens under the subnet's, which is held here, and who settles or
    # cancels one has not committed yet, so that it still counts as live.
    if queries.stands_in_auction(offer.netuid):
        raise SubnetInAuction(netuid=offer.netuid)
    # Staff may have linked the two accounts since the offer was made.
    check_may_deal(buyer=offer.buyer, seller=offer.owner)
    show(offer, standing, ended_at=now)
    write_move(offer, Said(side=side, act=Act.ACCEPT, key=stored), now=now)
    return _sell(offer, now=now)


@transaction.atomic
def end_offer(*, offer_id: UUID, now: datetime) -> Offer:
    """Release an offer that has lapsed, or whose subnet was sold otherwise. One that stands is left alone.

    Raises: OfferUnknown.
    """
    offer = queries.lock_offer(offer_id)
    if not State(offer.state).is_open:
        return offer
    if offer.expires_at <= now:
        state = State.EXPIRED
    elif queries.is_superseded(offer):
        state = State.SUPERSEDED
    else:
        return offer
    show(offer, negotiating.closed(standing_of(offer), state), ended_at=now)
    logger.info("offer:ended state=%s offer=%s", state, offer.id)
    try:
        release(offer, now=now)
    except HoldNotOpen:
        # The sweep was away for so long that the ledger has freed the money by itself.
        logger.warning("offer:released late offer=%s", offer.id)
    return offer


def _sell(offer: Offer, *, now: datetime) -> Sale:
    """Write the sale, hand over the subnet, and pay; other offers for it are released in the same entry."""
    proceeds = proceeds_of(
        offer.amount_rao,
        netuid=offer.netuid,
        seller=offer.owner,
        buyer=offer.buyer,
        fee_bps=offer.fee_bps,
        royalty_bps=offer.royalty_bps,
    )
    sale = Sale.objects.create(
        kind=Sale.Kind.OFFER,
        key=f"offer:{offer.id}",
        offer=offer,
        netuid=offer.netuid,
        seller=offer.owner,
        buyer=offer.buyer,
        price_rao=offer.amount_rao,
        fee_rao=proceeds.fee_rao,
        royalty_rao=proceeds.royalty_rao,
        sold_at=now,
    )
    subnets.transfer_ownership(
        netuid=offer.netuid,
        seller=offer.owner,
        buyer=offer.buyer,
        price_rao=offer.amount_rao,
        now=now,
    )
    others = superseded(offer.netuid, now=now)
    steps = (*_payment(offer, proceeds), *others)
    key = f"sale:{offer.id}"
    restrictions.carry(payer=offer.buyer, parts=proceeds.parts, fact=key, now=now)
    ledger.post(Entry(key=key, code=Code.OFFER_SETTLED, at=now, steps=steps))
    logger.info("offer:settled offer=%s netuid=%s", offer.id, offer.netuid)
    return sale


def _payment(offer: Offer, proceeds: Proceeds) -> tuple[Step, ...]:
    """Pay from the hold what was promised; a higher price is paid from the wallet, with the hold released first."""
    if offer.amount_rao == offer.promised_rao:
        return (PostHold(offer.hold, to=proceeds.parts),)
    wallet = chart.wallet(offer.buyer)
    return (
        VoidHold(offer.hold),
        *(Move(wallet, address, part_rao) for address, part_rao in proceeds.parts),
    )


def _replay(earlier: OfferMove, *, offer_id: UUID, expected_rao: int, key: str) -> Sale:
    """Return the sale that was agreed to under a key. Raises: IdempotencyConflict, with the field that differs."""
    if earlier.offer_id != offer_id:
        raise IdempotencyConflict(key=key, field="offer_id")
    if earlier.amount_rao != expected_rao:
        raise IdempotencyConflict(key=key, field="expected_amount_rao")
    sale = queries.sale_of_offer(offer_id)
    assert sale is not None, "an accepted offer is a sale"
    return sale

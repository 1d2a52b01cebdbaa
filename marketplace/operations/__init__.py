"""Every write of the marketplace. Each verb locks, looks for a replay, decides, writes, calls down, moves money last."""

from marketplace.operations.auctions import (
    HouseTerms,
    cancel_auction,
    open_auction,
    settle_auction,
)
from marketplace.operations.bids import Placed, place_bid
from marketplace.operations.card_events import process_webhook_event, record_webhook_event
from marketplace.operations.deposits import start_deposit
from marketplace.operations.grants import fund_treasury, grant_test_tao
from marketplace.operations.purchases import buy_slot

__all__ = [
    "HouseTerms",
    "Placed",
    "buy_slot",
    "cancel_auction",
    "fund_treasury",
    "grant_test_tao",
    "open_auction",
    "place_bid",
    "process_webhook_event",
    "record_webhook_event",
    "settle_auction",
    "start_deposit",
]

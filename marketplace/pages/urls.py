"""Addresses of the pages."""

from django.urls import path

from marketplace.pages import accounts, browse, slots, trading

urlpatterns = [
    path("", browse.home, name="home"),
    path("subnets/", browse.subnet_list, name="subnets"),
    path("subnets/<int:netuid>/", browse.subnet, name="subnet"),
    path("subnets/<int:netuid>/sell/", trading.sell_subnet, name="sell_subnet"),
    path("slots/new/", slots.buy_slot, name="buy_slot"),
    path("slots/new/review/", slots.slot_review, name="slot_review"),
    path("auctions/", trading.auction_list, name="auctions"),
    path("auctions/<uuid:pk>/", trading.auction, name="auction"),
    path("auctions/<uuid:pk>/bid/", trading.bid_review, name="bid_review"),
    path("auctions/<uuid:pk>/live/", trading.auction_live, name="auction_live"),
    path("auctions/<uuid:pk>/cancel/", trading.cancel_auction, name="cancel_auction"),
    path("neurons/<slug:ss58>/", browse.neuron, name="neuron"),
    path("wallet/", accounts.wallet, name="wallet"),
    path("wallet/test-tao/", accounts.test_tao, name="test_tao"),
    path("keys/", accounts.keys, name="keys"),
    path("docs/start/", browse.guide, name="guide"),
]

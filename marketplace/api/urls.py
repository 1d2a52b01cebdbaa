"""Addresses of the marketplace API, below /api/v1/."""

from django.urls import path

from marketplace.api import keys, views
from marketplace.webhooks import StripeWebhookView

urlpatterns = [
    path("network/", views.NetworkView.as_view(), name="api-network"),
    path("auctions/", views.AuctionsView.as_view(), name="api-auctions"),
    path("auctions/<uuid:auction_id>/", views.AuctionView.as_view(), name="api-auction"),
    path("auctions/<uuid:auction_id>/bids/", views.BidsView.as_view(), name="api-bids"),
    path("auctions/<uuid:auction_id>/cancel/", views.CancelView.as_view(), name="api-cancel"),
    path("slots/", views.SlotsView.as_view(), name="api-slots"),
    path("wallet/", views.WalletView.as_view(), name="api-wallet"),
    path("wallet/statement/", views.StatementView.as_view(), name="api-statement"),
    path("deposits/", views.DepositsView.as_view(), name="api-deposits"),
    path("deposits/<uuid:deposit_id>/", views.DepositView.as_view(), name="api-deposit"),
    path("api-keys/", keys.ApiKeysView.as_view(), name="api-api-keys"),
    path("api-keys/<str:key_id>/", keys.ApiKeyView.as_view(), name="api-api-key"),
    path("webhooks/stripe/", StripeWebhookView.as_view(), name="api-stripe-webhook"),
]

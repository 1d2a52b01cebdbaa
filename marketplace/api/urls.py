"""Addresses of the marketplace API, below /api/v1/."""

from django.urls import path

from marketplace.api import (
    data_room,
    documents,
    keys,
    ledger,
    notices,
    offers,
    receipts,
    sealed,
    views,
    webhooks,
    withdrawals,
)
from marketplace.webhooks import StripeConnectWebhookView, StripeWebhookView

urlpatterns = [
    path("network/", views.NetworkView.as_view(), name="api-network"),
    path("auctions/", views.AuctionsView.as_view(), name="api-auctions"),
    path("auctions/<uuid:auction_id>/", views.AuctionView.as_view(), name="api-auction"),
    path("auctions/<uuid:auction_id>/bids/", views.BidsView.as_view(), name="api-bids"),
    path("auctions/<uuid:auction_id>/cancel/", views.CancelView.as_view(), name="api-cancel"),
    path("auctions/<uuid:auction_id>/take/", views.TakeView.as_view(), name="api-take"),
    path("bids/<uuid:bid_id>/", receipts.ReceiptView.as_view(), name="api-receipt"),
    path("offers/", offers.OffersView.as_view(), name="api-offers"),
    path("offers/<uuid:offer_id>/", offers.OfferView.as_view(), name="api-offer"),
    path("offers/<uuid:offer_id>/accept/", offers.AcceptView.as_view(), name="api-accept"),
    path("offers/<uuid:offer_id>/counter/", offers.CounterView.as_view(), name="api-counter"),
    path("offers/<uuid:offer_id>/decline/", offers.DeclineView.as_view(), name="api-decline"),
    path("offers/<uuid:offer_id>/withdraw/", offers.WithdrawView.as_view(), name="api-withdraw"),
    path(
        "subnets/<int:netuid>/documents/",
        documents.DocumentsView.as_view(),
        name="api-documents",
    ),
    path("documents/<uuid:document_id>/", documents.DocumentView.as_view(), name="api-document"),
    path(
        "documents/<uuid:document_id>/withdraw/",
        documents.WithdrawDocumentView.as_view(),
        name="api-withdraw-document",
    ),
    path("sales/<uuid:sale_id>/dispute/", documents.DisputeView.as_view(), name="api-dispute"),
    path(
        "accounts/<uuid:owner>/reputation/",
        documents.ReputationView.as_view(),
        name="api-reputation",
    ),
    path(
        "subnets/<int:netuid>/data-room/",
        data_room.DataRoomView.as_view(),
        name="api-data-room",
    ),
    path("sales/", views.SalesView.as_view(), name="api-sales"),
    path(
        "auctions/<uuid:auction_id>/sealed-bids/",
        sealed.SealedBidsView.as_view(),
        name="api-sealed-bids",
    ),
    path("auctions/<uuid:auction_id>/pay/", sealed.PayView.as_view(), name="api-pay"),
    path(
        "auctions/<uuid:auction_id>/decline/",
        sealed.DeclineView.as_view(),
        name="api-decline-chance",
    ),
    path("slots/", views.SlotsView.as_view(), name="api-slots"),
    path("wallet/", views.WalletView.as_view(), name="api-wallet"),
    path("ledger/seals/", ledger.SealsView.as_view(), name="api-seals"),
    path(
        "wallet/entries/<int:entry>/receipt/",
        ledger.EntryReceiptView.as_view(),
        name="api-entry-receipt",
    ),
    path("wallet/statement/", views.StatementView.as_view(), name="api-statement"),
    path("deposits/", views.DepositsView.as_view(), name="api-deposits"),
    path("deposits/<uuid:deposit_id>/", views.DepositView.as_view(), name="api-deposit"),
    path("withdrawals/", withdrawals.WithdrawalsView.as_view(), name="api-withdrawals"),
    path(
        "withdrawals/<uuid:withdrawal_id>/",
        withdrawals.WithdrawalView.as_view(),
        name="api-withdrawal",
    ),
    path("api-keys/", keys.ApiKeysView.as_view(), name="api-api-keys"),
    path("api-keys/<str:key_id>/", keys.ApiKeyView.as_view(), name="api-api-key"),
    path("watchlist/", notices.WatchlistView.as_view(), name="api-watchlist"),
    path("watchlist/<int:netuid>/", notices.WatchView.as_view(), name="api-watch"),
    path("notices/", notices.NoticesView.as_view(), name="api-notices"),
    path("notices/read/", notices.ReadView.as_view(), name="api-notices-read"),
    path("notices/preferences/", notices.PreferencesView.as_view(), name="api-notice-ways"),
    path("webhook-endpoints/", webhooks.EndpointsView.as_view(), name="api-endpoints"),
    path(
        "webhook-endpoints/<uuid:endpoint_id>/",
        webhooks.EndpointView.as_view(),
        name="api-endpoint",
    ),
    path(
        "webhook-endpoints/<uuid:endpoint_id>/rotate/",
        webhooks.RotateView.as_view(),
        name="api-endpoint-rotate",
    ),
    path(
        "webhook-endpoints/<uuid:endpoint_id>/test/",
        webhooks.TryView.as_view(),
        name="api-endpoint-test",
    ),
    path(
        "webhook-endpoints/<uuid:endpoint_id>/deliveries/",
        webhooks.DeliveriesView.as_view(),
        name="api-deliveries",
    ),
    path(
        "webhook-endpoints/<uuid:endpoint_id>/deliveries/<uuid:delivery_id>/send-again/",
        webhooks.SendAgainView.as_view(),
        name="api-delivery-again",
    ),
    path("webhooks/stripe/", StripeWebhookView.as_view(), name="api-stripe-webhook"),
    path(
        "webhooks/stripe/connect/",
        StripeConnectWebhookView.as_view(),
        name="api-stripe-connect-webhook",
    ),
]

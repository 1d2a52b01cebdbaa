"""Addresses of the pages."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import path, register_converter

from marketplace.pages import (
    accounts,
    api_keys,
    browse,
    data_room,
    documents,
    finding,
    models,
    notices,
    offers,
    paying,
    receipts,
    sealed,
    searches,
    security,
    selling,
    slots,
    statements,
    taking,
    trading,
    usage,
    webhooks,
    withdrawal_places,
    withdrawals,
)
from neurons import keys


class AddressConverter:
    """An ss58 address in a path; anything else leads nowhere."""

    regex = "[1-9A-HJ-NP-Za-km-z]{46,48}"

    def to_python(self, value: str) -> str:
        """Read the address. Raises: ValueError, which Django takes for another path."""
        return keys.checked_address(value)

    def to_url(self, value: str) -> str:
        """Write the address."""
        return value


register_converter(AddressConverter, "ss58")


def favicon(request: HttpRequest) -> HttpResponse:
    """Lead to the icon among the static files."""
    del request
    return redirect(static("img/mark.ico"))


urlpatterns = [
    path("", browse.home, name="home"),
    # Browsers ask for it where no page has told them of another icon.
    path("favicon.ico", favicon),
    path("subnets/", finding.subnet_list, name="subnets"),
    path("subnets/compare/", finding.compare, name="compare"),
    path("subnets/searches/", searches.searches, name="searches"),
    path("subnets/searches/<uuid:pk>/look/", searches.look_at_search, name="look_at_search"),
    path("subnets/searches/<uuid:pk>/delete/", searches.delete_search, name="delete_search"),
    path("subnets/<int:netuid>/", browse.subnet, name="subnet"),
    path("subnets/<int:netuid>/data-room/", data_room.data_room, name="data_room"),
    path("subnets/<int:netuid>/sell/", selling.sell_subnet, name="sell_subnet"),
    path("subnets/<int:netuid>/documents/", documents.documents, name="documents"),
    path("documents/<uuid:pk>/", documents.read_document, name="document"),
    path("documents/<uuid:pk>/withdraw/", documents.withdraw_document, name="withdraw_document"),
    path("purchases/<uuid:pk>/dispute/", documents.dispute, name="dispute"),
    path("desk/", selling.desk, name="desk"),
    path("desk/sales.csv", selling.sales_file, name="sales_file"),
    path("auctions/<uuid:pk>/bids.csv", selling.bids_file, name="bids_file"),
    path("subnets/<int:netuid>/offer/", offers.make_offer, name="make_offer"),
    path("subnets/<int:netuid>/offer/review/", offers.offer_review, name="offer_review"),
    path("offers/", offers.offers, name="offers"),
    path("offers/<uuid:pk>/", offers.offer, name="offer"),
    path("slots/new/", slots.buy_slot, name="buy_slot"),
    path("slots/new/review/", slots.slot_review, name="slot_review"),
    path("auctions/", trading.auction_list, name="auctions"),
    path("auctions/<uuid:pk>/", trading.auction, name="auction"),
    path("auctions/<uuid:pk>/bid/", trading.bid_review, name="bid_review"),
    path("auctions/<uuid:pk>/take/", taking.take_review, name="take_review"),
    path("auctions/<uuid:pk>/seal/", sealed.seal_review, name="seal_review"),
    path("auctions/<uuid:pk>/pay/", paying.pay_auction, name="pay_auction"),
    path("auctions/<uuid:pk>/decline/", paying.decline_chance, name="decline_chance"),
    path("auctions/<uuid:pk>/live/", trading.auction_live, name="auction_live"),
    path("auctions/<uuid:pk>/cancel/", trading.cancel_auction, name="cancel_auction"),
    path("neurons/<ss58:ss58>/", browse.neuron, name="neuron"),
    path("bids/", receipts.bids, name="bids"),
    path("bids/<uuid:pk>/", receipts.receipt, name="receipt"),
    path("wallet/", accounts.wallet, name="wallet"),
    path("wallet/statement/", statements.statement, name="statement"),
    path("wallet/statement.csv", statements.csv_statement, name="statement_csv"),
    path("wallet/statement.json", statements.json_statement, name="statement_json"),
    path("wallet/entries/<int:entry>/", statements.entry_page, name="entry"),
    path("wallet/entries/<int:entry>/receipt.json", statements.receipt_file, name="entry_receipt"),
    path("wallet/withdraw/", withdrawals.withdraw, name="withdraw"),
    path("wallet/withdraw/review/", withdrawals.withdraw_review, name="withdraw_review"),
    path("wallet/withdraw/confirm/", withdrawals.withdraw_confirm, name="withdraw_confirm"),
    path("wallet/withdrawals/", withdrawals.withdrawal_list, name="withdrawals"),
    path("wallet/withdrawals/<uuid:pk>/", withdrawals.withdrawal, name="withdrawal"),
    path(
        "wallet/withdrawals/<uuid:pk>/cancel/",
        withdrawals.cancel_withdrawal,
        name="cancel_withdrawal",
    ),
    path("wallet/places/", withdrawal_places.places, name="withdrawal_places"),
    path("wallet/places/add/", withdrawal_places.add_address, name="add_withdrawal_address"),
    path(
        "wallet/places/<uuid:pk>/remove/",
        withdrawal_places.remove_address,
        name="remove_withdrawal_address",
    ),
    path("wallet/places/connect/", withdrawal_places.connect, name="connect_payouts"),
    path("wallet/places/look/", withdrawal_places.look, name="look_at_payouts"),
    path("wallet/test-tao/", accounts.test_tao, name="test_tao"),
    path("accounts/security/", security.security, name="security"),
    path("accounts/2fa/", security.to_security),
    path("accounts/2fa/webauthn/", security.to_security),
    path("accounts/sessions/", security.sessions, name="sessions"),
    path("accounts/sessions/end/", security.end_sessions, name="end_sessions"),
    path("keys/", accounts.keys, name="keys"),
    path("keys/api/", api_keys.api_keys, name="api_keys"),
    path("keys/api/<str:key_id>/revoke/", api_keys.revoke_api_key, name="revoke_api_key"),
    path("keys/api/<str:key_id>/limit/", api_keys.limit_api_key, name="limit_api_key"),
    path("prices/", models.prices, name="prices"),
    path("subnets/<int:netuid>/models/", models.subnet_models, name="subnet_models"),
    path("usage/", usage.usage, name="usage"),
    path("usage/usage.csv", usage.usage_file, name="usage_file"),
    path("usage/<uuid:pk>/report/", usage.report_answer, name="report_answer"),
    path("notices/", notices.notices, name="notices"),
    path("notices/read/", notices.read_notices, name="read_notices"),
    path("notices/ways/", notices.notice_settings, name="notice_settings"),
    path("notices/stop-mail/<str:token>/", notices.unsubscribe, name="unsubscribe"),
    path("watchlist/", notices.watchlist, name="watchlist"),
    path("subnets/<int:netuid>/watch/", notices.watch, name="watch"),
    path("webhooks/", webhooks.webhooks, name="webhooks"),
    path("webhooks/<uuid:pk>/", webhooks.webhook, name="webhook"),
    path("webhooks/<uuid:pk>/secret/", webhooks.rotate_webhook, name="rotate_webhook"),
    path("webhooks/<uuid:pk>/state/", webhooks.move_webhook, name="move_webhook"),
    path("webhooks/<uuid:pk>/kinds/", webhooks.choose_webhook_kinds, name="choose_webhook_kinds"),
    path("webhooks/<uuid:pk>/test/", webhooks.test_webhook, name="test_webhook"),
    path(
        "webhooks/<uuid:pk>/deliveries/<uuid:delivery>/",
        webhooks.resend_webhook,
        name="resend_webhook",
    ),
    path("docs/start/", browse.guide, name="guide"),
]

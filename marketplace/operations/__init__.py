"""Every write of the marketplace. Each verb locks, looks for a replay, decides, writes, calls down, moves money last."""

from marketplace.operations.agreements import accept_offer, end_offer
from marketplace.operations.api_keys import (
    NewApiKey,
    create_api_key,
    limit_api_key,
    note_use,
    revoke_api_key,
)
from marketplace.operations.auctions import (
    HouseTerms,
    cancel_auction,
    open_auction,
    settle_auction,
)
from marketplace.operations.bids import Placed, place_bid
from marketplace.operations.card_desk import (
    dismiss_warning,
    look_again,
    refund_deposit,
)
from marketplace.operations.card_events import process_webhook_event, record_webhook_event
from marketplace.operations.debts import (
    approve_forgiveness,
    collect_debt,
    forgive_debt,
    refuse_forgiveness,
)
from marketplace.operations.deliveries import deliver_due_webhooks
from marketplace.operations.deposits import start_deposit
from marketplace.operations.documents import (
    add_document,
    read_document,
    withdraw_document,
)
from marketplace.operations.fraud_refunds import refund_warned_deposit
from marketplace.operations.grants import fund_treasury, grant_test_tao
from marketplace.operations.hammer import (
    decline_second_chance,
    end_overdue_auction,
    pay_auction,
)
from marketplace.operations.interventions import call_off_auction, void_bids
from marketplace.operations.letters import send_due_letters
from marketplace.operations.notices import (
    choose_ways,
    forget_notices,
    read_notices,
    stop_mail,
    tell_news,
)
from marketplace.operations.offers import (
    counter_offer,
    decline_offer,
    make_offer,
    withdraw_offer,
)
from marketplace.operations.premiums import open_slot_premium, withdraw_slot_premium
from marketplace.operations.purchases import buy_slot
from marketplace.operations.reconciliation import reconcile_cards
from marketplace.operations.restrictions import release_restriction
from marketplace.operations.sealed import SealedPlaced, place_sealed_bid
from marketplace.operations.searches import delete_search, look_at_search, save_search
from marketplace.operations.security import (
    Place,
    end_sessions,
    record_security_change,
    remove_factors,
    see_device,
)
from marketplace.operations.takes import take_subnet
from marketplace.operations.trust import (
    check_may_deal,
    decide_dispute,
    link_accounts,
    open_dispute,
)
from marketplace.operations.watching import unwatch, watch
from marketplace.operations.webhooks import (
    Registered,
    add_endpoint,
    change_endpoint,
    resend,
    rotate_secret,
    test_endpoint,
)
from marketplace.operations.withdrawal_desk import (
    approve_withdrawal,
    refuse_withdrawal,
)
from marketplace.operations.withdrawal_places import (
    add_withdrawal_address,
    connect_payouts,
    look_at_payouts,
    remove_withdrawal_address,
)
from marketplace.operations.withdrawal_sending import (
    look_at_withdrawal,
    reconcile_chain,
    return_withdrawal,
    send_withdrawal,
)
from marketplace.operations.withdrawals import (
    cancel_withdrawal,
    request_withdrawal,
)

__all__ = [
    "HouseTerms",
    "NewApiKey",
    "Place",
    "Placed",
    "Registered",
    "SealedPlaced",
    "accept_offer",
    "add_document",
    "add_endpoint",
    "add_withdrawal_address",
    "approve_forgiveness",
    "approve_withdrawal",
    "buy_slot",
    "call_off_auction",
    "cancel_auction",
    "cancel_withdrawal",
    "change_endpoint",
    "check_may_deal",
    "choose_ways",
    "collect_debt",
    "connect_payouts",
    "counter_offer",
    "create_api_key",
    "decide_dispute",
    "decline_offer",
    "decline_second_chance",
    "delete_search",
    "deliver_due_webhooks",
    "dismiss_warning",
    "end_offer",
    "end_overdue_auction",
    "end_sessions",
    "forget_notices",
    "forgive_debt",
    "fund_treasury",
    "grant_test_tao",
    "limit_api_key",
    "link_accounts",
    "look_again",
    "look_at_payouts",
    "look_at_search",
    "look_at_withdrawal",
    "make_offer",
    "note_use",
    "open_auction",
    "open_dispute",
    "open_slot_premium",
    "pay_auction",
    "place_bid",
    "place_sealed_bid",
    "process_webhook_event",
    "read_document",
    "read_notices",
    "reconcile_cards",
    "reconcile_chain",
    "record_security_change",
    "record_webhook_event",
    "refund_deposit",
    "refund_warned_deposit",
    "refuse_forgiveness",
    "refuse_withdrawal",
    "release_restriction",
    "remove_factors",
    "remove_withdrawal_address",
    "request_withdrawal",
    "resend",
    "return_withdrawal",
    "revoke_api_key",
    "rotate_secret",
    "save_search",
    "see_device",
    "send_due_letters",
    "send_withdrawal",
    "settle_auction",
    "start_deposit",
    "stop_mail",
    "take_subnet",
    "tell_news",
    "test_endpoint",
    "unwatch",
    "void_bids",
    "watch",
    "withdraw_document",
    "withdraw_offer",
    "withdraw_slot_premium",
]

"""What the test of ownership has to know of routes: which are open and why, and a body that would pass at each write.

A new route with an id is closed until it is named here: the test asks it as somebody else and expects a refusal.
"""

from types import SimpleNamespace

from ledger.money import RAO_PER_TAO as TAO

# Reading these is for everybody.
OPEN_TO_READ = {
    "api-subnet", "api-metagraph", "api-hyperparameters", "api-hyperparameter-changes", "api-rules", "api-rule",
    "api-subnet-epochs", "api-bundle", "api-explanation", "api-commitments", "api-models", "api-auction", "api-bids",
    "api-sealed-bids", "api-documents", "api-reputation", "api-data-room",
    "subnet", "data_room", "documents", "auction", "auction_live", "neuron", "subnet_models",
}  # fmt: skip
# What somebody else may do to what is Ada's, because it becomes theirs, or is meant for them.
MEANT_FOR_OTHERS = {
    "GET api-document": "documents are for everybody with an account, and the reading is on record",
    "GET document": "as over REST",
    "POST api-bids": "a bid is the bidder's",
    "POST api-sealed-bids": "a bid is the bidder's",
    "POST api-take": "who takes it pays for it",
    "POST api-neurons": "who registers pays for it",
    "POST api-stake": "stake is who stakes'",
    "DELETE api-stake": "stake is who stakes'",
    "POST api-rule-check": "saves nothing",
    "PUT api-watch": "a watch is the watcher's",
    "DELETE api-watch": "a watch is the watcher's",
    "POST watch": "a watch is the watcher's",
    "GET make_offer": "an offer is the buyer's",
    "POST make_offer": "an offer is the buyer's",
    "POST offer_review": "an offer is the buyer's",
    "GET offer_review": "leads back to the form",
    "POST auction": "a bid is the bidder's",
    "GET bid_review": "leads back to the auction",
    "POST bid_review": "a bid is the bidder's",
    "GET take_review": "leads back to the auction",
    "POST take_review": "who takes it pays for it",
    "GET seal_review": "leads back to the auction",
    "POST seal_review": "a bid is the bidder's",
    "POST api-decline-chance": "a chance is who was asked's, and Bob was not",
}
# Paths whose parameter is no id of a row, but a secret that is its own proof.
BY_SECRET = {"unsubscribe", "account_confirm_email", "account_reset_password_from_key"}

FIGURE = {"amount_rao": str(6 * TAO), "valid_s": 86_400}
MODEL = {
    "name": "gemma",
    "context_tokens_max": 8192,
    "output_tokens_max": 1024,
    "input_rao_per_mtok": "1",
    "output_rao_per_mtok": "1",
}
SIGNATURE = {"output": {}, "output_digest": "ab" * 32, "signature": "0x" + "ab" * 64}
# A body for each write over REST, such as its owner would send.
BODIES = {
    "PATCH api-hyperparameters": {"tempo": "400"},
    "PUT api-models": MODEL,
    "POST api-leases": {"limit": 1},
    "POST api-result": SIGNATURE,
    "POST api-report": {"reason": "It is nonsense."},
    "POST api-accept": {"expected_amount_rao": str(5 * TAO)},
    "POST api-counter": FIGURE,
    "POST api-dispute": {"text": "It is not what was said."},
    "PATCH api-endpoint": {"state": "disabled"},
    "POST api-bids": {"max_rao": str(40 * TAO)},
    "POST api-sealed-bids": {"max_rao": str(40 * TAO)},
    "POST api-take": {"max_price_rao": str(40 * TAO)},
    "POST api-neurons": {"max_burn_rao": str(40 * TAO)},
    "POST api-stake": {"amount_rao": str(TAO)},
    "DELETE api-stake": {"amount_rao": str(TAO)},
    "POST api-rule-check": {"document": {}},
}
# And for each form of a page.
FORMS = {
    "dispute": {"text": "It is not what was said."},
    "offer": {"act": "withdraw", "message": ""},
    "limit_api_key": {"spend_limit_rao": "1"},
    "report_answer": {"reason": "It is nonsense."},
    "move_webhook": {"state": "disabled"},
    "choose_webhook_kinds": {"kinds": ["won"]},
    "sell_subnet": {"format": "english"},
}
# Which of Ada's auctions a route is asked about: the place in the town's list.
WHICH = {"pay": 5, "decline": 5, "sealed-bids": 2, "take": 3}
# Whose a thing is that is not Ada's.
OWNERS = {"api-lease": "miner", "api-result": "miner"}
# What pages call `pk` stands for, by how their path begins.
KINDS = {
    "subnets/searches": "search_id", "documents": "document_id", "purchases": "sale_id", "auctions": "auction_id",
    "offers": "offer_id", "bids": "bid_id", "usage": "usage_id", "webhooks": "endpoint_id",
    "accounts/2fa/webauthn": "passkey_id", "wallet/withdrawals": "withdrawal_id", "wallet/places": "address_id",
}  # fmt: skip


def parameter(name, route, places):
    """Return what stands in a path for one of its parameters: an id of Ada's."""
    kind = {"pk": next((KINDS[b] for b in KINDS if route.path.startswith(b)), ""), "delivery": "delivery_id"}.get(name, name)  # fmt: skip
    found = places.get(kind)
    assert found, (
        f"{route.path}: the town has nothing of Ada's for {name!r}; add one to tests/fuzz/town.py"
    )
    if kind != "auction_id":
        return found[0]
    return found[next((at for word, at in WHICH.items() if word in route.path), 0)]


def refused(answer):
    """Say whether an answer keeps its asker out: by its status, or by sending them to sign in."""
    is_led_away = answer.status_code == 302 and any(
        door in answer.headers["Location"] for door in ("/login/", "/accounts/")
    )
    return answer.status_code in (401, 403, 404, 405) or is_led_away


Route = SimpleNamespace

"""A town in which each kind of thing that has an address exists once, and who may touch it.

Ada owns or made all of it, by the operations everybody uses; Bob is somebody else with everything that could
open a door: money, a key of all scopes, a hotkey, a subnet of his own.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from compute import operations as compute
from compute.models import Lease
from compute.serving import Kind, ModelTerms
from ledger.models import Transfer
from ledger.money import RAO_PER_TAO as TAO
from ledger.scopes import Scope
from marketplace import operations as market
from marketplace.browsing import Search, Wanted
from marketplace.models import Auction, Sale, User
from marketplace.offering import Backing, Format, Offering
from marketplace.operations.webhooks import add_endpoint, test_endpoint
from subnets import queries as epochs
from tests import make
from tests.compute.serving_world import line, payer
from tests.ledger.seals import sealed as seal_all
from tests.marketplace import withdrawals as outgoing

HOUR = timedelta(hours=1)
RECEIVER = "http://127.0.0.1:9/hook"  # nobody listens there, and nothing is sent to it
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


@dataclass
class Person:
    """Somebody with an API key of every scope, and a hotkey that is linked."""

    user: User
    token: str
    key_id: str
    hotkey: object = None

    @property
    def id(self):
        return self.user.pk


@dataclass
class Town:
    """Ada's things by the name that addresses give them: `places["auction_id"]` are ids of hers."""

    ada: Person
    bob: Person
    miner: make.Neuron
    validator: make.Neuron
    stranger: object  # a hotkey that nobody linked
    places: dict = field(default_factory=dict)


def person(*, tao, now):
    user = make.user()
    make.funded(user.pk, tao=tao, now=now)
    made = market.create_api_key(
        owner=user.pk, name="bot", scopes=list(Scope), expires_at=now + 24 * HOUR, now=now
    )
    return Person(user, made.text, made.row.id)


def opened(seller, *, bidder=None, now, tao=10, **asked):
    """Put a new subnet of somebody's up for sale; bidder: who bids half as much again."""
    terms = {"start_rao": tao * TAO, "duration_s": 86_400} | asked
    auction = market.open_auction(
        netuid=make.subnet(seller.id, now=now),
        seller=seller.id,
        asked=Offering(**terms),
        key=uuid4().hex,
        now=now,
        house=market.HouseTerms(soft_close_s=300, soft_close_cap_s=900, fee_bps=250),
    )
    if bidder is None:
        return auction, None
    placed = market.place_bid(
        auction_id=auction.id, bidder=bidder.id, max_rao=15 * TAO, key=uuid4().hex, now=now
    )
    return auction, placed


def built(*, now):
    """Build the town as of now, its first epoch closed; return it."""
    before = now - 3 * HOUR
    make.network(now=before)
    ada, bob = person(tao=20_000, now=before), person(tao=20_000, now=before)
    netuid = make.subnet(ada.id, name="Works of Ada", now=before)
    # Nobody works on jobs of their own: the miner is a third person's.
    miner = make.miner(netuid, concurrency=2, now=before)
    validator = make.validator(netuid, owner=bob.id, now=before)
    bob.hotkey = validator.key
    make.job(netuid, ada.id, now=before)
    (lease,) = make.dispatched(now=before)
    judged = make.returned(lease, miner, now=before)
    make.scored(judged, validator, now=before)
    (due,) = (due for due in epochs.due_epochs(now) if due.netuid == netuid)
    assert compute.close_epoch(due=due, now=now)
    town = Town(ada, bob, miner, validator, make.keypair())
    town.places = work(town, netuid, now=now) | trade(town, netuid, now=now) | guard(ada, now=now)
    return town


def work(town, netuid, *, now):
    """Let there be a job that waits for its miner, a result that waits for its judge, a model and its use."""
    ada, miner = town.ada, town.miner
    compute.see_machine(machine_id=miner.machine_id, hotkey=miner.hotkey, now=now)
    jobs = [make.job(netuid, ada.id, now=now) for _ in range(3)]
    make.dispatched(now=now)
    result = make.returned(
        Lease.objects.filter(state=Lease.State.OFFERED).order_by("offered_at", "pk").first(),
        miner,
        now=now,
    )
    make.dispatched(now=now)
    compute.serve_model(
        owner=ada.id,
        terms=ModelTerms("gemma", netuid, Kind.CHAT, 4_096, 64, 1_000_000, 2_000_000, 1_000),
        now=now,
    )
    usage = line(who=payer(owner=ada.id), netuid=netuid, model="gemma", began_at=now)
    compute.record_usages([usage], now=now)
    compute.report_answer(
        usage_id=usage.id, owner=ada.id, reason="It is nonsense.", shows_chat=True, now=now
    )
    leases = Lease.objects.filter(job__in=jobs).order_by("offered_at", "pk")
    return {
        "netuid": [netuid],
        "machine_id": [miner.machine_id],
        "lease_id": [lease.pk for lease in leases],
        "job_id": [job.pk for job in jobs],
        "result_id": [result.pk],
        "usage_id": [usage.id],
        "number": [1],
        "uid": [miner.uid, town.validator.uid],
        "version": [1],
        "hotkey": [miner.hotkey, town.validator.hotkey],
        "ss58": [miner.hotkey],
        "payload": [make.payload()],
    }


def trade(town, netuid, *, now):
    """Let there be auctions of every format, an offer each way, papers, and what tells of them."""
    ada, bob = town.ada, town.bob
    english, _ = opened(ada, bidder=bob, now=now)
    quiet, _ = opened(ada, now=now)
    sealed, _ = opened(ada, now=now, format=Format.SEALED)
    dutch, _ = opened(ada, now=now, format=Format.DUTCH, floor_rao=TAO, half_life_s=900)
    bobs, bid = opened(bob, bidder=ada, now=now)
    won = awaiting(ada, bob, now=now)
    falling, _ = opened(bob, now=now, format=Format.DUTCH, floor_rao=TAO, half_life_s=900)
    market.take_subnet(
        auction_id=falling.id, buyer=ada.id, max_price_rao=20 * TAO, key=uuid4().hex, now=now
    )
    offers = [
        market.make_offer(
            netuid=of, buyer=who.id, amount_rao=5 * TAO, valid_s=86_400, message="",
            key=uuid4().hex, now=now,
        )
        for of, who in ((make.subnet(now=now), ada), (netuid, bob))
    ]  # fmt: skip
    document = market.add_document(netuid=netuid, owner=ada.id, name="Plan", content=PDF, now=now)
    market.watch(person=ada.id, netuid=netuid, now=now)
    endpoint = add_endpoint(owner=ada.id, url=RECEIVER, kinds=[], key="one", now=now).endpoint
    delivery = test_endpoint(endpoint_id=endpoint.pk, owner=ada.id, key="one", now=now)
    deposit = market.start_deposit(
        owner=ada.id, email=ada.user.email, amount_cents=2_500, key="one", now=now
    )
    search = market.save_search(owner=ada.id, name="Mine", search=Search("", "", Wanted()), now=now)
    seal_all(now=now)
    auctions = [quiet, english, sealed, dutch, bobs, won]
    return {
        "auction_id": [auction.id for auction in auctions],
        "bid_id": [bid.bid_id],
        "offer_id": [offer.id for offer in offers],
        "document_id": [document.pk],
        "sale_id": list(Sale.objects.filter(buyer=ada.id).values_list("id", flat=True)),
        "owner": [ada.id],
        "deposit_id": [deposit.pk],
        "key_id": [ada.key_id],
        "endpoint_id": [endpoint.pk],
        "delivery_id": [delivery.pk],
        "search_id": [search.pk],
        "entry": [Transfer.objects.filter(credit__owner=ada.id).earliest("id").entry_id],
    }


def guard(ada, *, now):
    """Let money be on its way out, and a passkey guard the rest: after a factor is added money waits."""
    book = outgoing.address(ada, at=now - 720 * HOUR)
    withdrawal = outgoing.request(ada, outgoing.to_chain(book, 5), now=now, proven_at=now)
    passkey = ada.user.authenticator_set.create(
        type="webauthn", data={"name": "Ada's", "credential": {}}
    )
    return {
        "withdrawal_id": [withdrawal.pk],
        "address_id": [book.pk],
        "passkey_id": [passkey.pk],
    }


def awaiting(buyer, seller, *, now):
    """Let somebody win an auction on deposit, and have the time to pay."""
    auction, _ = opened(
        seller, bidder=buyer, now=now - 2 * HOUR, duration_s=3_600,
        backing=Backing.DEPOSIT, deposit_bps=1_000, pay_within_s=2 * 86_400,
    )  # fmt: skip
    market.settle_auction(auction_id=auction.id, now=now)
    assert Auction.objects.get(pk=auction.id).state == Auction.State.AWAITING
    return auction

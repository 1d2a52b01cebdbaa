"""A market with something in every state that a page can show, and the way to each page.

Everything is made by operations, in the past where time has to have passed; forms that lead to a review are sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import uuid4

from django.test import override_settings
from django.utils import timezone

from ledger.models import Transfer
from ledger.money import RAO_PER_TAO as TAO
from ledger.scopes import Scope
from marketplace import operations as market
from marketplace import queries, unsubscribing
from marketplace.browsing import Search, Wanted
from marketplace.models import Auction, Sale, User
from marketplace.offering import Backing, Format, Offering
from marketplace.queries.news import SOURCES
from subnets.models import IncentiveRule, Neuron
from tests import make
from tests.marketplace import factors, withdrawals, world
from tests.people import Person

DAY = timedelta(days=1)
DEPOSIT = {"backing": Backing.DEPOSIT, "deposit_bps": 1_000, "pay_within_s": 2 * 86_400}
FALLING = {"format": Format.DUTCH, "floor_rao": TAO, "half_life_s": 900}
STEPS = {
    "format": {"format": "english"},
    "prices": {"format": "english", "start_rao": "10"},
    "terms": {"format": "english", "duration_s": "86400", "backing": "full"},
    "words": {"statement": "As it stands."},
}


@dataclass(frozen=True)
class Stop:
    """A page and who looks at it; form: what is sent first, so that the page shows it."""

    path: str
    person: Person | None = None
    form: tuple[str, dict[str, str]] | None = None


class Fair:
    """The market's people and everything they have under way."""

    def __init__(self, house, owner, netuid):
        self.owner, self.netuid = owner, netuid
        self.ann, self.bob, self.cleo = (
            house.person(name, tao=5_000) for name in ("fair-ann", "fair-bob", "fair-cleo")
        )
        self.secret = house.env["SECRET_KEY"]
        self.dora = house.person("fair-dora", tao=1)
        self.dora_at_the_door = Person(house.address, "fair-dora")
        house.people.append(self.dora_at_the_door)  # who closes what she has open
        with override_settings(SECRET_KEY=self.secret):
            factors.app(dora := User.objects.get(pk=self.dora.id))
            self.dora_codes = factors.recovery_codes(dora)
        self.now = timezone.now()
        for source in SOURCES:
            market.tell_news(source=source, now=self.now - DAY)
        self.auctions = self._open() | self._ended() | self._unpaid()
        self.offers = self._offers()
        self._kept()
        for source in SOURCES:
            market.tell_news(source=source, now=timezone.now())

    def _subnet(self):
        return make.subnet(self.owner.id, now=self.now)

    def _listed(self, *, at: datetime | None = None, netuid: int | None = None, **terms):
        terms = {"start_rao": 10 * TAO, "duration_s": 7_200} | terms
        return market.open_auction(
            netuid=netuid or self._subnet(),
            seller=self.owner.id,
            asked=Offering(**terms),
            key=uuid4().hex,
            now=at or self.now,
            house=world.HOUSE,
        )

    def _bid(self, on, *bids, at=None):
        for who, tao in bids:
            world.bid(on, who, tao, now=at or self.now)

    def _open(self) -> dict[str, Auction]:
        english = self._listed(buy_now_rao=500 * TAO, reserve_rao=90 * TAO, statement="Busy.")
        self._bid(english, (self.ann, 20), (self.bob, 30))
        sealed = self._listed(format=Format.SEALED)
        world.seal(sealed, self.ann, 40, now=self.now)
        return {
            "english": english,
            "sealed": sealed,
            "dutch": self._listed(start_rao=100 * TAO, **FALLING),
            "fixed": self._listed(format=Format.FIXED),
            "scheduled": self._listed(opens_at=self.now + DAY),
        }

    def _ended(self) -> dict[str, Auction]:
        """Auctions of one subnet, one after the other: withdrawn, unsold, called off, sold."""
        netuid, at = self._subnet(), self.now
        cancelled = self._listed(netuid=netuid)
        market.cancel_auction(auction_id=cancelled.id, seller=self.owner.id, now=at)
        unsold = self._listed(netuid=netuid)
        market.settle_auction(auction_id=unsold.id, now=unsold.closes_at)
        called_off = self._listed(netuid=netuid)
        self._bid(called_off, (self.ann, 20))
        operator = make.user(staff=True).pk
        market.call_off_auction(
            auction_id=called_off.id, reason="Its books were wrong.", operator=operator, now=at
        )
        void = self._listed()
        self._bid(void, (self.ann, 20), (self.bob, 30))
        market.void_bids(
            auction_id=void.id, bidder=self.bob.id, reason="A stolen card.", operator=operator,
            now=at,
        )  # fmt: skip
        settled = self._listed(netuid=netuid, format=Format.SEALED)
        world.seal(settled, self.ann, 40, now=at)
        world.seal(settled, self.bob, 60, now=at)
        market.settle_auction(auction_id=settled.id, now=settled.closes_at)
        return {
            "cancelled": cancelled, "unsold": unsold, "called off": called_off, "void": void,
            "settled": settled,
        }  # fmt: skip

    def _unpaid(self) -> dict[str, Auction]:
        """Won on a deposit: one waits for its winner, one for who is offered it after a default."""
        awaiting, defaulted = self._listed(**DEPOSIT), self._listed(**DEPOSIT)
        for on in (awaiting, defaulted):
            self._bid(on, (self.cleo, 20), (self.bob, 50))
            market.settle_auction(auction_id=on.id, now=on.closes_at)
        defaulted.refresh_from_db()
        market.end_overdue_auction(auction_id=defaulted.id, now=defaulted.due_at)
        return {"awaiting": awaiting, "second chance": defaulted}

    def _offers(self):
        asked = world.offer(self.ann, self.netuid, 15, now=self.now)
        countered = world.offer(self.cleo, self.netuid, 12, now=self.now)
        world.counter(countered, self.owner, 40, now=self.now)
        declined = world.offer(self.bob, self.netuid, 11, now=self.now)
        market.decline_offer(offer_id=declined.id, who=self.owner.id, now=self.now)
        return {"asked": asked, "countered": countered, "declined": declined}

    def _kept(self):
        """Write what people keep for themselves: a document, a watch, a search, a program's key, a dispute."""
        now = self.now
        document = market.add_document(
            netuid=self.netuid,
            owner=self.owner.id,
            name="Books",
            content=b"%PDF-1.7 books",
            now=now,
        )
        market.read_document(document_id=document.id, reader=self.ann.id, now=now)
        market.watch(person=self.ann.id, netuid=self.netuid, now=now)
        market.save_search(
            owner=self.ann.id, name="Cheap", search=Search("prime", "", Wanted()),
            now=now,
        )  # fmt: skip
        market.create_api_key(
            owner=self.ann.id, name="bot", scopes=[Scope.READ], expires_at=now + DAY, now=now
        )
        self.endpoint = market.add_endpoint(
            owner=self.ann.id, url="https://192.88.98.7/hook", kinds=[], key="hook", now=now
        ).endpoint
        market.test_endpoint(endpoint_id=self.endpoint.id, owner=self.ann.id, key="try", now=now)
        self.address = withdrawals.address(self.ann, at=now - 9 * DAY)
        asked = withdrawals.to_chain(self.address, 10)
        self.withdrawal = withdrawals.request(self.ann, asked, now=now, proven_at=now)
        self.sale = Sale.objects.get(auction=self.auctions["settled"])
        market.open_dispute(sale_id=self.sale.id, buyer=self.bob.id, text="Miners left.", now=now)

    def stops(self) -> dict[str, Stop]:
        """Return the way to every page, by a name that says in which state."""
        owner, ann, bob, cleo = self.owner, self.ann, self.bob, self.cleo
        at = {name: f"/auctions/{on.id}/" for name, on in self.auctions.items()}
        looks = {f"auction, {name}": Stop(path) for name, path in at.items()}
        looks |= {
            "auction, to its seller": Stop(at["english"], owner),
            "auction, to its leader": Stop(at["english"], bob),
            "auction, to who was outbid": Stop(at["english"], ann),
            "auction, sealed, to a bidder": Stop(at["sealed"], ann),
            "auction, void, to whose bids": Stop(at["void"], bob),
            "auction, to be paid by the reader": Stop(at["awaiting"], bob),
            "auction, offered to the reader": Stop(at["second chance"], cleo),
            "auction, to its defaulter": Stop(at["second chance"], bob),
            "auction, to its winner": Stop(at["settled"], bob),
            "bid under review": Stop(
                f"{at['english']}bid/", ann, (at["english"], {"step": "review", "max_rao": "60"})
            ),
            "sealed bid under review": Stop(
                f"{at['sealed']}seal/", bob, (f"{at['sealed']}seal/", {"step": "review", "max_rao": "60"})
            ),
            "purchase under review": Stop(
                f"{at['fixed']}take/", ann, (f"{at['fixed']}take/", {"max_price_rao": "10"})
            ),
            "slot under review": Stop(
                "/slots/new/review/", owner,
                ("/slots/new/", {"step": "review", "name": "New One", "summary": "New.",
                                 "blueprint": "matmul", "max_cost_rao": "20000"}),
            ),
            "offer under review": Stop(
                f"/subnets/{self.auctions['fixed'].netuid}/offer/review/", ann,
                (f"/subnets/{self.auctions['fixed'].netuid}/offer/",
                 {"step": "review", "amount_rao": "8", "valid_s": "86400"}),
            ),
        }  # fmt: skip
        return (
            looks
            | self._at_offers()
            | self._at_desk()
            | self._at_wallet()
            | self._at_subnets()
            | self._at_frame()
        )

    def _at_offers(self) -> dict[str, Stop]:
        sides = {"asked": self.ann, "countered": self.cleo, "declined": self.bob}
        return {
            f"offer, {name}, to the {side}": Stop(f"/offers/{offer.id}/", who)
            for name, offer in self.offers.items()
            for side, who in (("owner", self.owner), ("buyer", sides[name]))
        }

    def _at_desk(self) -> dict[str, Stop]:
        """Return the steps of a sale, each as it follows the one that was sent."""
        sell = f"/subnets/{self.netuid}/sell/"
        after = [*STEPS, "review"][1:]
        return {
            f"seller's desk, {step}": Stop(
                f"{sell}?step={then}", self.owner, (f"{sell}?step={step}", said)
            )
            for (step, said), then in zip(STEPS.items(), after, strict=True)
        }

    def _at_wallet(self) -> dict[str, Stop]:
        ann = self.ann
        entry = Transfer.objects.filter(credit__owner=ann.id).latest("id").entry_id
        book = str(self.address.id)
        return {
            "withdraw": Stop("/wallet/withdraw/", ann),
            "withdraw, with no address": Stop("/wallet/withdraw/", self.bob),
            "withdrawal under review": Stop(
                "/wallet/withdraw/review/?rail=chain", ann,
                ("/wallet/withdraw/", {"rail": "chain", "amount_rao": "5", "address": book}),
            ),
            "withdrawals": Stop("/wallet/withdrawals/", ann),
            "no withdrawals": Stop("/wallet/withdrawals/", self.bob),
            "withdrawal": Stop(f"/wallet/withdrawals/{self.withdrawal.id}/", ann),
            "address book": Stop("/wallet/places/", ann),
            "empty address book": Stop("/wallet/places/", self.bob),
            "wallet": Stop("/wallet/", ann),
            "statement": Stop("/wallet/statement/", ann),
            "an entry's receipt": Stop(f"/wallet/entries/{entry}/", ann),
        }  # fmt: skip

    def _at_subnets(self) -> dict[str, Stop]:
        """Return the subnets' pages, and what people have of their own."""
        owner, ann, bob = self.owner, self.ann, self.bob
        subnet, sell = f"/subnets/{self.netuid}/", f"/subnets/{self.netuid}/sell/"
        hotkey = Neuron.objects.filter(subnet=self.netuid).order_by("uid").first().hotkey_id
        receipt = queries.bids_of(ann.id)[0]
        compared = urlencode([("netuid", self.netuid), ("netuid", self.auctions["english"].netuid)])
        token = unsubscribing.token(ann.id, ["outbid"], secret=self.secret)
        return {
            "home": Stop("/"),
            "home, signed in": Stop("/", ann),
            "subnets": Stop("/subnets/", ann),
            "nothing found": Stop("/subnets/?q=zzzzzzzz"),
            "compare": Stop(f"/subnets/compare/?{compared}"),
            "saved searches": Stop("/subnets/searches/", ann),
            "no saved searches": Stop("/subnets/searches/", bob),
            "subnet": Stop(subnet),
            "subnet, to its owner": Stop(subnet, owner),
            "data room": Stop(f"{subnet}data-room/", ann),
            "documents": Stop(f"{subnet}documents/", owner),
            "dispute": Stop(f"/purchases/{self.sale.id}/dispute/", bob),
            "desk": Stop("/desk/", owner),
            "empty desk": Stop("/desk/", ann),
            "seller's desk, first": Stop(sell, owner),
            "making an offer": Stop(f"/subnets/{self.auctions['fixed'].netuid}/offer/", bob),
            "offers received": Stop("/offers/", owner),
            "offers made": Stop("/offers/", ann),
            "a slot": Stop("/slots/new/", ann),
            "auctions": Stop("/auctions/"),
            "neuron": Stop(f"/neurons/{hotkey}/"),
            "bids": Stop("/bids/", ann),
            "no bids": Stop("/bids/", owner),
            "receipt": Stop(f"/bids/{receipt.bid_id}/", ann),
            "hotkeys": Stop("/keys/", owner),
            "API keys": Stop(
                "/keys/api/", ann, ("/accounts/reauthenticate/", {"password": ann.password})
            ),
            "notices": Stop("/notices/", ann),
            "ways of notices": Stop("/notices/ways/", ann),
            "stop mail": Stop(f"/notices/stop-mail/{token}/"),
            "watchlist": Stop("/watchlist/", ann),
            "empty watchlist": Stop("/watchlist/", bob),
            "webhooks": Stop("/webhooks/", ann),
            "webhook": Stop(f"/webhooks/{self.endpoint.id}/", ann),
            "usage, none yet": Stop("/usage/", ann),
            "prices": Stop("/prices/"),
            "models of a subnet": Stop(f"{subnet}models/", owner),
        }

    def _at_factors(self) -> dict[str, Stop]:
        """Return the pages of second factors: of Ann, who has none yet, and of Dora, who has an app."""
        ann, dora = self.ann, self.dora
        typed = ("/accounts/reauthenticate/", {"password": ann.password})
        entered = ("/accounts/login/", {"login": dora.email, "password": dora.password})
        at_the_door = self.dora_at_the_door
        at_the_door.page("/accounts/login/")
        codes = [("/accounts/2fa/reauthenticate/", {"code": code}) for code in self.dora_codes]
        return {
            "app, set up": Stop("/accounts/2fa/totp/activate/", ann, typed),
            "passkey, add": Stop("/accounts/2fa/webauthn/add/", ann, typed),
            "second step": Stop("/accounts/2fa/authenticate/", at_the_door, entered),
            "security, with an app": Stop("/accounts/security/", dora),
            "who are you, by the app": Stop("/accounts/2fa/reauthenticate/", dora),
            "app, remove": Stop("/accounts/2fa/totp/deactivate/", dora, codes[0]),
            "recovery codes": Stop("/accounts/2fa/recovery-codes/", dora, codes[1]),
            "recovery codes, new": Stop("/accounts/2fa/recovery-codes/generate/", dora, codes[2]),
        }

    def _at_frame(self) -> dict[str, Stop]:
        """Return the pages of signing in, the owner's console, and what is nowhere."""
        owner, ann = self.owner, self.ann
        sell = f"/subnets/{self.netuid}/sell/"
        rule = IncentiveRule.objects.filter(subnet=self.netuid).first().pk
        return {
            "guide": Stop("/docs/start/"),
            "sign in": Stop("/accounts/login/"),
            "sign up": Stop("/accounts/signup/"),
            "sign out": Stop("/accounts/logout/", ann),
            "who are you": Stop("/accounts/reauthenticate/", ann),
            "addresses": Stop("/accounts/email/", ann),
            "a mail was sent": Stop("/accounts/confirm-email/"),
            "confirm an address": Stop("/accounts/confirm-email/nothing/"),
            "password": Stop("/accounts/password/change/", ann),
            "password lost": Stop("/accounts/password/reset/"),
            "password lost, sent": Stop("/accounts/password/reset/done/"),
            "password lost, old link": Stop("/accounts/password/reset/key/0-nothing/"),
            "password lost, new": Stop("/accounts/password/reset/key/done/"),
            "account closed": Stop("/accounts/inactive/"),
            "security": Stop("/accounts/security/", ann),
            "sessions": Stop("/accounts/sessions/", ann),
            **self._at_factors(),
            "console": Stop("/owner/", owner),
            "console, no subnet": Stop("/owner/", ann),
            "console, subnets": Stop("/owner/subnets/subnet/", owner),
            "console, subnet": Stop(f"/owner/subnets/subnet/{self.netuid}/change/", owner),
            "console, rules": Stop("/owner/subnets/incentiverule/", owner),
            "console, rule": Stop(f"/owner/subnets/incentiverule/{rule}/change/", owner),
            "console, a new rule": Stop(
                f"/owner/subnets/incentiverule/add/?subnet={self.netuid}", owner
            ),
            "console, epochs": Stop("/owner/subnets/epoch/", owner),
            "console, neurons": Stop("/owner/subnets/neuron/", owner),
            "console, backtests": Stop("/owner/subnets/backtest/", owner),
            "nowhere": Stop("/nowhere/"),
            "not the reader's": Stop(sell, ann),
        }

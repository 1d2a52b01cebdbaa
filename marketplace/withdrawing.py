"""Withdrawals: the two ways out, what arrives by each, what is waited for, and what Stripe's transfers ask of the books.

A request sets TAO aside; staff lets it go; a rail takes it, to an address on the chain or as dollars to the owner's
account at Stripe; and what does not arrive is the owner's again. Pure.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from ledger import chart
from ledger.chart import Code
from ledger.entries import PostHold, hold_id
from marketplace.chain import Broadcast, Fate
from marketplace.clearing import Give, Posting, into_stripe, key_of
from marketplace.errors import (
    OwnWithdrawal,
    SecondFactorNotProven,
    WithdrawalCoolingDown,
    WithdrawalLimitReached,
    WithdrawalOutOfBounds,
)
from marketplace.reconciling import Kind

DAY = timedelta(days=1)


class Rail(StrEnum):
    """By which way money leaves."""

    CHAIN = "chain"
    """TAO to an address on the chain."""
    STRIPE = "stripe"
    """US dollars to the owner's account at Stripe, which pays them out to a bank."""


class Changed(StrEnum):
    """What somebody else may have changed, who has got into an account: after it, money waits."""

    ADDRESS = "address"
    """The address is new in the owner's address book."""
    ACCOUNT = "account"
    """The account at Stripe is new, or pays out to another bank."""
    FACTOR = "factor"
    """A second factor, the password or the e-mail address was changed."""

    @property
    def words(self) -> str:
        """Say what is new."""
        return WORDS[self]


WORDS = {
    Changed.ADDRESS: "the address",
    Changed.ACCOUNT: "the bank account at Stripe",
    Changed.FACTOR: "your second factor, your password or your e-mail address",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the house allows. rao_per_cent: what a US cent costs.  a_day_rao: per owner in 24 hours, over both rails."""

    least_rao: int
    a_day_rao: int
    two_people_rao: int
    fee_rao: int
    rao_per_cent: int
    proof_lasts: timedelta
    waits: Mapping[Changed, timedelta]

    def quote(self, rail: Rail, amount_rao: int) -> "Quote":
        """Return what is set aside and what arrives. Of dollars, so much is set aside as whole cents cost.

        Raises: WithdrawalOutOfBounds where too little is asked for.
        """
        cents = amount_rao // self.rao_per_cent
        match rail:
            case Rail.CHAIN:
                quoted = Quote(
                    rail, amount_rao, self.fee_rao, arrives_rao=amount_rao - self.fee_rao
                )
            case Rail.STRIPE:
                quoted = Quote(rail, cents * self.rao_per_cent, 0, arrives_cents=cents)
        if amount_rao < self.least_rao or quoted.arrives <= 0:
            raise WithdrawalOutOfBounds(minimum_rao=self.least_rao, amount_rao=amount_rao)
        return quoted

    def approvals_needed(self, amount_rao: int) -> int:
        """Return how many people of staff have to let a withdrawal go."""
        return 2 if amount_rao > self.two_people_rao else 1

    def check_day(self, amount_rao: int, *, used_rao: int) -> None:
        """Refuse what goes beyond the limit of 24 hours. Raises: WithdrawalLimitReached."""
        if used_rao + amount_rao > self.a_day_rao:
            raise WithdrawalLimitReached(limit_rao=self.a_day_rao, used_rao=used_rao)

    def check_proof(self, proven_at: datetime | None, *, now: datetime) -> None:
        """Refuse where the second factor was not proven a moment ago. Raises: SecondFactorNotProven."""
        if proven_at is None or not now - self.proof_lasts <= proven_at <= now:
            raise SecondFactorNotProven(minutes=int(self.proof_lasts.total_seconds() // 60))

    def until(self, changes: Mapping[Changed, datetime | None]) -> tuple[Changed, datetime] | None:
        """Return what is waited for longest, and until when; None where nothing changed. None is no change known."""
        ends = [(at + self.waits[what], what) for what, at in changes.items() if at is not None]
        if not ends:
            return None
        until, what = max(ends)
        return what, until

    def check_changes(self, changes: Mapping[Changed, datetime | None], *, now: datetime) -> None:
        """Refuse while something is too new. Raises: WithdrawalCoolingDown."""
        waiting = self.until(changes)
        if waiting and waiting[1] > now:
            what, until = waiting
            raise WithdrawalCoolingDown(changed=what.value, words=what.words, until=until)


@dataclass(frozen=True, slots=True)
class Quote:
    """What a withdrawal sets aside, what of it the house keeps, and what arrives: TAO, or dollars at a rate."""

    rail: Rail
    held_rao: int
    fee_rao: int
    arrives_rao: int = 0
    arrives_cents: int = 0

    @property
    def arrives(self) -> int:
        """Return what arrives in the rail's own unit: rao, or US cents."""
        return self.arrives_rao if self.rail is Rail.CHAIN else self.arrives_cents


def check_may_approve(*, owner: UUID, operator: UUID, is_linked: bool) -> None:
    """Refuse staff that would let its own money go, under whichever account. Raises: OwnWithdrawal."""
    if operator == owner or is_linked:
        raise OwnWithdrawal


def hold_named(withdrawal_id: UUID) -> UUID:
    """Name the hold that sets a withdrawal aside until it ends."""
    return hold_id(f"withdrawal:{withdrawal_id}")


def key_named(withdrawal_id: UUID, act: str) -> str:
    """Name an entry of a withdrawal."""
    return f"withdrawal:{withdrawal_id}:{act}"


@dataclass(frozen=True, slots=True)
class Reversal:
    """Dollars of a transfer that came back."""

    id: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer of Stripe with its reversals, as it is now. withdrawal_id: None where this house did not ask for it."""

    id: str
    withdrawal_id: UUID | None
    destination: str
    amount_cents: int
    currency: str
    reversals: tuple[Reversal, ...] = ()

    @property
    def is_reversed(self) -> bool:
        """Say whether all of it came back."""
        return sum(back.amount_cents for back in self.reversals) >= self.amount_cents


@dataclass(frozen=True, slots=True)
class Terms:
    """What a withdrawal of dollars agreed on."""

    withdrawal_id: UUID
    amount_cents: int
    held_rao: int

    def rao_of(self, cents: int) -> int:
        """Return the TAO of a part of the dollars, at the withdrawal's own rate; never more than all of it."""
        return self.held_rao * min(cents, self.amount_cents) // self.amount_cents


def plan(seen: Transfer, terms: Terms, *, posted: Collection[str]) -> tuple[Posting, ...]:
    """Return the postings that a transfer asks for and the books do not have yet, in the order they are to be made.

    The house buys the TAO back for the dollars that leave; what is reversed undoes so much of the sale.
    posted: the keys among `keys_of(seen)` that stand in the books.
    """
    sold = PostHold(hold_named(terms.withdrawal_id), ((chart.TREASURY, terms.held_rao),))
    left = into_stripe(-seen.amount_cents, chart.FX_USD)
    wanted = [Posting(key_of(seen.id, "transferred"), Code.WITHDRAWAL_PAID, (sold, *left))]
    for back in seen.reversals:
        given = Give(terms.rao_of(back.amount_cents), out_of=chart.TREASURY)
        came = tuple(into_stripe(back.amount_cents, chart.FX_USD))
        wanted.append(Posting(key_of(back.id, "reversed"), Code.WITHDRAWAL_REVERSED, came, given))
    return tuple(posting for posting in wanted if posting.key not in posted)


def keys_of(seen: Transfer) -> list[str]:
    """Return every key that a posting of this transfer may have."""
    return [
        key_of(seen.id, "transferred"),
        *(key_of(back.id, "reversed") for back in seen.reversals),
    ]


@dataclass(frozen=True, slots=True)
class Gone:
    """A withdrawal to the chain as the books have it. rao: what left by it; none while it has not arrived."""

    id: UUID
    address: str
    extrinsic: str
    rao: int


@dataclass(frozen=True, slots=True)
class ChainDifference:
    """Where the chain and the books do not agree about one request."""

    request: UUID
    kind: Kind
    chain_rao: int
    booked_rao: int


def compare(sent: Iterable[Broadcast], gone: Iterable[Gone]) -> tuple[ChainDifference, ...]:
    """Compare what the chain says it sent with what the books say left: each has the other, to the rao."""
    final = {one.request: one for one in sent if one.fate is Fate.FINAL}
    booked = {one.id: one for one in gone if one.rao}
    found = []
    for request in final.keys() | booked.keys():
        one, other = final.get(request), booked.get(request)
        if one is None or other is None:
            kind = Kind.EXTRA if one is None else Kind.MISSING
        elif (one.address, one.extrinsic, one.amount_rao) != (
            other.address,
            other.extrinsic,
            other.rao,
        ):
            kind = Kind.UNLIKE
        else:
            continue
        found.append(
            ChainDifference(request, kind, one.amount_rao if one else 0, other.rao if other else 0)
        )
    return tuple(sorted(found, key=lambda one: str(one.request)))

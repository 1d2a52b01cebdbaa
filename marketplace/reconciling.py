"""The books beside Stripe's balance: what each balance transaction should have posted, and where the two differ. Pure.

Also the house's own moves at Stripe, payouts and top-ups, which belong to no card payment.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ledger import chart
from ledger.chart import Code
from marketplace.clearing import Posting, into_stripe, key_of

# What Stripe takes for itself, of no payment: it is booked as a fee when it is found.
COSTS = frozenset({"stripe_fee", "stripe_fx_fee", "tax_fee"})
# What the entry of a balance transaction is for, under the key of its source.
PURPOSES = {
    "refund": "refunded", "payment_refund": "refunded",
    "refund_failure": "failed", "payment_failure_refund": "failed",
    "payout": "paid", "payout_failure": "returned", "payout_cancel": "returned",
    "topup": "arrived", "topup_reversal": "reversed",
    "transfer": "transferred", "transfer_refund": "reversed",
}  # fmt: skip
# An event is minutes behind its balance transaction; a payout is posted when it reaches the bank, days later.
GRACE = timedelta(hours=1)
PAYOUT_GRACE = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Line:
    """One balance transaction of Stripe. payment_id: of a charge, the payment it was made for.

    transfer_id: of a transfer to a connected account and of its reversals, the transfer.
    """

    id: str
    type: str
    source: str
    amount_cents: int
    fee_cents: int
    created_at: datetime
    payment_id: str = ""
    transfer_id: str = ""

    @property
    def net_cents(self) -> int:
        """Return what it added to the balance."""
        return self.amount_cents - self.fee_cents

    def expected(self) -> dict[str, int]:
        """Return key → cents into clearing of the entries that have to stand for it."""
        if self.type in {"charge", "payment"}:
            fee = {key_of(self.source, "fee"): -self.fee_cents} if self.fee_cents else {}
            return {key_of(self.payment_id, "credited"): self.amount_cents} | fee
        purpose = PURPOSES.get(self.type)
        if purpose:
            return {key_of(self.source, purpose): self.net_cents}
        return {key_of(self.id, "moved" if self.type == "adjustment" else "cost"): self.net_cents}

    def is_due(self, now: datetime) -> bool:
        """Say whether the books should know of it by now."""
        return now - self.created_at >= (PAYOUT_GRACE if self.type == "payout" else GRACE)


class Kind(StrEnum):
    """How the books and Stripe differ."""

    MISSING = "missing"
    """Stripe has it and the books do not."""
    UNLIKE = "unlike"
    """Both have it, with different amounts."""
    EXTRA = "extra"
    """The books have it and Stripe does not."""
    UNCLEARED = "uncleared"
    """A payout leaves something of what it paid out in the clearing account, or took too much from it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement. subject: the key of the entry, or the payout."""

    subject: str
    kind: Kind
    stripe_cents: int
    booked_cents: int
    about: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a comparison found: where the two differ, and which subjects agree."""

    differences: tuple[Difference, ...]
    agreed: frozenset[str]


def compare(
    lines: Iterable[Line], *, booked: Mapping[str, int], recent: Collection[str], now: datetime
) -> Found:
    """Compare Stripe's lines with the books.

    booked: key → cents into clearing, of the lines' keys and of `recent`.  recent: keys of the entries of the days
    that the lines cover, which have to have a line each.
    """
    differences, agreed, known = [], set(), set()
    for line in lines:
        for key, cents in line.expected().items():
            known.add(key)
            if booked.get(key) == cents:
                agreed.add(key)
            elif key in booked:
                differences.append(Difference(key, Kind.UNLIKE, cents, booked[key], line.type))
            elif line.is_due(now):
                differences.append(Difference(key, Kind.MISSING, cents, 0, line.type))
    extra = (Difference(key, Kind.EXTRA, 0, booked[key]) for key in sorted(set(recent) - known))
    return Found((*differences, *extra), frozenset(agreed))


def clears(
    payout_id: str, lines: Iterable[Line], *, booked: Mapping[str, int]
) -> Difference | None:
    """Say whether the entries of a payout and of all it paid out come to zero; None where they do.

    lines: the payout's own and those it took, as Stripe lists them.
    """
    keys = {key for line in lines for key in line.expected()}
    left = sum(booked.get(key, 0) for key in keys)
    return Difference(payout_id, Kind.UNCLEARED, 0, left, "payout") if left else None


@dataclass(frozen=True, slots=True)
class Transit:
    """A payout or top-up of the house as Stripe has it now."""

    id: str
    amount_cents: int
    status: str  # paid, in_transit, pending, failed, canceled; of a top-up succeeded, pending, failed, canceled, reversed
    is_payout: bool
    came_back: bool = False  # a failed or canceled payout whose dollars are in the balance again

    def postings(self) -> tuple[Posting, ...]:
        """Return what it asks of the books."""
        if self.is_payout:
            steps = self._payout()
            code = Code.CARD_PAYOUT_MOVED
        else:
            steps = self._topup()
            code = Code.CARD_TOPUP_MOVED
        return tuple(
            Posting(key_of(self.id, purpose), code, tuple(into_stripe(cents, chart.BANK)))
            for purpose, cents in steps
        )

    def _payout(self) -> list[tuple[str, int]]:
        sent, back = ("paid", -self.amount_cents), ("returned", self.amount_cents)
        if self.came_back:
            return [sent, back]
        return [sent] if self.status == "paid" else []

    def _topup(self) -> list[tuple[str, int]]:
        arrived, back = ("arrived", self.amount_cents), ("reversed", -self.amount_cents)
        return {"succeeded": [arrived], "reversed": [arrived, back]}.get(self.status, [])


def cost(line: Line) -> Posting | None:
    """Return the entry of what Stripe took for itself; None where a person has to look."""
    if line.type not in COSTS:
        return None
    moves = tuple(into_stripe(line.net_cents, chart.STRIPE_FEES))
    return Posting(key_of(line.id, "cost"), Code.CARD_COST_TAKEN, moves) if moves else None

"""What the house owes its users beside what there is to pay it with, asset by asset.

Each figure is summed three ways that share no row: by the transfers, by the accounts' counters, and by the balance
that each account's last transfer left. The last is a sealed part, which the owner's receipt shows: so everybody can
see that what they have is in the sum, and no tree of balances has to be published.
"""

from dataclasses import dataclass, field

from django.db import connection

from ledger.chart import BURNED, CHAIN_HOT, TAO, USD, AccountKind, Code

# What an account of these kinds has belongs to somebody who is not the house.
OWED = {
    AccountKind.WALLET: "wallets",
    AccountKind.STAKE: "stakes",
    AccountKind.LOCK: "locks of subnets",
    AccountKind.LIEN: "kept while disputed",
}
NAMES = {TAO: "TAO", USD: "USD"}
# What went out for good, burned or to the chain, backs nothing any more.
GONE = {BURNED.code, CHAIN_HOT.code}

TOTALS = """
WITH side AS (
    SELECT debit_id AS account_id, id, -amount_rao AS change, debit_balance_rao AS balance FROM ledger_transfer
    UNION ALL
    SELECT credit_id, id, amount_rao, credit_balance_rao FROM ledger_transfer
), folded AS (
    SELECT account_id, sum(change) AS moved, (array_agg(balance ORDER BY id DESC))[1] AS last
    FROM side GROUP BY account_id
)
SELECT account.asset, account.kind, CASE account.kind WHEN 'system' THEN account.code ELSE account.kind END,
       coalesce(sum(folded.moved), 0)::bigint,
       sum(CASE account.kind WHEN 'system' THEN coalesce(folded.moved, 0)
           ELSE account.credits_posted - account.debits_posted END)::bigint,
       sum(CASE account.kind WHEN 'system' THEN coalesce(folded.moved, 0)
           ELSE coalesce(folded.last, 0) END)::bigint,
       sum(account.debits_held)::bigint
FROM ledger_account AS account LEFT JOIN folded ON folded.account_id = account.id
GROUP BY 1, 2, 3 ORDER BY 1, 3
"""

# What open holds set aside to leave: still owed, and on its way out.
LEAVING = """
SELECT account.asset, sum(hold.amount_rao)::bigint
FROM ledger_hold AS hold
JOIN ledger_entry AS entry ON entry.id = hold.placed_by_id AND entry.code = %s
JOIN ledger_account AS account ON account.id = hold.account_id
WHERE hold.state = 'open' GROUP BY account.asset
"""


@dataclass(slots=True)
class Reserves:
    """One asset. All figures in its smallest unit: rao, or cents.

    owed: to users, by what for; of it `held` is set aside, and `leaving` of that is on its way out.  own: the house's, by account; below zero
    is what others owe it.  backing: what was issued, or what the house has outside, less what was burned or left for the chain.
    """

    asset: int
    owed: dict[str, int] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)
    held: int = 0
    leaving: int = 0
    backing: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the asset's name."""
        return NAMES.get(self.asset, f"alpha of subnet {self.asset}")

    @property
    def owed_sum(self) -> int:
        """Return all that users could ask for."""
        return sum(self.owed.values())

    @property
    def own_sum(self) -> int:
        """Return what is the house's own."""
        return sum(self.own.values())


def reserves() -> list[Reserves]:
    """Sum up every asset, and hold what is owed against what backs it."""
    found: dict[int, Reserves] = {}
    with connection.cursor() as cursor:
        cursor.execute(TOTALS)
        for asset, kind, name, moved, counted, last, held in cursor.fetchall():
            one = found.setdefault(asset, Reserves(asset))
            if not moved == counted == last:
                one.faults.append(
                    f"{name}: transfers say {moved}, counters {counted}, the last balances {last}"
                )
            one.held += held
            _add(one, AccountKind(kind), name, counted)
        cursor.execute(LEAVING, [Code.WITHDRAWAL_REQUESTED.value])
        for asset, leaving in cursor.fetchall():
            found[asset].leaving = leaving
    for one in found.values():
        if one.backing != one.owed_sum + one.own_sum:
            one.faults.append(
                f"{one.backing} back what users are owed, {one.owed_sum}, and what is the house's, {one.own_sum}"
            )
        if one.backing < one.owed_sum:
            one.faults.append(f"users are owed {one.owed_sum} and {one.backing} are there")
    return list(found.values())


def _add(one: Reserves, kind: AccountKind, name: str, balance: int) -> None:
    """Put a sum where it belongs: what was issued is a debit, and what is gone backs nothing any more."""
    if kind in OWED:
        one.owed[OWED[kind]] = one.owed.get(OWED[kind], 0) + balance
    elif kind is AccountKind.ISSUANCE or name in GONE:
        one.backing -= balance
    elif one.asset == USD:
        # What the house has outside stands as a debit: at Stripe, at its bank, in what it paid for.
        one.own[name] = one.own.get(name, 0) - balance
        one.backing -= balance
    else:
        one.own[name] = one.own.get(name, 0) + balance

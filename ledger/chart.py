"""The chart of accounts: whose money an account holds, how it may behave, and why money moves.

Balances are credit-normal: a credit adds to an account and a debit takes from it. New TAO is a debit of
ISSUANCE, whose balance is therefore minus what was issued; giving TAO back to it recycles the supply.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

TAO = 0  # n is kept for the alpha of netuid n
# Netuids are 16 bits wide on the chain; ISO 4217's number of the US dollar stands above them all. What an account
# of this asset counts, and what columns and fields call `amount_rao`, are US cents (docs/decisions/0035).
USD = 2**16 + 840
# A ss58 address of a substrate key has 47 or 48 characters; the rest is room for test names.
HOTKEY_LENGTH_MAX = 64
# Every epoch names the wallets that the one before named: as many as 128 subnets have neurons, half a kilobyte each.
KEPT_WALLETS_MAX = 128 * 256


class AccountKind(StrEnum):
    """What an account is for; the kind decides how it may behave and never changes."""

    WALLET = "wallet"
    """The free money of an owner."""
    STAKE = "stake"
    """What an owner staked on a hotkey in a subnet."""
    LOCK = "lock"
    """What a subnet's slot cost, locked while the subnet lives."""
    LIEN = "lien"
    """What is kept of an owner's TAO while a card payment of theirs is disputed."""
    DEBT = "debt"
    """What an owner owes for card payments that were taken back; at zero or below, never a wallet."""
    TREASURY = "treasury"
    """The marketplace's own TAO: grants, and TAO to be sold for cards."""
    ISSUANCE = "issuance"
    """Where TAO comes from; it goes below zero, down to the cap."""
    SYSTEM = "system"
    """A collecting account with no counters: never locked, its balance is folded from its transfers."""

    @property
    def is_counted(self) -> bool:
        """Tell whether the account keeps counters and is locked while it is posted to."""
        return self is not AccountKind.SYSTEM

    @property
    def may_overdraw(self) -> bool:
        """Tell whether the balance may go below zero."""
        return self in {AccountKind.ISSUANCE, AccountKind.DEBT, AccountKind.SYSTEM}

    @property
    def has_owner(self) -> bool:
        """Tell whether an owner stands behind the account."""
        return self in _OWNED


# Every address asks, an epoch for hundreds: a tuple made once is searched by identity, where a set would hash names.
_OWNED = (AccountKind.WALLET, AccountKind.STAKE, AccountKind.LIEN, AccountKind.DEBT)


@dataclass(frozen=True, slots=True)
class Address:
    """Name an account. The ledger opens it at the first posting, so an address is all a caller needs."""

    code: str
    kind: AccountKind
    owner: UUID | None = None
    asset: int = TAO

    def __post_init__(self) -> None:
        if self.kind.has_owner != (self.owner is not None):
            raise ValueError(
                f"a {self.kind} account {'needs an' if self.kind.has_owner else 'has no'} owner"
            )


FEES = Address("system:fees", AccountKind.SYSTEM)
"""What the marketplace earned."""
BURNED = Address("system:burned", AccountKind.SYSTEM)
"""TAO that nobody can spend again; unlike a return to ISSUANCE it still counts as issued."""
EMISSION_UNCLAIMED = Address("system:emission-unclaimed", AccountKind.SYSTEM)
"""Emission that an epoch could give to nobody."""
FORFEITS = Address("system:forfeits", AccountKind.SYSTEM)
"""Deposits of winners who did not pay, on their way to the seller and the fees; at rest it is empty."""
NETWORK_FEES = Address("system:network-fees", AccountKind.SYSTEM)
"""What the chain took for sending withdrawals; a cost, so a debit."""
CHAIN_HOT = Address("chain:hot", AccountKind.SYSTEM)
"""TAO that left for the chain by the house's hot wallet: a credit here, and no longer owed to anybody."""
STRIPE_CLEARING = Address("usd:stripe-clearing", AccountKind.SYSTEM, asset=USD)
"""Dollars that Stripe has and owes the house; like all that the house has, they are a debit."""
STRIPE_FEES = Address("usd:stripe-fees", AccountKind.SYSTEM, asset=USD)
"""What Stripe kept for its work."""
FX_USD = Address("usd:fx", AccountKind.SYSTEM, asset=USD)
"""Dollars for which TAO was sold; the other half of the sale is the TAO that left the treasury."""
BANK = Address("usd:bank", AccountKind.SYSTEM, asset=USD)
"""Dollars that Stripe paid out to the house's bank account."""
DISPUTES_RECEIVABLE = Address("usd:disputes-receivable", AccountKind.SYSTEM, asset=USD)
"""Dollars that a cardholder's bank took back while it looks at a dispute."""
DISPUTES_LOSS = Address("usd:disputes-loss", AccountKind.SYSTEM, asset=USD)
"""Dollars lost with disputes, where the TAO could not be had back either."""
TREASURY = Address("treasury", AccountKind.TREASURY)
ISSUANCE = Address("issuance", AccountKind.ISSUANCE)

# System accounts that only ever collect: a balance below zero is a fault in the books.
COLLECTING = (FEES, BURNED, EMISSION_UNCLAIMED)


@lru_cache(maxsize=KEPT_WALLETS_MAX)
def wallet(owner: UUID) -> Address:
    """Name the wallet of an owner."""
    return Address(f"wallet:{owner}", AccountKind.WALLET, owner)


def lien(owner: UUID) -> Address:
    """Name what is kept of an owner's TAO while card payments of theirs are disputed."""
    return Address(f"lien:{owner}", AccountKind.LIEN, owner)


def debt(owner: UUID) -> Address:
    """Name what an owner owes: its balance is minus that."""
    return Address(f"debt:{owner}", AccountKind.DEBT, owner)


def stake(owner: UUID, hotkey: str, netuid: int) -> Address:
    """Name what an owner staked on a hotkey in a subnet."""
    if not (hotkey.isascii() and hotkey.isalnum() and len(hotkey) <= HOTKEY_LENGTH_MAX):
        raise ValueError("a hotkey is a ss58 address")
    return Address(f"{stake_prefix(netuid)}{hotkey}:{owner}", AccountKind.STAKE, owner)


def stake_prefix(netuid: int) -> str:
    """Return the beginning of every stake account's code in a subnet."""
    return f"stake:{netuid}:"


def subnet_lock(netuid: int) -> Address:
    """Name what the slot of a subnet cost. It belongs to the subnet, whoever owns that."""
    return Address(f"lock:{netuid}", AccountKind.LOCK)


class StakeCode(NamedTuple):
    """The parts of a stake account's code."""

    netuid: int
    hotkey: str
    owner: UUID


def read_stake_code(code: str) -> StakeCode:
    """Take a stake account's code apart: the inverse of stake(…).code."""
    _, netuid, hotkey, owner = code.split(":")
    return StakeCode(int(netuid), hotkey, UUID(owner))


def spoken(code: str) -> str:
    """Say an account's code in the words of a statement: "Fees", "Stake on 5F… in subnet 3"."""
    kind, _, rest = code.partition(":")
    match kind:
        case "wallet" | "lien" | "debt":
            return f"{kind.capitalize()} {rest[:8]}"
        case "stake":
            parts = read_stake_code(code)
            return f"Stake on {parts.hotkey} in subnet {parts.netuid}"
        case "lock":
            return f"Lock of subnet {rest}"
        case "chain":
            return "The chain"
        case "system" | "usd":
            return rest.replace("-", " ").capitalize()
        case _:
            return code.capitalize()


class Code(StrEnum):
    """Why money moves, as `<area>:<thing>:<verb>`; every entry carries exactly one."""

    SUPPLY_ISSUED = "treasury:supply:issued"
    """TAO is issued to the treasury, when a network starts."""
    GRANT_MADE = "treasury:grant:made"
    """The treasury gives an owner TAO, as the demo does for a new account."""
    BID_PLACED = "auction:bid:placed"
    """A maximum bid is set aside, and the one it beats is released."""
    BID_VOIDED = "auction:bid:voided"
    """An operator took the leader out: their maximum is released, and that of who leads then is set aside."""
    BID_RELEASED = "auction:bid:released"
    """A bid is set free without a sale: the auction was cancelled or ended unsold."""
    SEALED_BID_PLACED = "auction:sealed:placed"
    """What covers a sealed maximum is set aside until the end, in place of the bidder's earlier cover."""
    DEPOSIT_FORFEITED = "auction:deposit:forfeited"
    """A winner did not pay in time: the deposit goes to the seller, less the fee."""
    SALE_SETTLED = "auction:sale:settled"
    """The winner pays the price, the seller gets it less the fee."""
    OFFER_PLACED = "offer:placed"
    """A buyer's amount is set aside, and the one it takes the place of is released."""
    OFFER_RELEASED = "offer:released"
    """An offer ended without a sale: declined, withdrawn, expired, or the subnet was sold otherwise."""
    OFFER_SETTLED = "offer:sale:settled"
    """Two people agreed: the buyer pays the price, the owner gets it less the fee."""
    SUBNET_BOUGHT = "market:subnet:bought"
    """A subnet changes owners at its asking price, without an auction."""
    SLOT_BOUGHT = "subnet:slot:bought"
    """A new subnet's lock cost leaves the buyer's wallet."""
    PREMIUM_PAID = "market:premium:paid"
    """The house's premium on a free slot, while one is open."""
    SLOT_RELEASED = "subnet:slot:released"
    """A subnet ended and its lock goes back."""
    BURN_PAID = "neuron:burn:paid"
    """A hotkey registers on a subnet and pays the burn."""
    STAKE_ADDED = "stake:added"
    """An owner stakes on a hotkey."""
    STAKE_REMOVED = "stake:removed"
    """An owner takes stake back."""
    EPOCH_PAID = "epoch:paid"
    """An epoch's emission goes to owner, miners and validators."""
    JOB_PLACED = "job:placed"
    """The most a job may cost is set aside."""
    JOB_SETTLED = "job:settled"
    """A verified job is paid: miner, subnet owner, fee; the rest returns."""
    JOB_RELEASED = "job:released"
    """A job ended without a result and costs nothing."""
    TAB_OPENED = "tab:opened"
    """Money for many requests of one API key is set aside in advance."""
    TAB_SETTLED = "tab:settled"
    """What was used is paid: miners, subnet owners, fee; the rest returns."""
    TAB_RELEASED = "tab:released"
    """A tab ended unused and costs nothing."""
    CARD_CREDITED = "deposit:card:credited"
    """A card payment became TAO on a wallet."""
    CARD_FEE_TAKEN = "deposit:card:charged"
    """Stripe's fee on a card payment is known."""
    CARD_REFUNDED = "deposit:card:refunded"
    """A card payment was refunded and its TAO goes back to the treasury."""
    CARD_REFUND_FAILED = "deposit:card:returned"
    """A refund did not arrive: the TAO is the owner's again."""
    CARD_LIEN_PLACED = "deposit:lien:placed"
    """A card payment is disputed or said to be fraud: its TAO is kept until that is decided."""
    CARD_LIEN_RELEASED = "deposit:lien:released"
    """A dispute was won, or nothing came of a warning: what was kept is the owner's again."""
    CARD_DISPUTE_MOVED = "deposit:dispute:moved"
    """A bank took a disputed payment from the house's balance at Stripe, or gave it back."""
    CARD_DISPUTE_LOST = "deposit:dispute:lost"
    """A dispute was lost: what was kept goes back to the treasury."""
    CARD_DEBT_COLLECTED = "deposit:debt:collected"
    """What an owner owes is taken from what came into their wallet since."""
    CARD_DEBT_FORGIVEN = "deposit:debt:forgiven"
    """Staff gives up what an owner owes: the loss is the house's."""
    CARD_PAYOUT_MOVED = "cards:payout:moved"
    """Stripe paid out to the house's bank, or a payout came back."""
    CARD_TOPUP_MOVED = "cards:topup:moved"
    """The house paid into its balance at Stripe, or that was taken back."""
    CARD_COST_TAKEN = "cards:cost:taken"
    """Stripe took what belongs to no payment: a fee of the account, an adjustment."""
    WITHDRAWAL_REQUESTED = "withdrawal:requested"
    """TAO on its way out is set aside."""
    WITHDRAWAL_PAID = "withdrawal:paid"
    """TAO left for the chain or the bank."""
    WITHDRAWAL_RELEASED = "withdrawal:released"
    """A withdrawal was cancelled, refused, or failed before anything left."""
    WITHDRAWAL_REVERSED = "withdrawal:reversed"
    """Dollars of a withdrawal came back after they had left, and so does its TAO."""
    HOLD_EXPIRED = "hold:expired"
    """A hold passed its time and was released by the sweep."""
    ACCOUNT_CLOSED = "account:closed"
    """An empty account takes and gives nothing from now on."""
    ACCOUNT_REOPENED = "account:reopened"
    """A closed account takes and gives again."""
    ENTRY_REVERSED = "entry:reversed"
    """A wrong entry is put right by its opposite."""

"""The chart of accounts: whose money an account holds, how it may behave, and why money moves.

Balances are credit-normal: a credit adds to an account and a debit takes from it. New TAO is a debit of
ISSUANCE, whose balance is therefore minus what was issued; giving TAO back to it recycles the supply.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

TAO = 0  # the asset of every account so far; n is the alpha of netuid n
# A ss58 address of a substrate key has 47 or 48 characters; the rest is room for test names.
HOTKEY_LENGTH_MAX = 64


class AccountKind(StrEnum):
    """What an account is for; the kind decides how it may behave and never changes."""

    WALLET = "wallet"
    """The free money of an owner."""
    STAKE = "stake"
    """What an owner staked on a hotkey in a subnet."""
    LOCK = "lock"
    """What a subnet's slot cost, locked while the subnet lives."""
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
        return self in {AccountKind.ISSUANCE, AccountKind.SYSTEM}

    @property
    def has_owner(self) -> bool:
        """Tell whether an owner stands behind the account."""
        return self in {AccountKind.WALLET, AccountKind.STAKE}


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
STRIPE_CLEARING = Address("system:stripe-clearing", AccountKind.SYSTEM)
"""TAO on its way between cards and wallets; below zero is TAO that the treasury still has to cover."""
FORFEITS = Address("system:forfeits", AccountKind.SYSTEM)
"""Deposits of winners who did not pay, on their way to the seller and the fees; at rest it is empty."""
TREASURY = Address("treasury", AccountKind.TREASURY)
ISSUANCE = Address("issuance", AccountKind.ISSUANCE)

# System accounts that only ever collect: a balance below zero is a fault in the books.
COLLECTING = (FEES, BURNED, EMISSION_UNCLAIMED)


def wallet(owner: UUID) -> Address:
    """Name the wallet of an owner."""
    return Address(f"wallet:{owner}", AccountKind.WALLET, owner)


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
        case "wallet":
            return f"Wallet {rest[:8]}"
        case "stake":
            parts = read_stake_code(code)
            return f"Stake on {parts.hotkey} in subnet {parts.netuid}"
        case "lock":
            return f"Lock of subnet {rest}"
        case "system":
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
    CARD_REFUNDED = "deposit:card:refunded"
    """A card payment was refunded or disputed and its TAO goes back."""
    WITHDRAWAL_REQUESTED = "withdrawal:requested"
    """TAO on its way out is set aside."""
    WITHDRAWAL_PAID = "withdrawal:paid"
    """TAO left for the chain or the bank."""
    WITHDRAWAL_RELEASED = "withdrawal:released"
    """A withdrawal failed or was taken back."""
    HOLD_EXPIRED = "hold:expired"
    """A hold passed its time and was released by the sweep."""
    ENTRY_REVERSED = "entry:reversed"
    """A wrong entry is put right by its opposite."""

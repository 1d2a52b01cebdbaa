"""What an API key may do, in few words, for the views of every app. Pure."""

from enum import StrEnum


class Scope(StrEnum):
    READ = "read"
    """Every GET of one's own."""
    BID = "bid"
    """What spends the wallet on the market."""
    SELL = "sell"
    """What may end in a subnet of yours going to somebody else."""
    WORK = "work"
    """What spends the wallet on compute."""
    TUNE = "tune"
    """What changes how a subnet pays."""
    MONEY = "money"
    """What moves money between the wallet and the outside."""
    ACCOUNT = "account"
    """What changes the account itself."""

    @property
    def words(self) -> str:
        """Say to people what a key with this scope may do."""
        return WORDS[self]


WORDS = {
    Scope.READ: "Read what only you may see: wallet, statement, deposits, jobs, keys",
    Scope.BID: "Bid, make offers, and buy slots and subnets, with the money in your wallet",
    Scope.SELL: "Sell subnets of yours: put them up for sale, withdraw them, and answer offers for them",
    Scope.WORK: "Order jobs with the money in your wallet",
    Scope.TUNE: "Change hyperparameters and try rules of your subnets",
    Scope.MONEY: "Start card deposits",
    Scope.ACCOUNT: "Link hotkeys, choose what you watch and are told, and revoke API keys",
}

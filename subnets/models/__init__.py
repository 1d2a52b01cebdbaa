"""Slots and what happens in them. Stake is money and lives in the ledger alone (`chart.stake`).

Network          one row: genesis, block length, how far emission has been accrued, the last lock cost
Subnet           a slot taken: owner, blueprint, hyperparameters, pending emission, burn price
Ownership        who owned a subnet from when until when, and what they paid: a history without overlaps
Hotkey           an sr25519 address linked to the owner (account) that answers for it
HotkeyChallenge  a one-time code by which an owner agrees to a hotkey, and the hotkey to the owner
Neuron           a hotkey's uid on a subnet
IncentiveRule    one version of a subnet's rule document, draft or published
Epoch            one tempo of one subnet, closed and paid: a fact, with its public bundle
EpochTerm        what consensus said of one uid in one epoch, and what it was paid: a fact
EpochEvidence    the metrics an epoch was paid by, packed: what a backtest replays
HyperparameterChange  who changed which hyperparameter when, from what to what: a fact
Backtest         a draft rule replayed over past epochs: asked for, under way, answered
"""

from subnets.models.epochs import Epoch, EpochEvidence, EpochTerm
from subnets.models.neurons import Hotkey, HotkeyChallenge, Neuron
from subnets.models.rules import Backtest, HyperparameterChange, IncentiveRule
from subnets.models.slots import SUBNET_LIMIT, Blueprint, Network, Ownership, Subnet

__all__ = [
    "SUBNET_LIMIT",
    "Backtest",
    "Blueprint",
    "Epoch",
    "EpochEvidence",
    "EpochTerm",
    "Hotkey",
    "HotkeyChallenge",
    "HyperparameterChange",
    "IncentiveRule",
    "Network",
    "Neuron",
    "Ownership",
    "Subnet",
]

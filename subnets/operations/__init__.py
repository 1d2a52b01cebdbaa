"""Every write to subnets. Each verb locks, looks for a replay, decides, writes, calls down, moves money last."""

from subnets.operations.backtests import ask_backtest, run_backtest
from subnets.operations.epochs import run_epoch
from subnets.operations.hyperparameters import set_hyperparameter, set_hyperparameters
from subnets.operations.keys import link_hotkey, open_challenge
from subnets.operations.network import accrue_emission, found_network, resume_clock
from subnets.operations.neurons import register_neuron
from subnets.operations.rules import discard_draft, publish_rule, restore_rule, save_draft
from subnets.operations.slots import (
    Registered,
    describe_subnet,
    register_subnet,
    transfer_ownership,
)
from subnets.operations.staking import add_stake, remove_stake

__all__ = [
    "Registered",
    "accrue_emission",
    "add_stake",
    "ask_backtest",
    "describe_subnet",
    "discard_draft",
    "found_network",
    "link_hotkey",
    "open_challenge",
    "publish_rule",
    "register_neuron",
    "register_subnet",
    "remove_stake",
    "restore_rule",
    "resume_clock",
    "run_backtest",
    "run_epoch",
    "save_draft",
    "set_hyperparameter",
    "set_hyperparameters",
    "transfer_ownership",
]

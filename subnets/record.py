"""All that an epoch depends on: read by the network in one instant, written into the public bundle, read by auditors. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from subnets import metrics
from subnets.commitments import Commitment


@dataclass(frozen=True, slots=True)
class Backing:
    """What one account staked on a hotkey."""

    owner: str
    amount_rao: int


@dataclass(frozen=True, slots=True)
class Seat:
    """A neuron as it stood when the epoch was closed. bonds: miner uid → u16."""

    uid: int
    hotkey: str
    owner: str
    registered_block: int
    last_update_block: int
    has_permit: bool
    bonds: Mapping[int, int]
    backing: tuple[Backing, ...]

    @property
    def stake_rao(self) -> int:
        """Return what all accounts together staked on the hotkey."""
        return sum(part.amount_rao for part in self.backing)


@dataclass(frozen=True, slots=True)
class Tenure:
    """How long an account owned the subnet within the epoch, in milliseconds of its window."""

    owner: str
    held_ms: int


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The newest seal of the ledger when the epoch closed: its number and its hash, in hex (docs/ledger-proofs.md)."""

    seal: int
    hash: str


@dataclass(frozen=True, slots=True)
class RuleVersion:
    version: int
    digest: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """Everything an epoch depends on.

    versions: the rule in force, then its predecessors, tried in turn should one fail. seats: by uid, 0 to
    n - 1. scores: the signed scores of the window, as they stand in a bundle. smoothed, incumbents: what each
    validator's evaluation handed on from the epoch before. results: what the miners signed of the scored
    results. commitments: what was public of each validator's scores while they were sealed; None where
    nobody scored before. Nothing is paid by these two: they prove that the scores are genuine and whole.
    tenures: who owned the subnet in the window, where that was not `owner` all along; the cut is theirs by time.
    ledger_head: what binds the books up to then, published here because nobody can take a bundle back; nothing is paid by it.
    """

    netuid: int
    number: int
    start_block: int
    end_block: int
    last_step_block: int
    owner: str
    emission_rao: int
    hyperparameters: Mapping[str, int]
    versions: tuple[RuleVersion, ...]
    seats: tuple[Seat, ...]
    scores: Sequence[Mapping[str, Any]]
    deliveries: tuple[metrics.Delivery, ...]
    smoothed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    incumbents: Mapping[str, str] = field(default_factory=dict)
    results: tuple[Mapping[str, Any], ...] = ()
    commitments: Mapping[str, Commitment] | None = None
    tenures: tuple[Tenure, ...] = ()
    ledger_head: LedgerHead | None = None

    def __post_init__(self) -> None:
        assert [seat.uid for seat in self.seats] == list(range(len(self.seats)))

"""List the hyperparameters of a subnet: default, bounds, unit, and who may set each.

Source: opentensor/subtensor 14bc6f9f9 (spec 425), lib.rs defaults, pallets/admin-utils bounds; live
values of 2026-10 where the compiled default differs. All values are ints; a flag is 0 or 1.
The owner's form, the API's schema and docs/hyperparameters.md are made from this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.money import MAX_SUPPLY_RAO, RAO_PER_TAO
from subnets.errors import (
    HyperparameterNotYours,
    HyperparameterOutOfBounds,
    HyperparametersContradict,
    HyperparameterUnknown,
)

_U16 = 65_535

# An owner may change a hyperparameter again after so many tempos (OwnerHyperparamRateLimit).
RATE_LIMIT_TEMPOS = 2


class Authority(StrEnum):
    """Who may change a hyperparameter; root may change all."""

    OWNER = "owner"
    """The owner of the subnet, within the owner's bounds."""
    ROOT = "root"
    """The operator of the network."""


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One row of the table. `low`…`high` bind the owner; root has `root_low`…`root_high` where they differ.

    limit_blocks: how long an owner waits between two changes, where it is not RATE_LIMIT_TEMPOS; 0 is not
    at all.
    """

    name: str
    default: int
    low: int
    high: int
    unit: str
    who: Authority
    doc: str
    root_low: int | None = None
    root_high: int | None = None
    limit_blocks: int | None = None

    def bounds(self, by: Authority) -> tuple[int, int]:
        """Return the lowest and highest value `by` may set."""
        if by is Authority.OWNER:
            return self.low, self.high
        low = self.low if self.root_low is None else self.root_low
        high = self.high if self.root_high is None else self.root_high
        return low, high

    @property
    def is_flag(self) -> bool:
        """Say whether the value is a yes or a no."""
        return self.unit == "flag"

    def wait_blocks(self, *, tempo: int) -> int:
        """Return how many blocks lie between two changes by an owner."""
        return RATE_LIMIT_TEMPOS * tempo if self.limit_blocks is None else self.limit_blocks


_O, _R = Authority.OWNER, Authority.ROOT

HYPERPARAMETERS: tuple[Hyperparameter, ...] = (
    Hyperparameter(
        "tempo",
        360,
        360,
        50_400,
        "blocks",
        _O,
        "Blocks from one epoch to the next. A change acts once the running epoch has ended.",
        root_low=1,
        root_high=_U16,
        limit_blocks=360,
    ),
    Hyperparameter(
        "activity_cutoff_factor",
        13_889,
        1_000,
        50_000,
        "per mille of a tempo",
        _O,
        "How long after its last weights a validator still counts as active: 13889 is 5000 blocks at tempo 360.",
    ),
    Hyperparameter(
        "kappa",
        32_767,
        0,
        _U16,
        "/65535",
        _R,
        "The part of active stake that must give a miner a weight at least as high for it to count.",
    ),
    Hyperparameter(
        "bonds_moving_average",
        900_000,
        0,
        975_000,
        "/1000000",
        _O,
        "How much of the old bonds stays each epoch: 900000 keeps 90 %.",
        root_high=1_000_000,
    ),
    Hyperparameter(
        "bonds_penalty",
        _U16,
        0,
        _U16,
        "/65535",
        _O,
        "How far weights above consensus are cut before they become bonds: 0 not at all, 65535 wholly.",
    ),
    Hyperparameter(
        "yuma3_enabled",
        1,
        0,
        1,
        "flag",
        _O,
        "Keep each bond as its own fraction (Yuma 3) instead of a share of the miner's column (Yuma 2).",
    ),
    Hyperparameter(
        "liquid_alpha_enabled",
        0,
        0,
        1,
        "flag",
        _O,
        "Let bonds of Yuma 3 move at a speed of their own, between alpha_low and alpha_high.",
    ),
    Hyperparameter(
        "alpha_low",
        45_875,
        1_638,
        _U16,
        "/65535",
        _O,
        "The slowest speed of a bond under liquid alpha; not above alpha_high.",
    ),
    Hyperparameter(
        "alpha_high",
        58_982,
        1_638,
        _U16,
        "/65535",
        _O,
        "The fastest speed of a bond under liquid alpha.",
    ),
    Hyperparameter(
        "alpha_sigmoid_steepness",
        1_000,
        0,
        32_767,
        "/100",
        _O,
        "How sharply the speed turns from low to high as weight and consensus part.",
        root_low=-32_768,
    ),
    Hyperparameter(
        "max_allowed_uids",
        256,
        1,
        256,
        "neurons",
        _O,
        "Slots for neurons; when all are taken, a newcomer replaces one. Not below the neurons that are there.",
    ),
    Hyperparameter(
        "min_allowed_uids",
        64,
        1,
        256,
        "neurons",
        _R,
        "How far an owner may lower max_allowed_uids.",
    ),
    Hyperparameter(
        "max_allowed_validators",
        64,
        1,
        256,
        "neurons",
        _R,
        "Validator permits; they go to the highest stakes. Not above max_allowed_uids.",
    ),
    Hyperparameter(
        "immunity_period",
        5_000,
        0,
        _U16,
        "blocks",
        _O,
        "How long a new neuron is safe from being replaced.",
    ),
    Hyperparameter(
        "min_non_immune_uids",
        10,
        0,
        _U16,
        "neurons",
        _R,
        "While no more than this many neurons are past immunity, an immune one is replaced instead.",
    ),
    Hyperparameter(
        "immune_owner_uids_limit",
        1,
        1,
        10,
        "neurons",
        _O,
        "How many neurons of the owner are never replaced; the newest of them are kept.",
    ),
    Hyperparameter(
        "registration_allowed",
        1,
        0,
        1,
        "flag",
        _R,
        "Let hotkeys register. While it is off, the subnet takes no newcomers and gets no emission.",
    ),
    Hyperparameter(
        "min_burn",
        500_000,
        1,
        RAO_PER_TAO - 1,
        "rao",
        _O,
        "The lowest price of a neuron slot; below max_burn.",
    ),
    Hyperparameter(
        "max_burn",
        100 * RAO_PER_TAO,
        RAO_PER_TAO // 10 + 1,
        MAX_SUPPLY_RAO,
        "rao",
        _O,
        "The highest price of a neuron slot.",
    ),
    Hyperparameter(
        "burn_half_life",
        360,
        1,
        36_100,
        "blocks",
        _O,
        "In how many blocks without a registration the price of a neuron slot halves.",
    ),
    Hyperparameter(
        "burn_increase_mult",
        1_260,
        1_000,
        3_000,
        "per mille",
        _O,
        "What each registration multiplies the price by: 1260 raises it by 26 %.",
    ),
    Hyperparameter(
        "owner_cut",
        11_796,
        0,
        _U16,
        "/65535",
        _R,
        "The owner's part of the subnet's emission: 11796 is 18 %.",
    ),
    Hyperparameter(
        "owner_cut_enabled",
        1,
        0,
        1,
        "flag",
        _O,
        "Pay the owner's cut; off, it goes to miners and validators.",
        limit_blocks=0,
    ),
    Hyperparameter(
        "recycle_or_burn",
        0,
        0,
        1,
        "flag",
        _O,
        "Leave what an epoch gives to nobody to be issued later; off, it is burned.",
    ),
    Hyperparameter(
        "subnet_emission_enabled",
        1,
        0,
        1,
        "flag",
        _R,
        "Give the subnet its share of what each block issues; off, the other subnets share it.",
    ),
    Hyperparameter(
        "stake_threshold",
        1_000 * RAO_PER_TAO,
        0,
        MAX_SUPPLY_RAO,
        "rao",
        _R,
        "The stake below which a validator counts as having none.",
    ),
    Hyperparameter(
        "rule_notice",
        1,
        1,
        10,
        "epochs",
        _O,
        "How many epochs after the running one a published rule begins: 1 is the next epoch.",
    ),
)

BY_NAME: Mapping[str, Hyperparameter] = {row.name: row for row in HYPERPARAMETERS}

# The left one may not exceed the right one.
_ORDERED = (
    ("alpha_low", "alpha_high"),
    ("min_burn", "max_burn"),
    ("max_allowed_validators", "max_allowed_uids"),
    ("min_allowed_uids", "max_allowed_uids"),
)

# Both let emission flow to a subnet; without either there is none.
EMISSION_FLAGS = ("registration_allowed", "subnet_emission_enabled")


def defaults() -> dict[str, int]:
    """Return what a new subnet starts with."""
    return {row.name: row.default for row in HYPERPARAMETERS}


def completed(values: Mapping[str, int]) -> dict[str, int]:
    """Return a table whole: rows that did not exist when it was written stand at their defaults."""
    return defaults() | dict(values)


def owner_cut_u16(values: Mapping[str, int]) -> int:
    """Return the part of an epoch's emission that is the owner's, 0 where the owner takes none."""
    # A bundle from before the flag has none.
    return values["owner_cut"] if values.get("owner_cut_enabled", 1) else 0


def checked(
    values: Mapping[str, int],
    *,
    current: Mapping[str, int] | None = None,
    by: Authority = Authority.OWNER,
) -> dict[str, int]:
    """Return the whole table with `values` laid over `current` (the defaults when None).

    Only what differs from `current` is a change and must be within the bounds of `by`, so a table read
    from a subnet passes whoever set it.
    Raises: HyperparameterUnknown, HyperparameterOutOfBounds, HyperparameterNotYours (root's, and `by` is
    the owner), HyperparametersContradict (two values that do not fit together).
    """
    merged = completed(current or {})
    for name, value in values.items():
        if name not in BY_NAME:
            raise HyperparameterUnknown(name=name)
        # A bool is an int to Python, but "true" for a price is a mistake; flags are written 0 and 1.
        if type(value) is not int or value != merged[name]:
            _check_change(BY_NAME[name], value, by=by)
        merged[name] = value
    for lower, upper in _ORDERED:
        if merged[lower] > merged[upper]:
            raise HyperparametersContradict(
                lower=lower, upper=upper, low=merged[lower], high=merged[upper]
            )
    return merged


def _check_change(row: Hyperparameter, value: int, *, by: Authority) -> None:
    low, high = row.bounds(by)
    if type(value) is not int or not low <= value <= high:
        raise HyperparameterOutOfBounds(
            name=row.name, value=value, low=low, high=high, unit=row.unit
        )
    if row.who is Authority.ROOT and by is not Authority.ROOT:
        raise HyperparameterNotYours(name=row.name)

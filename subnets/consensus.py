"""Run Yuma consensus over one epoch of one subnet: from weights and stake to incentive and dividends.

Exact: consensus, incentive, dividends, validator trust and bonds equal the chain's stored values bit for
bit. Each stage is a function named as in the theory; letters: S stake, a active stake, W weights,
C consensus, R ranks, I incentive, D dividends; i is a validator (row), j a miner (column).

All numbers are I32F32 ints, a value times 2**32 (see subnets.fixed), unless a name says otherwise.
Source: opentensor/subtensor 14bc6f9f9 (spec 425), epoch/run_epoch.rs and math.rs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from subnets import bonds, fixed
from subnets.fixed import Matrix


@dataclass(frozen=True, slots=True)
class EpochParams:
    """The hyperparameters consensus reads; the defaults are those of a new subnet.

    kappa, bonds_penalty, alpha_low, alpha_high: u16 proportions. bonds_moving_average: per million.
    alpha_sigmoid_steepness: per cent. stake_threshold_rao: less stake than this counts as none.
    """

    kappa: int = 32_767
    bonds_moving_average: int = 900_000
    bonds_penalty: int = 65_535
    yuma3: bool = True
    liquid_alpha: bool = False
    alpha_low: int = 45_875
    alpha_high: int = 58_982
    alpha_sigmoid_steepness: int = 1_000
    activity_cutoff_blocks: int = 5_000
    max_validators: int = 64
    stake_threshold_rao: int = 0


@dataclass(frozen=True, slots=True)
class EpochInputs:
    """Everything an epoch depends on. Lists have one entry per uid, 0 to n - 1.

    stakes_rao: effective stake. permits: validator permits given by the previous epoch (all False before
    the first). weights, bonds: u16, sparse, by validator uid and then miner uid; weights are relative
    within a row, an explicit 0 is an entry. last_update: block of the last weights of each uid.
    registered_block: block at which each uid was registered. last_step_block: block of the last epoch
    that ran, 0 for none. owner_uid: the owner's neuron; it always counts as a validator, is exempt from
    the stake threshold and may weigh itself.
    """

    stakes_rao: Sequence[int]
    permits: Sequence[bool]
    weights: Mapping[int, Mapping[int, int]]
    bonds: Mapping[int, Mapping[int, int]]
    last_update: Sequence[int]
    registered_block: Sequence[int]
    block: int
    tempo: int
    last_step_block: int = 0
    owner_uid: int | None = None
    params: EpochParams = field(default_factory=EpochParams)

    @property
    def n(self) -> int:
        """Return the number of neurons."""
        return len(self.stakes_rao)


@dataclass(frozen=True, slots=True)
class EpochTerms:
    """What consensus says of each uid. Lists have one entry per uid; q32 values are over 2**32.

    bonds: u16, sparse, only rows of new permit holders and only entries above zero.
    server_share, validator_share: how the epoch's emission is shared, q32; together they sum to one up
    to rounding (or are all zero when there is no stake). combined_share: the sum of both as the chain
    takes it, for the emission that decides pruning.
    """

    active: list[bool]
    new_permits: list[bool]
    stake_q32: list[int]
    consensus_q32: list[int]
    incentive_q32: list[int]
    dividends_q32: list[int]
    validator_trust_q32: list[int]
    bonds: dict[int, dict[int, int]]
    server_share: list[int]
    validator_share: list[int]
    combined_share: list[int]

    @property
    def stake_share_u16(self) -> list[int]:
        """Return each uid's share of all stake, as stored by the chain."""
        return [fixed.to_u16(value) for value in self.stake_q32]

    @property
    def consensus_u16(self) -> list[int]:
        """Return the weight a majority of stake grants each miner, as stored by the chain."""
        return [fixed.to_u16(value) for value in self.consensus_q32]

    @property
    def incentive_u16(self) -> list[int]:
        """Return each miner's share of the miners' emission, as stored by the chain."""
        return [fixed.to_u16(value) for value in self.incentive_q32]

    @property
    def dividends_u16(self) -> list[int]:
        """Return each validator's share of the validators' emission, as stored by the chain."""
        return [fixed.to_u16(value) for value in self.dividends_q32]

    @property
    def validator_trust_u16(self) -> list[int]:
        """Return how much of each validator's weights consensus agreed with, as stored by the chain."""
        return [fixed.to_u16(value) for value in self.validator_trust_q32]


def run_yuma(inputs: EpochInputs) -> EpochTerms:
    """Return the terms of an epoch. Pure, exact, and independent of the order of uids.

    Asserts that the inputs fit together: lists of length n, uids below n, u16 weights and bonds.
    """
    _assert_inputs_fit(inputs)
    params = inputs.params
    active = active_validators(inputs)
    stake = stake_shares(inputs)
    permits = [permit or uid == inputs.owner_uid for uid, permit in enumerate(inputs.permits)]
    active_stake = active_stake_shares(stake, permits=permits, active=active)
    weights = weights_in_force(inputs, permits=permits)
    consensus = consensus_weights(weights, active_stake=active_stake, kappa_u16=params.kappa)
    clipped = clipped_weights(weights, consensus)
    incentive = incentives(clipped, active_stake=active_stake)
    terms = _bond_terms(
        inputs,
        weights=bonds.weights_for_bonds(weights, clipped, penalty_u16=params.bonds_penalty),
        active_stake=active_stake,
        consensus=consensus,
        incentive=incentive,
    )
    new_permits = validator_permits(
        stake, max_validators=params.max_validators, owner_uid=inputs.owner_uid
    )
    server, validator, combined = emission_shares(
        incentive, terms.dividends, active_stake=active_stake, stake=stake
    )
    return EpochTerms(
        active=active,
        new_permits=new_permits,
        stake_q32=stake,
        consensus_q32=consensus,
        incentive_q32=incentive,
        dividends_q32=terms.dividends,
        validator_trust_q32=[sum(row.values()) for row in clipped],
        bonds=stored_bonds(terms.bonds, permits=new_permits),
        server_share=server,
        validator_share=validator,
        combined_share=combined,
    )


def active_validators(inputs: EpochInputs) -> list[bool]:
    """Say who has set weights lately: within the activity cutoff, the last block of it included."""
    cutoff = inputs.params.activity_cutoff_blocks
    return [updated + cutoff >= inputs.block for updated in inputs.last_update]


def stake_shares(inputs: EpochInputs) -> list[int]:
    """Return S: each uid's share of all stake; below the threshold a stake counts as none."""
    threshold_rao = inputs.params.stake_threshold_rao
    counted_rao = [
        stake_rao if stake_rao >= threshold_rao or uid == inputs.owner_uid else 0
        for uid, stake_rao in enumerate(inputs.stakes_rao)
    ]
    return fixed.normalised(counted_rao)


def validator_permits(
    stake: Sequence[int], *, max_validators: int, owner_uid: int | None
) -> list[bool]:
    """Give next epoch's permits to the highest non-zero stakes and the owner; on a tie the higher uid wins."""
    dropped = max(0, len(stake) - max_validators)
    ranked = sorted(range(len(stake)), key=lambda uid: stake[uid])
    kept = {uid for uid in ranked[dropped:] if stake[uid] > 0} | {owner_uid}
    return [uid in kept for uid in range(len(stake))]


def active_stake_shares(
    stake: Sequence[int], *, permits: Sequence[bool], active: Sequence[bool]
) -> list[int]:
    """Return a: the stake of active permit holders, scaled to sum to one."""
    return fixed.normalised(
        [
            s if p and is_active else 0
            for s, p, is_active in zip(stake, permits, active, strict=True)
        ]
    )


def weights_in_force(inputs: EpochInputs, *, permits: Sequence[bool]) -> Matrix:
    """Return W: rows of permit holders, without self weights (but the owner's), normalised.

    A weight is outdated and dropped when its miner registered at or after the validator's last update.
    """
    matrix: Matrix = [{} for _ in range(inputs.n)]
    for i, row in inputs.weights.items():
        if not permits[i]:
            continue
        matrix[i] = {
            j: weight * fixed.ONE
            for j, weight in row.items()
            if (i != j or i == inputs.owner_uid)
            and inputs.last_update[i] > inputs.registered_block[j]
        }
    return fixed.row_normalised(matrix)


def consensus_weights(weights: Matrix, *, active_stake: Sequence[int], kappa_u16: int) -> list[int]:
    """Return C: for each miner the highest weight that validators with kappa of active stake support."""
    voters = [i for i, stake in enumerate(active_stake) if stake > 0]
    votes = fixed.normalised([active_stake[i] for i in voters])
    majority = fixed.from_u16(kappa_u16)
    return [
        weighted_median(votes, [weights[i].get(j, 0) for i in voters], majority=majority)
        for j in range(len(weights))
    ]


def weighted_median(stake: Sequence[int], score: Sequence[int], *, majority: int) -> int:
    """Return the largest score that stake of at least `majority` gives or exceeds; 0 without stake.

    It is the score at which the stake, summed from the lowest score, first exceeds the minority (all
    minus majority): the fixed point of the chain's pivot search.
    """
    minority = sum(stake) - majority
    reached = 0
    for value, weight in sorted(zip(score, stake, strict=True)):
        reached += weight
        if reached > minority:
            return value
    return max(score, default=0)


def clipped_weights(weights: Matrix, consensus: Sequence[int]) -> Matrix:
    """Return W cut down to consensus; what has no consensus is dropped, an explicit zero stays."""
    return [
        {
            j: min(weight, consensus[j])
            for j, weight in row.items()
            if consensus[j] > 0 or weight == 0
        }
        for row in weights
    ]


def incentives(clipped: Matrix, *, active_stake: Sequence[int]) -> list[int]:
    """Return I: ranks R_j = sum_i a_i * W_ij of the clipped weights, scaled to sum to one."""
    ranked = [
        {j: fixed.mul(stake, weight) for j, weight in row.items()}
        for row, stake in zip(clipped, active_stake, strict=True)
    ]
    return fixed.normalised(fixed.column_sums(ranked, columns=len(clipped)))


def _bond_terms(
    inputs: EpochInputs,
    *,
    weights: Matrix,
    active_stake: Sequence[int],
    consensus: Sequence[int],
    incentive: Sequence[int],
) -> bonds.BondTerms:
    params = inputs.params
    step = inputs.last_step_block
    old = bonds.bonds_in_force(
        inputs.bonds,
        registered_block=inputs.registered_block,
        last_tempo_block=step + 1 if step else max(0, inputs.block - inputs.tempo),
    )
    if not params.yuma3:
        return bonds.yuma2_terms(
            weights,
            old,
            active_stake=active_stake,
            incentive=incentive,
            bonds_moving_average=params.bonds_moving_average,
        )
    liquid_alpha = bonds.LiquidAlpha.of(
        low_u16=params.alpha_low,
        high_u16=params.alpha_high,
        steepness=params.alpha_sigmoid_steepness,
    )
    return bonds.yuma3_terms(
        weights,
        old,
        active_stake=active_stake,
        incentive=incentive,
        consensus=consensus,
        bonds_moving_average=params.bonds_moving_average,
        liquid_alpha=liquid_alpha if params.liquid_alpha else None,
    )


def emission_shares(
    incentive: Sequence[int],
    dividends: Sequence[int],
    *,
    active_stake: Sequence[int],
    stake: Sequence[int],
) -> tuple[list[int], list[int], list[int]]:
    """Return (server, validator, combined) shares of the emission: I and D over the sum of both.

    Without any consensus validators share by active stake, and by all stake when none is active.
    """
    combined = [i + d for i, d in zip(incentive, dividends, strict=True)]
    whole = sum(combined)
    if whole == 0:
        by_stake = list(active_stake if any(active_stake) else stake)
        return [0] * len(by_stake), by_stake, list(by_stake)
    return (
        [fixed.div(value, whole) for value in incentive],
        [fixed.div(value, whole) for value in dividends],
        [fixed.div(value, whole) for value in combined],
    )


def stored_bonds(matrix: Matrix, *, permits: Sequence[bool]) -> dict[int, dict[int, int]]:
    """Return the bonds to keep as u16: those of new permit holders, without zeros."""
    rows = {
        i: {j: u16 for j, value in row.items() if (u16 := fixed.to_u16(value)) > 0}
        for i, row in enumerate(matrix)
        if permits[i]
    }
    return {i: row for i, row in rows.items() if row}


def _assert_inputs_fit(inputs: EpochInputs) -> None:
    n = inputs.n
    lists = (inputs.permits, inputs.last_update, inputs.registered_block)
    assert all(len(values) == n for values in lists), "one entry per uid"
    assert all(stake_rao >= 0 for stake_rao in inputs.stakes_rao), "stake is not negative"
    assert inputs.owner_uid is None or 0 <= inputs.owner_uid < n, "the owner is a neuron"
    for matrix in (inputs.weights, inputs.bonds):
        for i, row in matrix.items():
            assert 0 <= i < n, "rows are uids"
            assert all(0 <= j < n for j in row), "columns are uids"
            assert all(0 <= value <= fixed.U16_MAX for value in row.values()), "entries are u16"

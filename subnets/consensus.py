"""Run Yuma consensus over one epoch of one subnet: from weights and stake to incentive and dividends.

Exact: consensus, incentive, dividends, validator trust and bonds equal the chain's stored values bit for
bit. Each stage is a function named as in the theory; letters: S stake, a active stake, W weights,
C consensus, R ranks, I incentive, D dividends; i is a validator (row), j a miner (column).

All numbers are I32F32, a value times 2**32 in integers (see subnets.fixed), unless a name says otherwise.
Matrices hold the rows of validators only: those with weights in force, bonds or active stake.
Source: opentensor/subtensor 14bc6f9f9 (spec 425), epoch/run_epoch.rs and math.rs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from subnets import bonds, fixed
from subnets.fixed import Words
from subnets.pairs import Matrix, Pairs


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
    within a row, an explicit 0 is an entry; a `Pairs` is taken as it is. last_update: block of the last
    weights of each uid. registered_block: block at which each uid was registered. last_step_block: block
    of the last epoch that ran, 0 for none. owner_uid: the owner's neuron; it always counts as a
    validator, is exempt from the stake threshold and may weigh itself.
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

    bonds: u16, by validator and miner; only rows of new permit holders and only entries above zero.
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
    bonds: Pairs
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
    n, owner_uid, params = inputs.n, inputs.owner_uid, inputs.params
    active = active_validators(inputs)
    stake = stake_shares(inputs)
    permits = [permit or uid == owner_uid for uid, permit in enumerate(inputs.permits)]
    active_stake = active_stake_shares(stake, permits=permits, active=active)
    stored_weights, stored_bonds = Pairs.of(inputs.weights, n=n), Pairs.of(inputs.bonds, n=n)
    rows = validator_rows(stored_weights, stored_bonds, active_stake=active_stake, permits=permits)
    votes = active_stake[rows]
    weights = weights_in_force(inputs, stored_weights.rows(rows), rows=rows, permits=permits)
    consensus = consensus_weights(weights.values, active_stake=votes, kappa_u16=params.kappa)
    clipped = clipped_weights(weights, consensus)
    incentive = incentives(clipped.values, active_stake=votes)
    terms = _bond_terms(
        inputs,
        stored_bonds.rows(rows),
        weights=bonds.weights_for_bonds(weights, clipped, penalty_u16=params.bonds_penalty),
        active_stake=votes,
        consensus=consensus,
        incentive=incentive,
    )
    dividends = _by_uid(terms.dividends, rows=rows, n=n)
    trust = _by_uid(clipped.values.sum(axis=1, dtype=np.uint64), rows=rows, n=n)
    new_permits = validator_permits(
        stake, max_validators=params.max_validators, owner_uid=owner_uid
    )
    server, validator, combined = emission_shares(
        incentive, dividends, active_stake=active_stake, stake=stake
    )
    return EpochTerms(
        active=active,
        new_permits=new_permits,
        stake_q32=stake.tolist(),
        consensus_q32=consensus.tolist(),
        incentive_q32=incentive.tolist(),
        dividends_q32=dividends.tolist(),
        validator_trust_q32=trust.tolist(),
        bonds=bonds_to_store(terms.bonds, rows=rows, permits=new_permits),
        server_share=server.tolist(),
        validator_share=validator.tolist(),
        combined_share=combined.tolist(),
    )


def active_validators(inputs: EpochInputs) -> list[bool]:
    """Say who has set weights lately: within the activity cutoff, the last block of it included."""
    cutoff = inputs.params.activity_cutoff_blocks
    return [updated + cutoff >= inputs.block for updated in inputs.last_update]


def stake_shares(inputs: EpochInputs) -> Words:
    """Return S: each uid's share of all stake; below the threshold a stake counts as none."""
    threshold_rao = inputs.params.stake_threshold_rao
    # Stakes stay Python ints until they are shares: rao times 2**32 does not fit a word.
    counted_rao = [
        stake_rao if stake_rao >= threshold_rao or uid == inputs.owner_uid else 0
        for uid, stake_rao in enumerate(inputs.stakes_rao)
    ]
    return fixed.words(fixed.shares(counted_rao))


def validator_permits(stake: Words, *, max_validators: int, owner_uid: int | None) -> list[bool]:
    """Give next epoch's permits to the highest non-zero stakes and the owner; on a tie the higher uid wins."""
    ranked = np.argsort(stake, kind="stable")
    kept = np.zeros(len(stake), dtype=np.bool_)
    kept[ranked[max(0, len(stake) - max_validators) :]] = True
    kept &= stake > 0
    if owner_uid is not None:
        kept[owner_uid] = True
    return [bool(permit) for permit in kept]


def active_stake_shares(stake: Words, *, permits: Sequence[bool], active: Sequence[bool]) -> Words:
    """Return a: the stake of active permit holders, scaled to sum to one."""
    counts = np.array(permits, dtype=np.bool_) & np.array(active, dtype=np.bool_)
    return fixed.normalised(stake * counts)


def validator_rows(
    weights: Pairs, stored_bonds: Pairs, *, active_stake: Words, permits: Sequence[bool]
) -> list[int]:
    """Return the uids whose rows matter, in order: who may weigh, has bonds, or has a vote."""
    weighing = {uid for uid in weights.uids if permits[uid]}
    return sorted(weighing | set(stored_bonds.uids) | set(active_stake.nonzero()[0].tolist()))


def weights_in_force(
    inputs: EpochInputs, stored: Matrix, *, rows: Sequence[int], permits: Sequence[bool]
) -> Matrix:
    """Return W: rows of permit holders, without self weights (but the owner's), normalised.

    A weight is outdated and dropped when its miner registered at or after the validator's last update.
    stored: the u16 weights of `rows`.
    """
    has_permit = np.array([permits[i] for i in rows], dtype=np.bool_)
    updated = np.array([inputs.last_update[i] for i in rows], dtype=np.int64)
    registered = np.array(inputs.registered_block, dtype=np.int64)
    in_force = stored.has_entry & has_permit[:, np.newaxis] & (updated[:, np.newaxis] > registered)
    for row, i in enumerate(rows):
        in_force[row, i] &= i == inputs.owner_uid
    values = stored.values * in_force
    sums = values.sum(axis=1, dtype=np.uint64, keepdims=True)
    values <<= np.uint64(32)
    values //= np.maximum(sums, np.uint64(1))
    return Matrix(values, in_force)


def consensus_weights(weights: Words, *, active_stake: Words, kappa_u16: int) -> Words:
    """Return C: for each miner the highest weight that validators with kappa of active stake support."""
    voters = active_stake > 0
    return weighted_medians(
        fixed.normalised(active_stake[voters]),
        weights[voters],
        majority=fixed.from_u16(kappa_u16),
    )


def weighted_medians(stake: Words, scores: Words, *, majority: int) -> Words:
    """Return for each column the largest score that stake of at least `majority` gives or exceeds.

    It is the score at which the stake, summed from the lowest score, first exceeds the minority (all
    minus majority): the fixed point of the chain's pivot search. Without any stake it is 0.

    stake: one per row, not all zero unless there is no row. scores: up to one.
    """
    rows, columns = scores.shape
    if rows == 0:
        return np.zeros(columns, dtype=np.uint64)
    # Each score carries its row in its low bits: sorting a column once brings its stake along.
    keyed = np.ascontiguousarray(scores.T)
    keyed <<= np.uint64(16)
    keyed |= np.arange(rows, dtype=np.uint64)
    keyed.sort(axis=1)
    in_order = stake[keyed & np.uint64(0xFFFF)].astype(np.int64)
    reached = in_order.cumsum(axis=1)
    minority = int(stake.sum()) - majority
    median_at = np.minimum((reached <= minority).sum(axis=1), rows - 1)
    medians: Words = keyed[np.arange(columns), median_at] >> np.uint64(16)
    return medians


def clipped_weights(weights: Matrix, consensus: Words) -> Matrix:
    """Return W cut down to consensus; what has no consensus is dropped, an explicit zero stays."""
    agreed = (consensus > 0) | (weights.values == 0)
    return Matrix(np.minimum(weights.values, consensus), weights.has_entry & agreed)


def incentives(clipped: Words, *, active_stake: Words) -> Words:
    """Return I: ranks R_j = sum_i a_i * W_ij of the clipped weights, scaled to sum to one."""
    ranked = fixed.products(clipped, active_stake[:, np.newaxis])
    return fixed.normalised(ranked.sum(axis=0, dtype=np.uint64))


def _bond_terms(
    inputs: EpochInputs,
    stored: Matrix,
    *,
    weights: Matrix,
    active_stake: Words,
    consensus: Words,
    incentive: Words,
) -> bonds.BondTerms:
    params, step = inputs.params, inputs.last_step_block
    old = bonds.bonds_in_force(
        stored,
        registered_block=np.array(inputs.registered_block, dtype=np.int64),
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
    incentive: Words, dividends: Words, *, active_stake: Words, stake: Words
) -> tuple[Words, Words, Words]:
    """Return (server, validator, combined) shares of the emission: I and D over the sum of both.

    Without any consensus validators share by active stake, and by all stake when none is active.
    """
    combined = incentive + dividends
    whole = combined.sum(dtype=np.uint64)
    if whole == 0:
        by_stake = active_stake if active_stake.any() else stake
        return np.zeros_like(by_stake), by_stake, by_stake
    return (
        fixed.quotients(incentive, whole),
        fixed.quotients(dividends, whole),
        fixed.quotients(combined, whole),
    )


def bonds_to_store(matrix: Words, *, rows: Sequence[int], permits: Sequence[bool]) -> Pairs:
    """Return the bonds to keep as u16: those of new permit holders, without zeros."""
    values = matrix * np.uint64(fixed.U16_MAX)
    values >>= np.uint64(32)
    has_entry = values > 0
    kept = [row for row, i in enumerate(rows) if permits[i] and has_entry[row].any()]
    return Pairs(
        uids=tuple(rows[row] for row in kept), matrix=Matrix(values[kept], has_entry[kept])
    )


def _by_uid(values: Words, *, rows: Sequence[int], n: int) -> Words:
    """Lay the values of rows out by uid; who has no row has zero."""
    result = np.zeros(n, dtype=np.uint64)
    result[rows] = values
    return result


def _assert_inputs_fit(inputs: EpochInputs) -> None:
    n = inputs.n
    lists = (inputs.permits, inputs.last_update, inputs.registered_block)
    assert all(len(values) == n for values in lists), "one entry per uid"
    assert all(stake_rao >= 0 for stake_rao in inputs.stakes_rao), "stake is not negative"
    assert inputs.owner_uid is None or 0 <= inputs.owner_uid < n, "the owner is a neuron"

"""A second Yuma, slow and plain: Python ints in dicts, no numpy, one pair at a time.

It shares no arithmetic with `subnets.consensus`; where both agree to the bit, neither has wrapped around,
lost an entry or mixed up a row. Letters: S stake, a active stake, W weights, C consensus, B bonds.
Source: opentensor/subtensor 14bc6f9f9, epoch/run_epoch.rs and math.rs; substrate-fixed, transcendental.rs.
"""

from decimal import Decimal

ONE = 1 << 32
HALF = ONE // 2


def mul(left, right):
    """Multiply, rounding down."""
    return left * right >> 32


def div(numerator, denominator):
    """Divide, rounding toward zero; dividing by zero gives zero."""
    if denominator == 0:
        return 0
    quotient = (abs(numerator) << 32) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def from_u16(value):
    return (value << 32) // 65_535


def to_u16(value):
    return max(0, min(65_535, value * 65_535 >> 32))


def exp(value):
    """Return e**value as substrate-fixed sums it, for an argument that subtensor's exp_safe has clamped."""
    value = max(-20 * ONE, min(20 * ONE, value))
    if value == 0:
        return ONE
    if value == ONE:
        return int(Decimal(1).exp() * 2**23) << 9
    size = abs(value)
    result, term = size + ONE, size
    for index in range(2, 32):
        term = mul(term, size)
        assert term < 1 << 63, "I32F32 overflows"
        term //= index
        result += term
        assert result < 1 << 63, "I32F32 overflows"
    return div(ONE, result) if value < 0 else result


def normalised(values):
    whole = sum(values)
    return [div(value, whole) for value in values]


def divided_by_columns(matrix, measure):
    """Divide each column by the sum or the max of it."""
    by_column = {}
    for row in matrix:
        for j, value in row.items():
            by_column.setdefault(j, []).append(value)
    measured = {j: measure(values) for j, values in by_column.items()}
    return [{j: div(value, measured[j]) for j, value in row.items()} for row in matrix]


def median(votes, scores, *, majority):
    """Return the chain's pivot search for the stake-weighted median, written as it is there."""

    def search(indices, low, high):
        pivot = scores[indices[len(indices) // 2]]
        lower = [i for i in indices if scores[i] < pivot]
        upper = [i for i in indices if scores[i] > pivot]
        below = low + sum(votes[i] for i in lower)
        above = high - sum(votes[i] for i in upper)
        if len(indices) == 1 or below <= minority < above:
            return pivot
        if minority < below and lower:
            return search(lower, low, below)
        if above <= minority and upper:
            return search(upper, above, high)
        return pivot

    minority = sum(votes) - majority
    return search(range(len(votes)), 0, sum(votes)) if votes else 0


def pair_alpha(weight, bond, *, consensus, low, high, steepness):
    """Return the speed of one bond under liquid alpha."""
    distance = weight - consensus if weight >= bond else bond - weight
    distance = max(0, min(ONE, distance))
    exponent = mul(div(steepness, -100), distance - HALF)
    alpha = low + mul(div(ONE, ONE + exp(exponent)), high - low)
    return max(low, min(high, alpha))


def blended_bond(weight, bond, *, alpha):
    return min(ONE, mul(ONE - alpha, bond) + max(0, mul(alpha, weight)))


def moved(new, old, *, alpha):
    result = []
    for new_row, old_row in zip(new, old, strict=True):
        row = {j: mul(alpha, value) for j, value in new_row.items()}
        for j, value in old_row.items():
            row[j] = row.get(j, 0) + mul(ONE - alpha, value)
        result.append(row)
    return result


def moved_liquidly(new, old, *, consensus, params):
    result = []
    for new_row, old_row in zip(new, old, strict=True):
        row = {}
        for j, weight in new_row.items():
            bond = old_row.get(j, 0)
            alpha = pair_alpha(
                weight,
                bond,
                consensus=consensus[j],
                low=from_u16(params.alpha_low),
                high=from_u16(params.alpha_high),
                steepness=params.alpha_sigmoid_steepness,
            )
            row[j] = blended_bond(weight, bond, alpha=alpha)
        result.append(row)
    return result


def weights_in_force(inputs, permits):
    matrix = [{} for _ in range(inputs.n)]
    for i, row in inputs.weights.items():
        for j, weight in row.items():
            is_fresh = inputs.last_update[i] > inputs.registered_block[j]
            if permits[i] and is_fresh and (i != j or i == inputs.owner_uid):
                matrix[i][j] = weight
    sums = [sum(row.values()) for row in matrix]
    return [
        {j: div(weight, whole) for j, weight in row.items()}
        for row, whole in zip(matrix, sums, strict=True)
    ]


def for_bonds(weights, clipped, penalty_u16):
    if penalty_u16 in (0, 65_535):
        return clipped if penalty_u16 else weights
    penalty = from_u16(penalty_u16)
    blended = [
        {j: weight + mul(penalty, cut.get(j, 0) - weight) for j, weight in row.items()}
        for row, cut in zip(weights, clipped, strict=True)
    ]
    return [{j: value for j, value in row.items() if value > 0} for row in blended]


def claims(matrix, incentive):
    return [sum(mul(value, incentive[j]) for j, value in row.items()) for row in matrix]


def new_bonds(inputs, weights, *, a, consensus, incentive):
    """Return dividends and bonds to store."""
    params, step = inputs.params, inputs.last_step_block
    last_tempo = step + 1 if step else max(0, inputs.block - inputs.tempo)
    old = [
        {
            j: value
            for j, value in inputs.bonds.get(i, {}).items()
            if inputs.registered_block[j] < last_tempo
        }
        for i in range(inputs.n)
    ]
    alpha = ONE - params.bonds_moving_average * ONE // 1_000_000
    if not params.yuma3:
        delta = [
            {j: mul(weight, stake) for j, weight in row.items()}
            for row, stake in zip(weights, a, strict=True)
        ]
        delta, old = divided_by_columns(delta, sum), divided_by_columns(old, sum)
        averaged = divided_by_columns(moved(delta, old, alpha=alpha), sum)
        return normalised(claims(averaged, incentive)), divided_by_columns(averaged, max)
    old = [{j: from_u16(value) for j, value in row.items()} for row in old]
    if params.liquid_alpha and any(consensus):
        averaged = moved_liquidly(weights, old, consensus=consensus, params=params)
    else:
        averaged = moved(weights, old, alpha=alpha)
    claimed = claims(divided_by_columns(averaged, sum), incentive)
    dividends = [mul(claim, stake) for claim, stake in zip(claimed, a, strict=True)]
    return normalised(dividends), averaged


def shares_of_stake(inputs):
    """Return who is active, S, the permits in force, a, and next epoch's permits."""
    params, owner, n = inputs.params, inputs.owner_uid, inputs.n
    active = [u + params.activity_cutoff_blocks >= inputs.block for u in inputs.last_update]
    stake = normalised(
        [
            s if s >= params.stake_threshold_rao or i == owner else 0
            for i, s in enumerate(inputs.stakes_rao)
        ]
    )
    permits = [permit or i == owner for i, permit in enumerate(inputs.permits)]
    a = normalised([s * (p and f) for s, p, f in zip(stake, permits, active, strict=True)])
    ranked = sorted(range(n), key=lambda i: (stake[i], i))[max(0, n - params.max_validators) :]
    return (
        active,
        stake,
        permits,
        a,
        [(i in ranked and stake[i] > 0) or i == owner for i in range(n)],
    )


def run(inputs):
    """Return what `subnets.consensus.run_yuma` must say, field by field."""
    active, stake, permits, a, new_permits = shares_of_stake(inputs)
    weights = weights_in_force(inputs, permits)
    votes = normalised([share for share in a if share])
    voting = [row for row, share in zip(weights, a, strict=True) if share]
    majority = from_u16(inputs.params.kappa)
    consensus = [
        median(votes, [row.get(j, 0) for row in voting], majority=majority) for j in range(inputs.n)
    ]
    clipped = [
        {j: min(w, consensus[j]) for j, w in row.items() if w == 0 or consensus[j] > 0}
        for row in weights
    ]
    ranks = [0] * inputs.n
    for row, share in zip(clipped, a, strict=True):
        for j, weight in row.items():
            ranks[j] += mul(weight, share)
    incentive = normalised(ranks)
    dividends, bonds = new_bonds(
        inputs,
        for_bonds(weights, clipped, inputs.params.bonds_penalty),
        a=a,
        consensus=consensus,
        incentive=incentive,
    )
    combined = [i + d for i, d in zip(incentive, dividends, strict=True)]
    server, validator = incentive, dividends
    if not any(combined):
        combined = validator = a if any(a) else stake
    whole = sum(combined) if any(incentive + dividends) else ONE
    rows = {
        i: {j: u16 for j, value in row.items() if (u16 := to_u16(value))}
        for i, row in enumerate(bonds)
        if new_permits[i]
    }
    return {
        "active": active,
        "new_permits": new_permits,
        "stake_q32": stake,
        "consensus_q32": consensus,
        "incentive_q32": incentive,
        "dividends_q32": dividends,
        "validator_trust_q32": [sum(row.values()) for row in clipped],
        "bonds": {i: row for i, row in rows.items() if row},
        "server_share": [div(value, whole) for value in server],
        "validator_share": [div(value, whole) for value in validator],
        "combined_share": [div(value, whole) for value in combined],
    }

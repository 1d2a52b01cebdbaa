"""An explanation in plain words, one sentence a step. Pure."""

from collections.abc import Iterator

from ledger import spoken
from subnets.explain import Counted, Explanation, Judgement, View

KEY_SHOWN = 8  # digits of a hotkey that tell it from its neighbours


def sentences(told: Explanation) -> list[str]:
    """Say why a uid was paid what it was, first the sum, then how it came about."""
    paid = f"{spoken.tao(told.paid_rao)} TAO"
    return [
        f"Epoch {told.number} of subnet {told.netuid} paid uid {told.uid} ({told.hotkey}) {paid}.",
        f"It was paid by rule version {told.rule_version}, “{told.rule_title}”.",
        *([f"A newer version could not be applied: {told.rule_fault}"] if told.rule_fault else []),
        *as_miner(told),
        *as_validator(told),
    ]


def as_miner(told: Explanation) -> Iterator[str]:
    """Say how a miner's pay came about; nothing of a neuron that nobody looked at."""
    if not told.views:
        yield "As a miner: no validator scored a result of it, and none carried an earlier score on."
        return
    for view in told.views:
        yield from of_view(view)
    yield (
        f"Consensus granted it {percent(told.consensus_ppm)}; its share of the miners' pay is "
        f"{percent(told.incentive_ppm)}."
    )
    yield from of_pay(told)


def of_view(view: View) -> Iterator[str]:
    """Say what one validator saw and gave."""
    who = f"Validator {view.uid} ({view.hotkey[:KEY_SHOWN]}…)"
    if view.metrics is not None:
        seen = view.metrics
        yield (
            f"{who} checked {seen.sample_count} results: quality {seen.quality:.4g}, "
            f"median latency {seen.latency_ms:.0f} ms."
        )
    for reason in gate_sentences(view):
        yield f"{who}: {reason}"
    if view.raw_score is not None:
        kept = f", {share(view.smoothed_ppm)} after smoothing" if view.smoothed_ppm else ""
        yield f"{who}: the rule's score is {view.raw_score:.6g}{kept}."
    yield f"{who} {given(view.counted, mute=mute(view))}"


def gate_sentences(view: View) -> Iterator[str]:
    """Say which gates failed and what else kept the score from counting; that all passed, if they did."""
    told = {gate.reason for gate in view.gates}
    for gate in view.gates:
        if not gate.is_passed:
            yield f"Gate “{gate.condition}” failed: {gate.reason}"
    for reason in view.reasons:
        if reason not in told:
            yield reason
    if view.gates and all(gate.is_passed for gate in view.gates):
        yield f"All {len(view.gates)} gates passed."


def mute(judge: View | Explanation) -> str:
    """Say why what a validator said did not count; empty when it did."""
    if not judge.has_stake:
        return "it has no stake, or less than counts"
    if not judge.had_permit:
        return "its permit begins with the next epoch"
    return "" if judge.is_active else "it was silent for too long"


def given(counted: Counted, *, mute: str) -> str:
    """Say what became of a weight: "gave 41 %, consensus 38 %: 3 % clipped."."""
    if not counted.weight_u16:
        return "gave no weight."
    if mute:
        return f"gave a weight that did not count: {mute}."
    said = f"gave {percent(counted.weight_ppm)}, consensus {percent(counted.consensus_ppm)}"
    if counted.clipped_ppm:
        return f"{said}: {percent(counted.clipped_ppm)} clipped."
    return f"{said}: nothing clipped."


def of_pay(told: Explanation) -> Iterator[str]:
    """Say what was taken off between what a miner earned and what it was paid."""
    if told.miner_earned_rao != told.miner_rao:
        yield f"That earned {spoken.tao(told.miner_earned_rao)} TAO."
    if told.miner_burned_rao:
        yield f"The rule burns a part: {spoken.tao(told.miner_burned_rao)} TAO."
    if told.miner_withheld_rao:
        yield (
            f"{spoken.tao(told.miner_withheld_rao)} TAO was withheld and burned: the neuron belongs to the "
            "subnet's owner, who is paid by the owner's cut."
        )
    yield f"Paid as a miner: {spoken.tao(told.miner_rao)} TAO."


def as_validator(told: Explanation) -> Iterator[str]:
    """Say how a validator's pay came about; nothing of a neuron that never judged nor holds stake."""
    if not (told.stake_rao or told.judgements or told.validator_rao):
        return
    silence = mute(told)
    heard = f"did not count: {silence}" if silence else "counted"
    yield f"As a validator it stood on {spoken.tao(told.stake_rao)} TAO, and what it said {heard}."
    for judgement in told.judgements:
        yield of_judgement(judgement, mute=silence)
    yield (
        f"Consensus agreed with {percent(told.validator_trust_ppm)} of its weights; its share of the "
        f"validators' pay is {percent(told.dividends_ppm)}."
    )
    for backer in told.backers:
        yield (
            f"Stake of {backer.owner[:KEY_SHOWN]}…, {spoken.tao(backer.stake_rao)} TAO, was paid "
            f"{spoken.tao(backer.paid_rao)} TAO."
        )
    yield f"Paid as a validator: {spoken.tao(told.validator_rao)} TAO."


def of_judgement(judgement: Judgement, *, mute: str) -> str:
    """Say what a validator gave a miner, and how its bond moved."""
    who = f"Miner {judgement.uid} ({judgement.hotkey[:KEY_SHOWN]}…)"
    moved = f"bond {u16(judgement.bond_before_u16)} before, {u16(judgement.bond_u16)} now"
    return f"{who}: it {given(judgement.counted, mute=mute)[:-1]}; {moved}."


def percent(ppm: int) -> str:
    """Write parts per million in percent with two decimals, rounded half up."""
    hundredths = (ppm + 50) // 100
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def share(ppm: int) -> str:
    """Write parts per million as a decimal number."""
    return f"{ppm / 1_000_000:.4g}"


def u16(value: int) -> str:
    """Write a stored proportion in percent."""
    return percent(value * 1_000_000 // 65_535)

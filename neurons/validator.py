"""A validator: fetches results, checks each, signs a score with a reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

import numpy as np

from neurons import protocol
from neurons.amounts import format_tao
from neurons.client import Client, Refused
from neurons.joining import Membership, join
from neurons.running import FATAL_CODES, Say, Stop, run_until_stopped
from neurons.wire import Sample, SignedScore
from neurons.workloads import WORKLOADS, Workload, language

POLL_S = 5.0  # Between two looks when there was nothing to score.
YES_PPM = 500_000
REASON_MAX = 200  # The server stores as much.


@dataclass(frozen=True, slots=True)
class ValidatorPlan:
    """What the operator asked this validator to do. `run_id` names this run in idempotency keys."""

    membership: Membership
    stake_rao: int
    workloads: tuple[str, ...]
    run_id: str = field(default_factory=lambda: uuid4().hex)


class Validator:
    """One hotkey that judges the results of a few subnets."""

    def __init__(
        self,
        *,
        client: Client,
        plan: ValidatorPlan,
        say: Say,
        stop: Stop,
        rng: np.random.Generator,
        workloads: Mapping[str, Workload] = WORKLOADS,
    ) -> None:
        self.client = client
        self.plan = plan
        self.say = say
        self.stop = stop
        self.rng = rng
        self.workloads = workloads
        self._has_joined = False

    def run(self) -> None:
        """Work until stopped. Raises: Refused when only the operator can help."""
        self.say("validator_started", hotkey=self.client.keypair.ss58_address, url=self.client.url)
        run_until_stopped(self.step, say=self.say, sleep=self.stop.sleep)
        self.say("validator_stopped", hotkey=self.client.keypair.ss58_address)

    def step(self) -> None:
        """Join first; then score one batch of each subnet, or wait when there was nothing."""
        if not self._has_joined:
            with self.stop.interruptible():
                self.stake_up()
            self._has_joined = True
        accepted = [self.score_subnet(netuid) for netuid in self.plan.membership.netuids]
        if self.stop.is_requested or not any(accepted):
            self.stop.sleep(POLL_S)

    def stake_up(self) -> None:
        """Join, then add stake on each subnet up to what was asked; never take any away."""
        for standing in join(self.client, self.plan.membership, say=self.say):
            missing_rao = self.plan.stake_rao - standing.stake_rao
            if standing.netuid not in self.plan.membership.netuids or missing_rao <= 0:
                continue
            # The same intent keeps its key through every retry of this run; after stake was taken
            # away a later run has another one, so that it is not taken for a replay.
            key = f"{self.plan.run_id}-{standing.netuid}-{standing.stake_rao}-{self.plan.stake_rao}"
            stake_rao = self.client.add_stake(
                netuid=standing.netuid, amount_rao=missing_rao, key=key
            )
            self.say("staked", netuid=standing.netuid, stake_tao=format_tao(stake_rao))

    def score_subnet(self, netuid: int) -> int:
        """Score the results that wait on one subnet; answer how many scores were taken.

        A subnet that refuses this validator does not keep it from the others.
        """
        try:
            with self.stop.interruptible():
                samples = self.client.samples(netuid=netuid)
        except Refused as refusal:
            if refusal.code in FATAL_CODES:
                raise
            self.say("refused", netuid=netuid, code=refusal.code, detail=refusal.detail)
            return 0
        scores = [score for sample in samples if (score := self.score(sample)) is not None]
        if not scores:
            return 0
        taken = self.client.submit_scores(scores)
        for refused in taken.refused:
            self.say("score_refused", result=refused.result_id, code=refused.code)
        self.say("scored", netuid=netuid, accepted=taken.accepted_count, refused=len(taken.refused))
        return taken.accepted_count

    def score(self, sample: Sample) -> SignedScore | None:
        """Check one result and sign the score. None when this validator cannot judge it."""
        try:
            score_ppm, reason = self.judgement(sample)
        except Exception as error:  # noqa: BLE001 - one bad sample must not end the validator
            self.say("sample_skipped", result=sample.result_id, detail=str(error))
            return None
        if sample.report is not None:
            # Upheld by what a job's result is rejected by: less than half of what is checked is right.
            found = "not_upheld" if score_ppm >= YES_PPM else "upheld"
            said = {"report": sample.report, "reason": reason}
            self.say(f"report_{found}", result=sample.result_id, miner=sample.miner, **said)
        if score_ppm == 0:
            self.say("wrong_result", result=sample.result_id, miner=sample.miner, reason=reason)
        return self.signed(sample, score_ppm, reason[:REASON_MAX])

    def judgement(self, sample: Sample) -> tuple[int, str]:
        """Check one result: score_ppm and reason.

        Raises: ValueError when the sample is not what a miner signed, LookupError for other blueprints.
        """
        if not is_signed(sample):
            raise ValueError("the output is not the one the miner signed")
        if sample.blueprint not in self.plan.workloads:
            raise LookupError(f"this validator does not judge {sample.blueprint}")
        return self.workloads[sample.blueprint].check(
            payload=sample.payload,
            output=sample.output,
            known_answer=sample.known_answer,
            rng=self.rng,
        )

    def signed(self, sample: Sample, score_ppm: int, reason: str) -> SignedScore:
        """Stand for a score with the hotkey's signature."""
        message = protocol.score_message(
            result_id=sample.result_id,
            digest=sample.output_digest,
            score_ppm=score_ppm,
            reason=reason,
        )
        return SignedScore(
            result_id=sample.result_id,
            score_ppm=score_ppm,
            reason=reason,
            signature=self.client.keypair.sign(message),
        )


def is_signed(sample: Sample) -> bool:
    """Say whether what is judged is what the miner signed; of a chat, whether its pieces say just that."""
    if sample.pieces is None:
        return protocol.output_digest(sample.output) == sample.output_digest
    if protocol.answer_digest(sample.pieces) != sample.output_digest:
        return False
    assert isinstance(sample.output, dict), "what a gateway read has the form of an output"
    spoken = language.spoken(sample.pieces)
    return (sample.output["text"], sample.output["finish_reason"]) == spoken

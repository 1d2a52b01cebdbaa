"""What goes over the wire about machines, jobs, results and scores. Input and output are separate; none saves.

Signed fields are taken byte for byte: trimming white space would break the signature over them.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from compute.models import Job, Lease
from compute.queries.scores import SAMPLES_MAX
from ledger.rest import RaoField
from ledger.rest.paging import Page
from subnets.models import SUBNET_LIMIT, Blueprint

GPUS_MAX = 16  # the largest single machines carry as many
CPU_COUNT_MAX = 4_096
MEMORY_BYTES_MAX = 2**50  # a petabyte: far above any machine, far below the column's limit
CONCURRENCY_MAX = 64
ENERGY_MJ_MAX = 2**60  # a rack of 20 kW for 1 800 years
WAIT_S_MAX = 20  # proxies give up on a silent request after 30 s
HOLDING_MAX = 256  # what a miner keeps of results on their way
ORDERS_MAX = 50  # a fifth of what one consumer may have waiting on a subnet
SCORES_MAX = 50  # two pages of samples and room; a page is 20
DURATION_MS_MAX = 86_400_000
SCORE_PPM_MAX = 1_000_000


class Digest(serializers.RegexField):
    """A SHA-256 in hex."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401  DRF's own options
        super().__init__(r"\A[0-9a-f]{64}\Z", max_length=64, trim_whitespace=False, **kwargs)


class Signature(serializers.RegexField):
    """An sr25519 signature, 0x and 128 hex digits."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401  DRF's own options
        pattern = r"\A0x[0-9a-fA-F]{128}\Z"
        super().__init__(pattern, max_length=130, trim_whitespace=False, **kwargs)


class GpuInput(serializers.Serializer):
    name = serializers.CharField(max_length=120)
    memory_bytes = serializers.IntegerField(min_value=0, max_value=MEMORY_BYTES_MAX)
    uuid = serializers.CharField(max_length=64)


class EnergyInput(serializers.Serializer):
    run_id = serializers.RegexField(r"^[0-9a-f]{32}$", help_text="Of the program's run.")
    used_mj = serializers.IntegerField(
        min_value=0, max_value=ENERGY_MJ_MAX, help_text="Millijoules since that run began."
    )


class MachineInput(serializers.Serializer):
    name = serializers.CharField(max_length=40)
    cpu_model = serializers.CharField(max_length=120)
    cpu_count = serializers.IntegerField(min_value=1, max_value=CPU_COUNT_MAX)
    memory_bytes = serializers.IntegerField(min_value=0, max_value=MEMORY_BYTES_MAX)
    gpus = serializers.ListField(child=GpuInput(), max_length=GPUS_MAX)
    blueprints = serializers.ListField(
        child=serializers.ChoiceField(choices=Blueprint.choices),
        min_length=1,
        max_length=len(Blueprint),
    )
    concurrency = serializers.IntegerField(min_value=1, max_value=CONCURRENCY_MAX)
    energy = EnergyInput(
        allow_null=True, default=None, help_text="Null where the machine cannot read its own."
    )


class MachineOutput(serializers.Serializer):
    machine_id = serializers.UUIDField(source="pk")


class LeaseInput(serializers.Serializer):
    wait_s = serializers.IntegerField(min_value=0, max_value=WAIT_S_MAX, default=0)


class LeaseOutput(serializers.Serializer):
    lease_id = serializers.UUIDField(source="pk")
    job_id = serializers.UUIDField()
    netuid = serializers.IntegerField(source="job.netuid")
    blueprint = serializers.CharField(source="job.blueprint")
    payload = serializers.JSONField(source="job.payload")
    deadline_at = serializers.DateTimeField()


class LeasesInput(serializers.Serializer):
    limit = serializers.IntegerField(min_value=1, max_value=CONCURRENCY_MAX)
    holding = serializers.ListField(
        child=serializers.UUIDField(),
        max_length=HOLDING_MAX,
        default=list,
        help_text="Leases that the machine has: whatever else it took comes again, as its answer got lost.",
    )
    wait_s = serializers.IntegerField(min_value=0, max_value=WAIT_S_MAX, default=0)


class LeasesOutput(serializers.Serializer):
    leases = LeaseOutput(many=True)


class ResultInput(serializers.Serializer):
    output = serializers.DictField()
    output_digest = Digest()
    signature = Signature()
    # The miner's own measure, for its operator's eyes; latency is the platform's clock.
    duration_ms = serializers.IntegerField(
        min_value=0, max_value=DURATION_MS_MAX, required=False, write_only=True
    )


class ResultOutput(serializers.Serializer):
    result_id = serializers.UUIDField(source="pk")


class LeasedResultInput(ResultInput):
    lease_id = serializers.UUIDField()


class ResultsInput(serializers.Serializer):
    results = serializers.ListField(
        child=LeasedResultInput(), min_length=1, max_length=CONCURRENCY_MAX
    )

    def validate_results(self, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Refuse two results of one lease."""
        if len({each["lease_id"] for each in results}) < len(results):
            raise serializers.ValidationError("Each lease may have one result in a request.")
        return results


class TakenResultOutput(serializers.Serializer):
    lease_id = serializers.UUIDField()
    result_id = serializers.UUIDField(source="pk")


class RefusedResultOutput(serializers.Serializer):
    lease_id = serializers.UUIDField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ResultsOutput(serializers.Serializer):
    taken = TakenResultOutput(many=True, help_text="Those that were here before, too.")
    refused = RefusedResultOutput(many=True)


class SamplesAsked(serializers.Serializer):
    netuid = serializers.IntegerField(min_value=1, max_value=SUBNET_LIMIT)
    limit = serializers.IntegerField(min_value=1, max_value=SAMPLES_MAX, default=SAMPLES_MAX)


class SampleOutput(serializers.Serializer):
    result_id = serializers.UUIDField()
    job_id = serializers.UUIDField()
    netuid = serializers.IntegerField()
    blueprint = serializers.CharField()
    payload = serializers.JSONField()
    output = serializers.JSONField()
    output_digest = serializers.CharField()
    miner = serializers.CharField()
    latency_ms = serializers.IntegerField()
    known_answer = serializers.JSONField(help_text="Null where nobody knows.")
    pieces = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="What the digest is of, where the miner was asked through its tunnel.",
    )
    report = serializers.CharField(
        allow_null=True, help_text="What a consumer says is wrong with it, where one reported it."
    )


class SamplesOutput(serializers.Serializer):
    samples = SampleOutput(many=True)


class ScoreInput(serializers.Serializer):
    result_id = serializers.UUIDField()
    score_ppm = serializers.IntegerField(min_value=0, max_value=SCORE_PPM_MAX)
    reason = serializers.CharField(max_length=200, allow_blank=True, trim_whitespace=False)
    signature = Signature()


class ScoresInput(serializers.Serializer):
    scores = serializers.ListField(child=ScoreInput(), min_length=1, max_length=SCORES_MAX)


class RefusalOutput(serializers.Serializer):
    result_id = serializers.UUIDField()
    code = serializers.CharField()


class ScoresOutput(serializers.Serializer):
    accepted_count = serializers.IntegerField()
    refused = RefusalOutput(many=True)


class JobInput(serializers.Serializer):
    netuid = serializers.IntegerField(min_value=1, max_value=SUBNET_LIMIT)
    payload = serializers.DictField()
    max_price_rao = RaoField()


class JobOutput(serializers.ModelSerializer):
    price_rao = RaoField()

    class Meta:
        model = Job
        fields = [
            "id",
            "netuid",
            "blueprint",
            "state",
            "price_rao",
            "attempts_count",
            "failure",
            "created_at",
            "ended_at",
        ]


class OrdersInput(serializers.Serializer):
    jobs = serializers.ListField(child=JobInput(), min_length=1, max_length=ORDERS_MAX)


class OrderedOutput(serializers.Serializer):
    jobs = JobOutput(many=True, help_text="In the order in which they were asked for.")


class JobsOutput(Page):
    results = JobOutput(many=True)


class AttemptOutput(serializers.ModelSerializer):
    """One offer of the job to a machine."""

    miner = serializers.CharField(source="hotkey")
    state = serializers.CharField(help_text="offered, taken, returned, expired or withdrawn.")
    fault = serializers.CharField(
        help_text="Whose doing it was that it came to nothing: miner, validator, platform or consumer; empty where it did not."
    )

    class Meta:
        model = Lease
        fields = ["miner", "state", "fault", "offered_at", "taken_at", "deadline_at", "ended_at"]


class JobWithOutput(JobOutput):
    """A job with its attempts and, once it is verified, its output; null before."""

    output = serializers.SerializerMethodField()
    attempts = serializers.SerializerMethodField()

    class Meta(JobOutput.Meta):
        fields = [*JobOutput.Meta.fields, "attempts", "output"]

    @extend_schema_field(AttemptOutput(many=True))
    def get_attempts(self, job: Job) -> list[dict[str, Any]]:
        """Return what the view found."""
        return list(AttemptOutput(self.context["attempts"], many=True).data)

    def get_output(self, job: Job) -> dict[str, Any] | None:
        """Return what the view found."""
        result = self.context["result"]
        return None if result is None else result.output


class StandingOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    uid = serializers.IntegerField()
    rank = serializers.IntegerField()
    stake_rao = RaoField()
    incentive_u16 = serializers.IntegerField()
    dividends_u16 = serializers.IntegerField()
    last_payout_rao = RaoField()


class PayoutOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    epoch = serializers.IntegerField()
    uid = serializers.IntegerField()
    payout_rao = RaoField()
    closed_at = serializers.DateTimeField()


class ScoreOutput(serializers.Serializer):
    result_id = serializers.UUIDField()
    netuid = serializers.IntegerField()
    score_ppm = serializers.IntegerField()
    reason = serializers.CharField()
    scored_at = serializers.DateTimeField()


class StandingsOutput(serializers.Serializer):
    hotkey = serializers.CharField()
    owner = serializers.UUIDField()
    neurons = StandingOutput(many=True)
    payouts = PayoutOutput(many=True)
    scores = ScoreOutput(many=True)


class CommitmentOutput(serializers.Serializer):
    validator = serializers.CharField()
    count = serializers.IntegerField(help_text="Scores since the running epoch began.")
    total_count = serializers.IntegerField(help_text="Scores of the validator's chain ever.")
    digest = serializers.CharField(help_text="The chain's head after the last of them.")
    committed_at = serializers.DateTimeField()


class CommitmentsOutput(serializers.Serializer):
    netuid = serializers.IntegerField()
    since = serializers.DateTimeField(help_text="Where the last closed epoch ended.")
    results = CommitmentOutput(many=True)

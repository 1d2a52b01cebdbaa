"""Work over REST: parse, authorise, one operation or query, present."""

from typing import cast
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from compute import operations, queries
from compute.api import serializers as wire
from compute.api.waiting import Awaited, awaited_leases
from compute.errors import (
    DigestMismatch,
    JobNotCancellable,
    JobUnknown,
    LeaseExpired,
    LeaseNotYours,
    LeaseUnknown,
    LeaseWithdrawn,
    MachineUnknown,
    NotAValidator,
    OrderRefused,
    OutputInvalid,
    OwnQueueFull,
    PayloadInvalid,
    PriceAboveLimit,
    QueueFull,
    ResultDiffers,
    ResultSignatureInvalid,
    TooManyMachines,
)
from compute.operations.jobs import Order
from compute.operations.machines import EnergyRead
from compute.operations.results import ResultInput
from compute.operations.scores import ScoreInput
from ledger.errors import InsufficientFunds
from ledger.rest import IDEMPOTENCY_KEY, idempotency_key, paging
from ledger.rest.limits import PublicThrottle
from ledger.rest.once import once
from ledger.rest.scopes import Refusals, Scopes
from ledger.scopes import Scope
from subnets import queries as subnets
from subnets.api.authentication import HotkeyAuthentication, IsLinkedHotkey, SignedCaller
from subnets.errors import SubnetUnknown, TextRefused


def signed_caller(request: Request) -> SignedCaller:
    """Return the hotkey behind a signed request."""
    return cast(SignedCaller, request.user)


class SignedView(APIView):
    """A linked hotkey signs."""

    authentication_classes = (HotkeyAuthentication,)
    permission_classes = (IsLinkedHotkey,)


def nothing_yet(found: Awaited) -> Response:
    """Answer that there is no work, and when to ask again where there was no place to wait."""
    later = {"Retry-After": str(found.ask_again_s)} if found.ask_again_s else None
    return Response(status=204, headers=later)


class MachinesView(SignedView):
    refusals: Refusals = {
        "POST": (
            TooManyMachines,
            TextRefused,
        )
    }

    @extend_schema(request=wire.MachineInput, responses=wire.MachineOutput)
    def post(self, request: Request) -> Response:
        """Report a machine, or say again that it lives: a machine not heard of for 60 s gets no jobs."""
        given = wire.MachineInput(data=request.data)
        given.is_valid(raise_exception=True)
        caller = signed_caller(request)
        energy = given.validated_data.pop("energy")
        machine = operations.report_machine(
            hotkey=caller.hotkey,
            owner=caller.linked_owner,
            now=timezone.now(),
            energy=EnergyRead(**energy) if energy else None,
            **given.validated_data,
        )
        return Response(wire.MachineOutput(machine).data)


class LeaseView(SignedView):
    refusals: Refusals = {"POST": (MachineUnknown,)}

    @extend_schema(request=wire.LeaseInput, responses={200: wire.LeaseOutput, 204: None})
    def post(self, request: Request, machine_id: UUID) -> Response:
        """Fetch the machine's next job, waiting up to `wait_s` for one; 204 when none came.

        With `Retry-After`, too many machines wait: this one did not, and is to ask again after so many seconds.
        """
        given = wire.LeaseInput(data=request.data)
        given.is_valid(raise_exception=True)
        hotkey = signed_caller(request).hotkey
        operations.see_machine(machine_id=machine_id, hotkey=hotkey, now=timezone.now())
        found = awaited_leases(
            machine_id, hotkey=hotkey, limit=1, holding=None, wait_s=given.validated_data["wait_s"]
        )
        if found.leases:
            return Response(wire.LeaseOutput(found.leases[0]).data)
        return nothing_yet(found)


class LeasesView(SignedView):
    refusals: Refusals = {"POST": (MachineUnknown,)}

    @extend_schema(request=wire.LeasesInput, responses={200: wire.LeasesOutput, 204: None})
    def post(self, request: Request, machine_id: UUID) -> Response:
        """Fetch up to `limit` jobs of the machine at once, waiting up to `wait_s` for the first; 204 as for one."""
        given = wire.LeasesInput(data=request.data)
        given.is_valid(raise_exception=True)
        hotkey = signed_caller(request).hotkey
        operations.see_machine(machine_id=machine_id, hotkey=hotkey, now=timezone.now())
        found = awaited_leases(machine_id, hotkey=hotkey, **given.validated_data)
        if found.leases:
            return Response(wire.LeasesOutput({"leases": found.leases}).data)
        return nothing_yet(found)


class ResultView(SignedView):
    refusals: Refusals = {
        "POST": (
            LeaseUnknown,
            LeaseNotYours,
            LeaseExpired,
            LeaseWithdrawn,
            OutputInvalid,
            DigestMismatch,
            ResultSignatureInvalid,
            ResultDiffers,
        )
    }

    @extend_schema(
        request=wire.ResultInput, responses={200: wire.ResultOutput, 201: wire.ResultOutput}
    )
    def post(self, request: Request, lease_id: UUID) -> Response:
        """Return the signed output of a lease; 200 when the same one was returned before."""
        given = wire.ResultInput(data=request.data)
        given.is_valid(raise_exception=True)
        result, replayed = operations.submit_result(
            lease_id=lease_id,
            hotkey=signed_caller(request).hotkey,
            output=given.validated_data["output"],
            output_digest=given.validated_data["output_digest"],
            signature=given.validated_data["signature"],
            now=timezone.now(),
        )
        return Response(wire.ResultOutput(result).data, status=200 if replayed else 201)


class ResultsView(SignedView):
    @extend_schema(request=wire.ResultsInput, responses=wire.ResultsOutput)
    def post(self, request: Request) -> Response:
        """Return the signed outputs of many leases; those that are refused come back with a code, the others stand."""
        given = wire.ResultsInput(data=request.data)
        given.is_valid(raise_exception=True)
        for each in given.validated_data["results"]:
            each.pop("duration_ms", None)
        taken = operations.submit_results(
            hotkey=signed_caller(request).hotkey,
            results=[ResultInput(**each) for each in given.validated_data["results"]],
            now=timezone.now(),
        )
        refused = [
            {"lease_id": lease_id, "code": refusal.code, "detail": str(refusal)}
            for lease_id, refusal in taken.refused.items()
        ]
        answer = {"taken": taken.results.values(), "refused": refused}
        return Response(wire.ResultsOutput(answer).data)


class SamplesView(SignedView):
    refusals: Refusals = {
        "GET": (
            SubnetUnknown,
            NotAValidator,
        )
    }

    @extend_schema(parameters=[wire.SamplesAsked], responses=wire.SamplesOutput)
    def get(self, request: Request) -> Response:
        """List results of a subnet that the signing validator has not scored, none of its own owner's."""
        asked = wire.SamplesAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        caller = signed_caller(request)
        rows = queries.samples(
            validator=caller.hotkey, owner=caller.linked_owner, **asked.validated_data
        )
        return Response(wire.SamplesOutput({"samples": rows}).data)


class ScoresView(SignedView):
    refusals: Refusals = {"POST": (TextRefused,)}

    @extend_schema(request=wire.ScoresInput, responses={201: wire.ScoresOutput})
    def post(self, request: Request) -> Response:
        """Give scores, each signed; those that are refused come back with a code, the others stand."""
        given = wire.ScoresInput(data=request.data)
        given.is_valid(raise_exception=True)
        caller = signed_caller(request)
        taken = operations.submit_scores(
            validator=caller.hotkey,
            owner=caller.linked_owner,
            scores=[ScoreInput(**score) for score in given.validated_data["scores"]],
            now=timezone.now(),
        )
        refused = [{"result_id": result_id, "code": code} for result_id, code in taken.refused]
        answer = {"accepted_count": taken.accepted_count, "refused": refused}
        return Response(wire.ScoresOutput(answer).data, status=201)


class CommitmentsView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (PublicThrottle,)
    refusals: Refusals = {"GET": (SubnetUnknown,)}

    @extend_schema(responses=wire.CommitmentsOutput)
    def get(self, request: Request, netuid: int) -> Response:
        """List what validators are committed to while the running epoch's scores are sealed."""
        subnets.subnet(netuid)
        answer = {
            "netuid": netuid,
            "since": queries.sealed_from([netuid])[netuid],
            "results": queries.open_commitments(netuid),
        }
        return Response(wire.CommitmentsOutput(answer).data)


class JobsView(APIView):
    permission_classes = (IsAuthenticated,)
    scopes: Scopes = {"GET": Scope.READ, "POST": Scope.WORK}
    refusals: Refusals = {
        "POST": (
            SubnetUnknown,
            PayloadInvalid,
            PriceAboveLimit,
            QueueFull,
            OwnQueueFull,
            InsufficientFunds,
        )
    }

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY], request=wire.JobInput, responses={201: wire.JobOutput}
    )
    @once
    def post(self, request: Request) -> Response:
        """Order a job and set its price aside; the same key gives the same job again."""
        given = wire.JobInput(data=request.data)
        given.is_valid(raise_exception=True)
        job = operations.submit_job(
            owner=cast(UUID, request.user.pk),
            key=idempotency_key(request),
            now=timezone.now(),
            **given.validated_data,
        )
        return Response(wire.JobOutput(job).data, status=201)

    @extend_schema(parameters=[paging.PageAsked], responses=wire.JobsOutput)
    def get(self, request: Request) -> Response:
        """List the jobs you ordered, newest first, without their outputs."""
        asked = paging.PageAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        window = paging.window(request, asked.validated_data, by=("-created_at", "id"))
        rows = queries.jobs_of_owner(cast(UUID, request.user.pk), window=window)
        return paging.answer(request, window, rows, wire.JobsOutput)


class OrdersView(APIView):
    permission_classes = (IsAuthenticated,)
    scopes: Scopes = {"POST": Scope.WORK}
    refusals: Refusals = {
        "POST": (OrderRefused, *JobsView.refusals["POST"]),
    }

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY], request=wire.OrdersInput, responses={201: wire.OrderedOutput}
    )
    @once
    def post(self, request: Request) -> Response:
        """Order up to 50 jobs at once, all or none; the same key gives the same jobs again."""
        given = wire.OrdersInput(data=request.data)
        given.is_valid(raise_exception=True)
        jobs = operations.submit_jobs(
            owner=cast(UUID, request.user.pk),
            orders=[Order(**each) for each in given.validated_data["jobs"]],
            key=idempotency_key(request),
            now=timezone.now(),
        )
        return Response(wire.OrderedOutput({"jobs": jobs}).data, status=201)


class JobView(APIView):
    permission_classes = (IsAuthenticated,)
    scopes: Scopes = {"GET": Scope.READ}
    refusals: Refusals = {"GET": (JobUnknown,)}

    @extend_schema(responses=wire.JobWithOutput)
    def get(self, request: Request, job_id: UUID) -> Response:
        """Show one of your jobs, with its output once that is verified."""
        job = queries.job_of(job_id, cast(UUID, request.user.pk))
        context = {"result": queries.result_of(job), "attempts": queries.attempts_of(job)}
        return Response(wire.JobWithOutput(job, context=context).data)


class CancelJobView(APIView):
    permission_classes = (IsAuthenticated,)
    scopes: Scopes = {"POST": Scope.WORK}
    refusals: Refusals = {"POST": (JobUnknown, JobNotCancellable)}

    @extend_schema(request=None, responses=wire.JobOutput)
    def post(self, request: Request, job_id: UUID) -> Response:
        """Cancel a job that waits or is worked on; its price is yours again at once. Again, and nothing changes."""
        job = operations.cancel_job(
            job_id=job_id, owner=cast(UUID, request.user.pk), now=timezone.now()
        )
        return Response(wire.JobOutput(job).data)


class StandingsView(SignedView):
    @extend_schema(responses=wire.StandingsOutput)
    def get(self, request: Request) -> Response:
        """Say how the signing hotkey stands, what it was paid, and how its results were scored."""
        caller = signed_caller(request)
        answer = {
            "hotkey": caller.hotkey,
            "owner": caller.linked_owner,
            "neurons": subnets.standings_of_hotkey(caller.hotkey),
            "payouts": subnets.payouts_of_hotkey(caller.hotkey),
            "scores": queries.scores_of_miner(caller.hotkey),
        }
        return Response(wire.StandingsOutput(answer).data)

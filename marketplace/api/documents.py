"""Documents, disputes and reputations over REST."""

from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.rest.etags import TaggedView
from ledger.rest.scopes import Refusals, Scopes
from ledger.rest.shapes import given
from ledger.scopes import Scope
from marketplace import errors, filetypes, operations, queries
from marketplace.api.limits import ReadThrottle
from marketplace.api.views import OpenView, PersonView, PublicView, person
from marketplace.models import Dispute
from marketplace.operations.documents import NAME_MAX, SIZE_BYTES_MAX
from marketplace.operations.trust import TEXT_MAX
from subnets import queries as subnets
from subnets.errors import NotTheOwner, SubnetUnknown, TextRefused


class DocumentInput(serializers.Serializer):
    name = serializers.CharField(max_length=NAME_MAX)
    file = serializers.FileField(help_text=f"At most {SIZE_BYTES_MAX} bytes.")


class DocumentOutput(serializers.Serializer):
    id = serializers.UUIDField()
    netuid = serializers.IntegerField()
    name = serializers.CharField()
    content_type = serializers.CharField()
    size_bytes = serializers.IntegerField()
    digest = serializers.CharField(help_text="SHA-256 of the bytes.")
    uploaded_at = serializers.DateTimeField()


class DocumentsOutput(serializers.Serializer):
    results = DocumentOutput(many=True)


class DisputeInput(serializers.Serializer):
    text = serializers.CharField(max_length=TEXT_MAX)


class DisputeOutput(serializers.Serializer):
    sale_id = serializers.UUIDField()
    state = serializers.ChoiceField(Dispute.State.choices)
    text = serializers.CharField()
    answer = serializers.CharField()
    opened_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)


class ReputationOutput(serializers.Serializer):
    joined_at = serializers.DateTimeField(allow_null=True)
    sold_count = serializers.IntegerField()
    bought_count = serializers.IntegerField()
    disputed_count = serializers.IntegerField(help_text="Sales of theirs whose buyer was right.")
    open_dispute_count = serializers.IntegerField()


class DocumentsView(OpenView):
    parser_classes = (MultiPartParser,)
    scopes: Scopes = {"GET": None, "POST": Scope.SELL}
    refusals: Refusals = {
        "GET": (SubnetUnknown,),
        "POST": (
            SubnetUnknown,
            NotTheOwner,
            errors.DocumentRefused,
            errors.TooManyDocuments,
            TextRefused,
        ),
    }

    @extend_schema(operation_id="documents_list", responses=DocumentsOutput)
    def get(self, request: Request, netuid: int) -> Response:
        """List the documents that a subnet's owner shows. The house has not checked them."""
        subnets.subnet(netuid)
        return Response(DocumentsOutput({"results": queries.documents_of(netuid)}).data)

    @extend_schema(request={"multipart/form-data": DocumentInput}, responses={201: DocumentOutput})
    def post(self, request: Request, netuid: int) -> Response:
        """Show a document of a subnet of yours. The same bytes again are the same document."""
        sent = given(DocumentInput, request.data)
        # One byte more than is taken says that it is too large, however large it is.
        document = operations.add_document(
            netuid=netuid,
            owner=person(request).id,
            name=sent["name"],
            content=sent["file"].read(SIZE_BYTES_MAX + 1),
            now=timezone.now(),
        )
        return Response(DocumentOutput(document).data, status=201)


class DocumentView(PersonView):
    refusals: Refusals = {"GET": (errors.DocumentUnknown,)}

    @extend_schema(responses={(200, kind): OpenApiTypes.BINARY for kind in filetypes.ENDINGS})
    def get(self, request: Request, document_id: UUID) -> HttpResponse:
        """Return a document's bytes. The owner sees who read it."""
        read = operations.read_document(
            document_id=document_id, reader=person(request).id, now=timezone.now()
        )
        headers = filetypes.headers(read.name, read.content_type)
        return HttpResponse(bytes(read.content), content_type=read.content_type, headers=headers)


class WithdrawDocumentView(PersonView):
    scopes: Scopes = {"POST": Scope.SELL}
    refusals: Refusals = {"POST": (errors.DocumentUnknown,)}

    @extend_schema(request=None, responses=DocumentOutput)
    def post(self, request: Request, document_id: UUID) -> Response:
        """Show a document of yours no longer."""
        gone = operations.withdraw_document(
            document_id=document_id, owner=person(request).id, now=timezone.now()
        )
        return Response(DocumentOutput(gone).data)


class DisputeView(PersonView):
    scopes: Scopes = {"POST": Scope.BID}
    refusals: Refusals = {
        "POST": (
            errors.SaleUnknown,
            errors.DisputeTooLate,
            TextRefused,
        )
    }

    @extend_schema(request=DisputeInput, responses={201: DisputeOutput})
    def post(self, request: Request, sale_id: UUID) -> Response:
        """Say that a purchase of yours is not what was stated. A sale has one dispute, and keeps its first words."""
        opened = operations.open_dispute(
            sale_id=sale_id,
            buyer=person(request).id,
            now=timezone.now(),
            **given(DisputeInput, request.data),
        )
        return Response(DisputeOutput(opened).data, status=201)


class ReputationView(TaggedView, PublicView):
    throttle_classes = (ReadThrottle,)

    @extend_schema(responses=ReputationOutput)
    def get(self, request: Request, owner: UUID) -> Response:
        """Return what an account has done here: counted from sales and decided disputes, rated by nobody."""
        del request
        return Response(ReputationOutput(queries.reputation(owner)).data)

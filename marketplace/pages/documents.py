"""Documents of a subnet: shown by its owner, read by people with an account, and what buyers report of a purchase."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from ledger.errors import DomainError
from marketplace import filetypes
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.operations.documents import DOCUMENTS_MAX, NAME_MAX, SIZE_BYTES_MAX
from marketplace.operations.trust import DISPUTE_WITHIN, TEXT_MAX
from marketplace.pages.reader import reader
from marketplace.pages.refusals import answered, words
from subnets import queries as subnets


class DocumentForm(forms.Form):
    name = forms.CharField(label="Title", max_length=NAME_MAX)
    file = forms.FileField(
        label="File",
        help_text=f"PDF, PNG, JPEG or plain text, up to {SIZE_BYTES_MAX // 1024**2} MB.",
    )

    def clean_file(self) -> bytes:
        """Read the file, unless it says itself that it is too large."""
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > SIZE_BYTES_MAX:
            raise forms.ValidationError(f"The file is larger than {SIZE_BYTES_MAX // 1024**2} MB.")
        return bytes(file.read())


class DisputeForm(forms.Form):
    text = forms.CharField(
        label="What is not as it was stated?",
        max_length=TEXT_MAX,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="Say what was stated and what you found, with epochs where you can. Staff reads it, and the seller.",
    )


@answered
def documents(request: HttpRequest, netuid: int) -> HttpResponse:
    """Show what a subnet's owner shows of it; the owner adds files here and sees who read them."""
    if request.method == "POST":
        return add_document(request, netuid)
    return render(request, "pages/documents.html", documents_page(request, netuid, DocumentForm()))


@login_required
def add_document(request: HttpRequest, netuid: int) -> HttpResponse:
    """Show a file from now on, or say what was refused of it."""
    form = DocumentForm(request.POST, request.FILES)
    if not added(request, netuid, form):
        return render(request, "pages/documents.html", documents_page(request, netuid, form))
    messages.success(request, "Everybody with an account can read the document now.")
    return redirect("documents", netuid=netuid)


def added(request: HttpRequest, netuid: int, form: DocumentForm) -> bool:
    """Show the file; False with the refusal on the form. Raises: SubnetUnknown, NotTheOwner."""
    subnet = subnets.own_subnet(netuid, reader(request).id)
    if not form.is_valid():
        return False
    try:
        marketplace.add_document(
            netuid=netuid,
            owner=subnet.owner,
            name=form.cleaned_data["name"],
            content=form.cleaned_data["file"],
            now=timezone.now(),
        )
    except DomainError as refusal:
        form.add_error("file", words(refusal))
        return False
    return True


def documents_page(request: HttpRequest, netuid: int, form: DocumentForm) -> dict[str, Any]:
    """Return the documents, and for their owner the record of readings."""
    subnet = subnets.subnet(netuid)
    is_owner = request.user.is_authenticated and request.user.id == subnet.owner
    return {
        "subnet": subnet,
        "documents": market.documents_of(netuid),
        "is_owner": is_owner,
        "readings": market.readings_of(netuid, owner=subnet.owner) if is_owner else [],
        "form": form,
        "limit": DOCUMENTS_MAX,
    }


@require_GET
@login_required
@answered
def read_document(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Hand a document out as a file: a browser that showed it would run what a stranger wrote."""
    read = marketplace.read_document(document_id=pk, reader=reader(request).id, now=timezone.now())
    headers = filetypes.headers(read.name, read.content_type)
    return HttpResponse(bytes(read.content), content_type=read.content_type, headers=headers)


@require_POST
@login_required
@answered
def withdraw_document(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a document of the reader's no longer."""
    gone = marketplace.withdraw_document(
        document_id=pk, owner=reader(request).id, now=timezone.now()
    )
    messages.success(request, "The document is withdrawn.")
    return redirect("documents", netuid=gone.netuid)


@login_required
@answered
def dispute(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take what a buyer reports of a purchase, and show what became of it."""
    sale = market.purchase(pk, buyer=reader(request).id)
    form = DisputeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            marketplace.open_dispute(
                sale_id=pk,
                buyer=reader(request).id,
                text=form.cleaned_data["text"],
                now=timezone.now(),
            )
        except DomainError as refusal:
            form.add_error("text", words(refusal))
        else:
            messages.success(request, "Reported. Staff looks into it and answers here.")
            return redirect("dispute", pk=pk)
    page = {
        "sale": sale,
        "dispute": market.dispute_of(pk),
        "form": form,
        "ends_at": sale.sold_at + DISPUTE_WITHIN,
    }
    return render(request, "pages/dispute.html", page)

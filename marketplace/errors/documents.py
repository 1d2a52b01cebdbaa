"""What can be refused of documents."""

from ledger.errors import DomainError


class DocumentUnknown(DomainError):
    """No document that can be read here has this id."""

    code = "document_unknown"
    http_status = 404
    message = "There is no document {document_id}."


class DocumentRefused(DomainError):
    """The file is too large, empty, or none of the kinds that are taken."""

    code = "document_refused"
    http_status = 422
    message = "The file was not taken: {reason}."


class TooManyDocuments(DomainError):
    """A data room holds so many documents and no more."""

    code = "too_many_documents"
    message = "A subnet shows at most {limit} documents. Withdraw one first."

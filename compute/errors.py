"""What can be refused in compute. Codes are stable; docs/api.md lists them."""

from ledger.errors import DomainError

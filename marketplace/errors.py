"""What can be refused in marketplace. Codes are stable; docs/api.md lists them."""

from ledger.errors import DomainError

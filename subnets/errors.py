"""What can be refused in subnets. Codes are stable; docs/api.md lists them."""

from ledger.errors import DomainError

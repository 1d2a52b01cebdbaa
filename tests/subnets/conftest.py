"""What the tests of subnets share: those that commit let Django's flush truncate the books."""

from tests.ledger.conftest import _flush_may_truncate  # noqa: F401

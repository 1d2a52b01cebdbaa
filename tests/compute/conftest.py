"""Tests here commit too, and end with a flush that the books let pass."""

from tests.ledger.conftest import _flush_may_truncate  # noqa: F401

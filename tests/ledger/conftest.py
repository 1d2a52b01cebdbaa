"""Tests that commit end with Django's flush, a TRUNCATE, which the books refuse; here they let it pass."""

import pgtrigger
import pytest
from django.db.backends.postgresql.operations import DatabaseOperations


@pytest.fixture(autouse=True, scope="session")
def _flush_may_truncate():
    refusals = ",".join(
        trigger.get_pgid(model)
        for model, trigger in pgtrigger.registered()
        if trigger.operation is pgtrigger.Truncate
    )
    flush = DatabaseOperations.sql_flush

    def sql_flush(self, *args, **kwargs):
        statements = flush(self, *args, **kwargs)
        if not statements:
            return statements
        return [f"SELECT set_config('pgtrigger.ignore', '{{{refusals}}}', true)", *statements]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield

"""What any session may say to pgtrigger."""

from contextlib import contextmanager

from django.db import connection


@contextmanager
def every_trigger_ignored():
    """Ask that every trigger is skipped, until the transaction ends: those that can be put to sleep are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(tgname) FROM pg_trigger WHERE NOT tgisinternal")
        cursor.execute("SELECT set_config('pgtrigger.ignore', %s::text, true)", cursor.fetchone())
    yield

"""Faults made by force: a change that triggers would refuse, undone when the block ends."""

from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def forced(*statements):
    """Run statements with the triggers off, and take everything back at the end."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                cursor.execute(statement)
            cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        yield
        transaction.set_rollback(True)

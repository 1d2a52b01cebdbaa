"""Models and migrations tell the same story."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from tests.project import tree


@pytest.mark.django_db
def test_no_model_changed_without_a_migration():
    said = StringIO()

    try:
        call_command("makemigrations", "--check", "--dry-run", stdout=said, stderr=said)
    except SystemExit:
        pytest.fail(f"run `make migrations`:\n{said.getvalue()}")


@pytest.mark.django_db
@pytest.mark.parametrize("app", tree.SERVER_APPS)
def test_the_migrations_of_an_app_end_in_one(app):
    leaves = [node for node in MigrationLoader(connection).graph.leaf_nodes() if node[0] == app]

    assert len(leaves) == 1

"""manage.py grant_application_role NAME: let a role run the programs, and keep it from changing a fact."""

from collections.abc import Iterator

import pgtrigger
from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, models, transaction
from psycopg import sql

TO_ALL = """
GRANT USAGE ON SCHEMA public TO {role};
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role};
"""
# Whose money it is never changes; a lock asks for the right to update one column at least.
TO_ACCOUNTS = """
REVOKE UPDATE ON ledger_account FROM {role};
GRANT UPDATE (credits_posted, debits_posted, debits_held, is_closed) ON ledger_account TO {role};
"""


class Command(BaseCommand):
    """Grant a role what programs do, and no more; the owner of the tables keeps migrating."""

    help = "Let a role run the programs without the right to change or remove facts. Run it after each migrate."

    def add_arguments(self, parser: CommandParser) -> None:
        """Ask for the role."""
        parser.add_argument("role", help="a role that exists and owns none of the tables")

    def handle(self, *_args: object, **options: str) -> None:
        """Grant all, then take back what the triggers of a table refuse anyway."""
        role = sql.Identifier(options["role"])
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.SQL(TO_ALL + TO_ACCOUNTS).format(role=role))
            for table, right in _refused():
                revoke = sql.SQL("REVOKE {right} ON {table} FROM {role}").format(
                    right=sql.SQL(right), table=sql.Identifier(table), role=role
                )
                cursor.execute(revoke)
        self.stdout.write(f"{options['role']} may run the programs and change no fact.")


def _refused() -> Iterator[tuple[str, str]]:
    """Yield every table with a right that its own triggers refuse to everybody."""
    for model in apps.get_models():
        options = model._meta  # noqa: SLF001  Django documents it
        for trigger in getattr(options, "triggers", ()):
            if isinstance(trigger, pgtrigger.Protect) and not _has_condition(trigger, model):
                for right in str(trigger.operation).split(" OR "):
                    yield options.db_table, right


def _has_condition(trigger: pgtrigger.Trigger, model: type[models.Model]) -> bool:
    """Tell whether a trigger lets some rows pass: of its own words, or as its kind makes of them."""
    return trigger.get_condition(model) is not None  # type: ignore[arg-type]  # pgtrigger means the class

"""manage.py reconcile_chain: exit 0 when the books and the chain agree, 1 naming where they differ."""

import sys
from datetime import UTC, datetime

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from marketplace import operations


class Command(BaseCommand):
    """Compare withdrawals with what the chain sent, take up what was missed, and tell what still differs."""

    help = "Compare the books of withdrawals with the chain; exit 1 and name what differs when they do not agree."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --since."""
        parser.add_argument(
            "--since",
            type=lambda word: datetime.fromisoformat(word).replace(tzinfo=UTC),
            help="from this day or instant, UTC; three days ago unless told",
        )

    def handle(self, *_args: object, **options: object) -> None:
        """Print the verdict."""
        since = options["since"]
        assert since is None or isinstance(since, datetime)
        found = operations.reconcile_chain(since=since, now=timezone.now())
        lines = [
            f"{each.kind} {each.request}: chain {each.chain_rao}, books {each.booked_rao} rao"
            for each in found
        ]
        self.stdout.write("\n".join(lines) or "The books and the chain agree.")
        if found:
            sys.exit(1)

"""manage.py check_books: exit 0 when the books balance, 1 naming what differs."""

import json
import sys

from django.core.management.base import BaseCommand, CommandParser

from ledger import invariants


class Command(BaseCommand):
    """Check the invariants of the ledger and of every app above it."""

    help = "Check that the books balance; exit 1 and name what differs when they do not."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --json for machines."""
        parser.add_argument(
            "--json", action="store_true", help='print {"balanced": …, "faults": […]}'
        )

    def handle(self, *_args: object, **options: object) -> None:
        """Print the verdict."""
        faults = invariants.check_all_books()
        if options["json"]:
            self.stdout.write(json.dumps({"balanced": not faults, "faults": faults}))
        else:
            self.stdout.write("\n".join(faults) or "The books balance.")
        if faults:
            sys.exit(1)

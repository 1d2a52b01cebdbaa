"""manage.py reconcile_cards: exit 0 when the books and Stripe agree, 1 naming where they differ."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from marketplace import operations


class Command(BaseCommand):
    """Compare the clearing account with Stripe's balance, mend what was missed, and tell what still differs."""

    help = "Compare the books of cards with Stripe; exit 1 and name what differs when they do not agree."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --since, and --json for machines."""
        parser.add_argument(
            "--since",
            type=lambda word: datetime.fromisoformat(word).replace(tzinfo=UTC),
            help="from this day or instant, UTC; three days ago unless told",
        )
        parser.add_argument(
            "--json", action="store_true", help='print {"agreed": …, "differences": […]}'
        )

    def handle(self, *_args: object, **options: object) -> None:
        """Print the verdict."""
        since = options["since"]
        assert since is None or isinstance(since, datetime)
        found = operations.reconcile_cards(since=since, now=timezone.now())
        if options["json"]:
            said = {"agreed": not found, "differences": [asdict(each) for each in found]}
            self.stdout.write(json.dumps(said))
        else:
            lines = [
                f"{each.kind} {each.subject} ({each.about}): Stripe {each.stripe_cents}, books {each.booked_cents} cents"
                for each in found
            ]
            self.stdout.write("\n".join(lines) or "The books and Stripe agree.")
        if found:
            sys.exit(1)

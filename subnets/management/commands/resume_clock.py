"""Let a network that was switched off go on where it stood."""
# ruff: noqa: ANN401  the signatures are Django's own

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from subnets import operations
from subnets.errors import NetworkNotFounded


class Command(BaseCommand):
    help = (
        "Move the network's genesis so that the open block is the last one in which anything is on record: "
        "the time in which nothing ran pays nobody. For a network that stands while it is switched off, as "
        "the demo does. Never on a running one: it would take blocks back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Resume the clock and say at which block."""
        try:
            block = operations.resume_clock(now=timezone.now())
        except NetworkNotFounded as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(
            json.dumps({"block": block})
            if options["json"]
            else f"The clock goes on at block {block}."
        )

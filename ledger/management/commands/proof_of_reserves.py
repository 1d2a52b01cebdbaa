"""manage.py proof_of_reserves: what users are owed beside what there is; exit 1 when it is not covered."""

import json
import sys
from dataclasses import asdict

from django.core.management.base import BaseCommand, CommandParser

from ledger.receipts import head
from ledger.reserves import Reserves, reserves


class Command(BaseCommand):
    """Print liabilities and assets, and the head of the seals that binds them."""

    help = "Show per asset what users are owed beside what backs it; exit 1 when it is not covered."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --json for machines."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: object) -> None:
        """Print the verdict."""
        found = reserves()
        is_covered = not any(one.faults for one in found)
        if options["json"]:
            told = {"covered": is_covered, "head": head(), "assets": [_json(one) for one in found]}
            self.stdout.write(json.dumps(told))
        else:
            self.stdout.write("\n".join(line for one in found for line in _lines(one)))
        if not is_covered:
            sys.exit(1)


def _json(one: Reserves) -> dict[str, object]:
    sums = {"name": one.name, "owed_sum": one.owed_sum, "own_sum": one.own_sum}
    return {
        name: {what: str(amount) for what, amount in value.items()}
        if isinstance(value, dict)
        else value
        if isinstance(value, (str, list))
        else str(value)
        for name, value in (asdict(one) | sums).items()
    }


def _lines(one: Reserves) -> list[str]:
    unit = "cents" if one.name == "USD" else "rao"
    rows = [
        (f"{one.name}, in {unit}", ""),
        *((f"  owed to users: {name}", str(amount)) for name, amount in one.owed.items()),
        ("  owed to users in all", str(one.owed_sum)),
        ("    of it set aside", str(one.held)),
        ("    of that on its way out", str(one.leaving)),
        *((f"  the house's: {name}", str(amount)) for name, amount in one.own.items()),
        ("  what backs it", str(one.backing)),
    ]
    return [f"{name:<48}{amount:>24}".rstrip() for name, amount in rows] + [
        f"  NOT COVERED: {fault}" for fault in one.faults
    ]

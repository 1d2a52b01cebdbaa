"""manage.py verify_ledger: exit 0 when every row is as it was sealed, 1 naming what is not."""

import json
import sys

from django.core.management.base import BaseCommand, CommandParser

from ledger import invariants, verifying

# A line a hundred seals is one every few seconds.
SEALS_A_LINE = 100


class Command(BaseCommand):
    """Recompute the seals from the rows they were made of, and check the books that nobody sealed yet."""

    help = "Recompute the ledger's seals from its rows; exit 1 and name what was changed, taken away or added."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer --json for machines, and a start."""
        parser.add_argument(
            "--json", action="store_true", help="print what was found as one JSON object"
        )
        parser.add_argument(
            "--since",
            type=int,
            default=1,
            metavar="SEAL",
            help="begin at this seal (default: the first)",
        )

    def handle(self, *_args: object, **options: int) -> None:
        """Print the verdict."""
        faults: list[str] = []
        seal_count = entry_count = 0
        newest = verifying.newest_number()
        for checked in verifying.checked_seals(since=options["since"]):
            faults += checked.faults
            seal_count += 1
            entry_count += checked.entry_count
            if not seal_count % SEALS_A_LINE:
                self.stderr.write(f"seal {checked.number} of {newest}, {len(faults)} faults")
            if len(faults) >= verifying.FAULTS_MAX:
                break
        faults += verifying.stray_rows() + invariants.check_books()
        found = {
            "verified": not faults,
            "seals": seal_count,
            "entries": entry_count,
            "waiting": verifying.waiting_count(),
            "faults": faults,
        }
        self.stdout.write(json.dumps(found) if options["json"] else _told(found))
        if faults:
            sys.exit(1)


def _told(found: dict[str, object]) -> str:
    """Say the verdict in words."""
    if found["faults"]:
        return "\n".join(map(str, found["faults"]))  # type: ignore[call-overload]
    return (
        f"{found['entries']} entries in {found['seals']} seals are as they were sealed; "
        f"{found['waiting']} wait for a seal."
    )

"""Start the network: block 0 opens, the first slot has its price."""
# ruff: noqa: ANN401  the signatures are Django's own

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ledger.errors import NotAnAmount
from ledger.money import format_tao, parse_tao
from subnets import operations

BLOCK_MS_MAX = 600_000  # ten minutes: with slower blocks a tempo of 360 would take days


class Command(BaseCommand):
    help = (
        "Start the network: block 0 opens now and the first slot costs the least lock. "
        "A network that was started before is left as it is, and shown."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--block-ms",
            type=int,
            default=settings.BLOCK_MS,
            help=f"length of a block in milliseconds, 1 to {BLOCK_MS_MAX} (default: %(default)s)",
        )
        parser.add_argument(
            "--min-lock-tao",
            default="1000",
            help="least price of a slot, and the first one's, in TAO (default: %(default)s)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Found the network and say what it is."""
        if not 1 <= options["block_ms"] <= BLOCK_MS_MAX:
            raise CommandError(f"--block-ms must lie between 1 and {BLOCK_MS_MAX}.")
        network = operations.found_network(
            block_ms=options["block_ms"],
            min_lock_rao=read_lock_rao(options["min_lock_tao"]),
            now=timezone.now(),
        )
        if options["json"]:
            facts = {
                "genesis_at": network.genesis_at.isoformat(),
                "block_ms": network.block_ms,
                "min_lock_rao": str(network.min_lock_rao),
            }
            self.stdout.write(json.dumps(facts))
            return
        self.stdout.write(
            f"The network runs since {network.genesis_at:%Y-%m-%d %H:%M:%S} UTC with a block every "
            f"{network.block_ms} ms; a slot costs at least {format_tao(network.min_lock_rao)} TAO."
        )


def read_lock_rao(text: str) -> int:
    """Read the price of a slot. Raises: CommandError."""
    try:
        lock_rao = parse_tao(text)
    except NotAnAmount as refusal:
        raise CommandError(f"--min-lock-tao: {refusal}") from None
    if lock_rao <= 0:
        raise CommandError("--min-lock-tao must be above zero.")
    return lock_rao

"""The demo world's beginning: a network, a treasury, people with test TAO. Everything else goes over HTTP."""

import json
import os
import secrets
from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ledger.money import format_tao, parse_tao
from marketplace import operations
from marketplace.models import User
from subnets import operations as subnets

TREASURY_TAO = "1000000"
MIN_LOCK_TAO = "1000"

# name, TAO granted, what the login is for
PEOPLE = (
    ("you", "25000", "buyer: bid, buy a slot, order jobs"),
    ("ada", "22000", "owner of subnets 1, 2 and 5: rules at /owner/"),
    ("ben", "20000", "seller of subnets 3 and 4"),
    ("cleo", "12000", "bidder"),
    ("dan", "12000", "bidder"),
    ("eve", "1000", "consumer of jobs"),
    ("mia", "50", "miner 1"),
    ("max", "50", "miner 2"),
    ("moe", "50", "miner 3"),
    ("mel", "50", "miner 4"),
    ("val", "30000", "validator 1"),
    ("vic", "30000", "validator 2"),
    ("staff", "", "staff: /admin/"),
)


class Command(BaseCommand):
    requires_system_checks = ()  # they cost a second of every start; migrating has made them
    help = (
        "Found the network (or let its clock go on where it stood), fund the treasury, make the demo's "
        "people and give them test TAO. Doing it again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--state",
            type=Path,
            default=os.environ.get("DEMO_STATE"),
            help="folder that keeps the logins (default: $DEMO_STATE)",
        )

    def handle(self, *args: object, **options: object) -> None:
        """Do it, one line a step."""
        if not options["state"]:
            raise CommandError("Say where the logins are kept: --state FOLDER or $DEMO_STATE.")
        now = timezone.now()
        subnets.found_network(
            block_ms=settings.BLOCK_MS, min_lock_rao=parse_tao(MIN_LOCK_TAO), now=now
        )
        block = subnets.resume_clock(now=now)
        operations.fund_treasury(amount_rao=parse_tao(TREASURY_TAO), key="demo", now=now)
        logins = Path(str(options["state"])) / "logins.json"
        self.stdout.write(f"network at block {block}, one block every {settings.BLOCK_MS} ms")
        if not logins.exists():
            logins.touch(mode=0o600)
            logins.write_text(json.dumps(self.people()))
        self.stdout.write(f"{len(PEOPLE)} people, {format_tao(parse_tao(TREASURY_TAO))} TAO issued")

    def people(self) -> list[dict[str, str]]:
        """Make everyone and grant what they start with; return their logins."""
        password = f"demo-{secrets.token_hex(4)}"
        now = timezone.now()
        for name, tao, _ in PEOPLE:
            email = f"{name}@example.com"
            is_staff = name == "staff"
            user = User.objects.filter(email=email).first() or User.objects.create_user(
                email, is_staff=is_staff, is_superuser=is_staff
            )
            # An interrupted first start left people without their password on file.
            user.set_password(password)
            user.save(update_fields=["password"])
            if tao:
                operations.grant_test_tao(
                    owner=user.pk, amount_rao=parse_tao(tao), key="demo", now=now
                )
        return [
            {"email": f"{name}@example.com", "password": password, "role": role}
            for name, _, role in PEOPLE
        ]

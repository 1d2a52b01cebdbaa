"""manage.py close_account: close an empty account of the ledger, or open it again."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ledger import closing
from ledger.entries import MAX_NOTE_LENGTH
from ledger.errors import DomainError


class Command(BaseCommand):
    """Close an account by its code; the entry stays in the books with the reason."""

    help = (
        "Close an empty account, so that nothing is posted to it any more; --reopen opens it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the account's code, the reason, and the way back."""
        parser.add_argument(
            "account", metavar="CODE", help="such as wallet:<owner> or lock:<netuid>"
        )
        parser.add_argument("--reason", required=True, help="kept with the entry")
        parser.add_argument("--reopen", action="store_true", help="open a closed account again")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: Any) -> None:  # noqa: ANN401  Django's options
        """Do it, and say whether it was done before."""
        if len(options["reason"]) > MAX_NOTE_LENGTH:
            raise CommandError(f"A reason has at most {MAX_NOTE_LENGTH} characters.")
        act = closing.reopen_account if options["reopen"] else closing.close_account
        try:
            is_done = act(options["account"], reason=options["reason"], now=timezone.now())
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        state = "open" if options["reopen"] else "closed"
        if options["json"]:
            said = json.dumps({"account": options["account"], "state": state, "changed": is_done})
        else:
            said = f"{options['account']} is {state}{'' if is_done else ', as before'}."
        self.stdout.write(said)

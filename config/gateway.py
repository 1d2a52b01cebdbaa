"""ASGI entry point of the gateway: one process, one event loop. More load is met by more gateways (decision 0030)."""

import os
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402  models can be imported once Django is set up
from django.db import close_old_connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from compute.bookkeeping import Bookkeeper  # noqa: E402
from compute.gateway.app import Gateway  # noqa: E402
from compute.journal import Journal  # noqa: E402
from compute.reservations import Payer  # noqa: E402
from compute.till import Till  # noqa: E402
from config import garbage  # noqa: E402
from config.spans import spanned  # noqa: E402
from config.watching import Watched  # noqa: E402
from ledger.rest.scopes import ScopeMissing  # noqa: E402
from ledger.scopes import Scope  # noqa: E402
from marketplace import operations  # noqa: E402
from marketplace.api.authentication import working_key  # noqa: E402


def payer_of(token: str, address: str) -> Payer:
    """Return who pays for an API key's requests. Raises: ApiKeyInvalid and its kin, ScopeMissing."""
    close_old_connections()
    row = working_key(token.encode(), address=address)
    if Scope.WORK.value not in row.scopes:
        raise ScopeMissing(scope=Scope.WORK.value)
    operations.note_use(row, now=timezone.now())
    return Payer(owner=row.owner_id, key_id=row.id, spend_limit_rao=row.spend_limit_rao)


def till() -> Till:
    """Open the account of this process; its journal's folder is shared with processes before and after it."""
    return Till(Bookkeeper(), Journal(Path(settings.GATEWAY_STATE)))


application = spanned(Watched(Gateway(payer_of=payer_of, till=till)))
garbage.settle()

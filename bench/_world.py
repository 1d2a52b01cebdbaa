"""A database of a benchmark's own: migrated, empty, and dropped when it has been measured.

Importing this sets Django up, so it stands before every import of a model.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402  only now there are settings
from django.db import connection  # noqa: E402

from config import garbage  # noqa: E402


@contextmanager
def opened() -> Iterator[None]:
    """Point Django at a fresh database of the server that DATABASE_URL names.

    What is logged costs what it costs, and is written where it hides no figure.
    """
    settings.DEBUG = False  # with it, Django keeps the text of every statement
    garbage.settle()  # as every process that serves does
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(Path(os.devnull).open("w"))  # noqa: SIM115  open while the process lives
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def address(name: str | None = None) -> str:
    """Return the address of the benchmark's own database, or of another on the same server."""
    kept = connection.settings_dict
    user, password = (quote(str(kept[part]), safe="") for part in ("USER", "PASSWORD"))
    return f"postgresql://{user}:{password}@{kept['HOST']}:{kept['PORT']}/{name or kept['NAME']}"

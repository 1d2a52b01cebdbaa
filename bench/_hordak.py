"""A transfer as django-hordak does it, as fast as it goes: run by the Python of an environment that has hordak.

    python _hordak.py postgresql://…/name PAYERS SECONDS

It makes its tables in the database and prints the transfers a second. Nothing of the project is imported here.
"""

import multiprocessing
import random  # noqa: TID251  which accounts pay is no secret
import sys
import time
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

ACCOUNT_COUNT = 1_000
WARMING_COUNT = 20
FORK = multiprocessing.get_context("fork")


def main() -> None:
    """Migrate, open accounts, let the payers pay."""
    address, payers, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    _set_up(address)
    from hordak.models import Account  # noqa: PLC0415  only now there are settings

    # Of one type, so that a transfer is one leg each way; without the tree's own counters, which are ours to make.
    for place in range(ACCOUNT_COUNT):
        Account.objects.create(
            name=str(place), code=str(place), type="IN", is_bank_account=False, currencies=["EUR"]
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    ids = list(Account.objects.values_list("pk", flat=True))
    connections.close_all()
    gate, answers = FORK.Barrier(payers), FORK.Queue()
    lots = [
        FORK.Process(target=_pay, args=(place, ids, seconds, gate, answers), daemon=True)
        for place in range(payers)
    ]
    for lot in lots:
        lot.start()
    print(sum(answers.get(timeout=seconds + 60) for _ in lots))


def _set_up(address: str) -> None:
    parts = urlsplit(address)
    settings.configure(
        SECRET_KEY="bench",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parts.path.lstrip("/"),
                "USER": unquote(parts.username or ""),
                "PASSWORD": unquote(parts.password or ""),
                "HOST": parts.hostname,
                "PORT": parts.port,
                "CONN_MAX_AGE": None,
            }
        },
    )
    django.setup()
    call_command("migrate", verbosity=0)


def _pay(place, ids, seconds, gate, answers) -> None:
    from hordak.models import Account  # noqa: PLC0415  as above
    from moneyed import Money  # noqa: PLC0415

    chance = random.Random(place)
    # The rows are read once: hordak's transfer needs their ids alone.
    accounts = list(Account.objects.filter(pk__in=ids))

    def transfer() -> None:
        source, target = chance.sample(accounts, 2)
        source.transfer_to(target, Money(1, "EUR"))  # a transaction of its own

    for _ in range(WARMING_COUNT):
        transfer()
    gate.wait()
    started = time.perf_counter()
    count = 0
    while time.perf_counter() - started < seconds:
        transfer()
        count += 1
    answers.put(count / (time.perf_counter() - started))


if __name__ == "__main__":
    main()

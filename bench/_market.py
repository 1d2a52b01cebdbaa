"""People with money, their auctions and keys, and the product's own processes on a benchmark's database."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import UUID, uuid4

from django.db import connection

from bench import _world  # noqa: F401  sets Django up
from launch import programs
from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move
from ledger.money import RAO_PER_TAO as TAO
from ledger.scopes import Scope
from marketplace import operations
from marketplace.models import User
from marketplace.offering import Offering


def people(count: int, *, tao: int) -> list[User]:
    people = User.objects.bulk_create(
        User(email=f"{uuid4().hex}@example.com", password="!") for _ in range(count)
    )
    moves = [Move(chart.ISSUANCE, chart.wallet(user.id), tao * TAO) for user in people]
    ledger.post(
        Entry(key=f"bench:{uuid4()}", code=Code.SUPPLY_ISSUED, at=now(), steps=tuple(moves))
    )
    return people


def auction(seller: User) -> UUID:
    """Put a new subnet of the seller's up for a day."""
    netuid = operations.buy_slot(
        buyer=seller.id,
        name=f"Subnet {uuid4().hex[:8]}",
        summary="Multiplies matrices.",
        blueprint="matmul",
        max_cost_rao=50_000 * TAO,
        key=uuid4().hex,
        now=now(),
    ).netuid
    asked = Offering(start_rao=TAO, reserve_rao=None, duration_s=86_400)
    opened = operations.open_auction(
        netuid=netuid, seller=seller.id, asked=asked, key=uuid4().hex, now=now()
    )
    return opened.id


def key_of(owner: UUID) -> str:
    """Make an API key that may bid."""
    made = operations.create_api_key(
        owner=owner,
        name="bench",
        scopes=[Scope.BID],
        expires_at=now() + timedelta(days=1),
        now=now(),
    )
    return made.text


def environment(state: Path, *, port: int, **more: str) -> dict[str, str]:
    env = programs.environment(
        given={**os.environ, **more},
        state=state,
        port=port,
        database_url=address(),
        redis_url=os.environ["REDIS_URL"],
    )
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--no-input", "-v", "0"],
        cwd=programs.ROOT,
        env=env,
        check=True,
    )
    return env


def address() -> str:
    """Return the address of the benchmark's own database."""
    kept = connection.settings_dict
    user, password = (quote(str(kept[name]), safe="") for name in ("USER", "PASSWORD"))
    return f"postgresql://{user}:{password}@{kept['HOST']}:{kept['PORT']}/{kept['NAME']}"


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  the operations are given the instant that is

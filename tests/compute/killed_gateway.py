"""A process that finishes requests through a till over the real database, until it is killed.

    python -m tests.compute.killed_gateway FOLDER OWNER KEY NETUID HOTKEY

After each line that is in the journal, it says the id and the price: what a consumer would have been told.
"""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.utils import timezone  # noqa: E402  settings come first

from compute.bookkeeping import Bookkeeper  # noqa: E402
from compute.journal import Journal  # noqa: E402
from compute.reservations import Payer  # noqa: E402
from compute.serving import Outcome  # noqa: E402
from compute.till import Till  # noqa: E402
from tests.compute.serving_world import TERMS  # noqa: E402

AT_ONCE = 4
TICK_S = 0.01  # fifty times as often as a gateway does: a kill is to meet every step of it


async def answer_requests(till, payer, terms, hotkey):
    while True:
        reservation = await till.reserve(
            payer,
            terms,
            prompt_bytes=100,
            output_tokens=100,
            request_id=uuid4(),
            now=timezone.now(),
        )
        await asyncio.sleep(0.001)
        record = reservation.record(
            outcome=Outcome.DONE,
            hotkey=hotkey,
            prompt_tokens=10,
            completion_tokens=20,
            attempts_count=1,
            first_token_ms=1,
            duration_ms=2,
        )
        till.finish(reservation, record)
        # One call to the kernel, as a gateway sends the last bytes of an answer.
        os.write(1, f"{record.id} {record.price_rao}\n".encode())


async def ticking(till):
    while True:
        await till.tick(now=timezone.now())
        await asyncio.sleep(TICK_S)


async def main(folder, owner, key, netuid, hotkey):
    till = Till(Bookkeeper(), Journal(Path(folder)))
    terms, payer = replace(TERMS, netuid=int(netuid)), Payer(UUID(owner), key)
    answering = [answer_requests(till, payer, terms, hotkey) for _ in range(AT_ONCE)]
    await asyncio.gather(ticking(till), *answering)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""The demo's crowd: two people who bid against each other and one who orders jobs, over HTTP like anybody.

`python -m launch.crowd` reads DEMO_URL and DEMO_STATE and runs until it is stopped. It bids seldom and
little, and never above what its people own.
"""

import base64
import json
import os
import signal
import sys
import threading
import uuid
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import numpy as np

from launch.visitor import Visitor, VisitRefused

RAO = 10**9
ROUND_S = 6.0
BIDS_PER_AUCTION_MAX = 12  # enough to see the price move; after that a visitor's bid stands
JOB_EVERY_ROUNDS = 3
MATRIX_N = 96
MAX_JOB_PRICE_RAO = RAO
SENTENCES = (
    "The network pays for useful work.",
    "A subnet is one of 128 slots.",
    "Miners compete, validators check.",
)


def main() -> int:
    """Bid and order until a signal stops it."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    address, state = os.environ["DEMO_URL"], Path(os.environ["DEMO_STATE"])
    logins = {
        login["email"].split("@")[0]: login
        for login in json.loads((state / "logins.json").read_text())
    }
    people = {
        name: Visitor(address, email=logins[name]["email"], password=logins[name]["password"])
        for name in ("cleo", "dan", "eve")
    }
    for visitor in people.values():
        visitor.sign_in()
    rng = np.random.default_rng()
    for turn in range(sys.maxsize):
        try:
            bid((people["cleo"], people["dan"])[turn % 2])
            if turn % JOB_EVERY_ROUNDS == 0:
                order(people["eve"], rng)
        except (VisitRefused, httpx.HTTPError) as fault:
            say(f"refused: {fault}")
        if stopped.wait(ROUND_S):
            return 0
    return 0


def bid(bidder: Visitor) -> None:
    """Bid a step above what each young English auction asks; what visitors sell otherwise is left to visitors."""
    for auction in bidder.get("auctions/", state="open")["results"]:
        is_bid_for = auction["format"] == "english" and auction["opens_at"] <= auction["server_now"]
        if not is_bid_for or auction["bid_count"] >= BIDS_PER_AUCTION_MAX:
            continue
        # A twentieth above what is asked, in whole TAO, as people bid.
        max_rao = -(-int(auction["min_next_rao"]) * 21 // (20 * RAO)) * RAO
        try:
            placed = bidder.post(f"auctions/{auction['id']}/bids/", {"max_rao": str(max_rao)})
        except VisitRefused as fault:  # too dear, say: others are not
            say(f"refused: {fault}")
            continue
        leads = "leads" if placed["is_leading"] else "is outbid at once"
        say(f"{bidder.email} bids on subnet {auction['netuid']} and {leads}")


def order(consumer: Visitor, rng: np.random.Generator) -> None:
    """Order one matrix product and one set of vectors."""
    for netuid, payload in ((1, matrices(rng)), (2, {"sentences": list(SENTENCES)})):
        job = consumer.post(
            "jobs/",
            {"netuid": netuid, "payload": payload, "max_price_rao": str(MAX_JOB_PRICE_RAO)},
            key=uuid.uuid4().hex,
        )
        say(f"{consumer.email} ordered job {job['id']} on subnet {netuid}")


def matrices(rng: np.random.Generator) -> dict[str, Any]:
    """Return two random int8 matrices as a matmul subnet takes them."""

    def one() -> str:
        drawn = rng.integers(-128, 128, size=(MATRIX_N, MATRIX_N), dtype=np.int8)
        return base64.b64encode(drawn.tobytes()).decode()

    return {"n": MATRIX_N, "a": one(), "b": one()}


def say(line: str) -> None:
    """Write to the crowd's own log."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

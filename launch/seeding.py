"""Fill the demo world over its own REST API: slots, auctions, offers, hotkeys. Doing it again adds what is missing.

`python -m launch.seeding` reads DEMO_URL and DEMO_STATE; it writes neurons.json, which says what the
supervisor is to start.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from launch.servers import free_port
from launch.visitor import Visitor, VisitRefused
from neurons.client import Client, Refused
from neurons.keys import Keypair

RAO = 10**9
SHORT_AUCTION_S = 75  # settled while the first visitor still looks around
LONG_AUCTION_S = 3_600

# owner, name, summary, blueprint: bought in this order, so they get netuid 1 to 5
SLOTS = (
    ("ada", "Prime Products", "Multiplies int8 matrices; every product is checked.", "matmul"),
    ("ada", "Meaning", "Turns sentences into vectors for search.", "embeddings"),
    ("ben", "Blank Slate", "A young matmul subnet, for sale.", "matmul"),
    ("ben", "Sentence Works", "Embeddings with room to grow, for sale.", "embeddings"),
    ("ada", "Small Talk", "Answers conversations, also through the gateway.", "language"),
)
# Ada serves it on subnet 5. An echo: the real small model is an extra, `neuron upstream --gemma`.
MODEL: dict[str, Any] = {
    "name": "echo",
    "context_tokens_max": 4_096,
    "output_tokens_max": 512,
    "input_rao_per_mtok": "200000",  # 7 cents
    "output_rao_per_mtok": "600000",
    "free_tokens_per_day": 20_000,
}
MODEL_NETUID = 5
# netuid, start in TAO, seconds
AUCTIONS = ((3, 800, SHORT_AUCTION_S), (4, 1_500, LONG_AUCTION_S))
# Sold on a deposit: it waits for its winner's payment as long as a visitor looks around.
ON_DEPOSIT = {"backing": "deposit", "deposit_bps": 1_000, "pay_within_s": 7 * 86_400}
DEPOSIT_AUCTION = (2, 900, SHORT_AUCTION_S)  # Ada's
# buyer, TAO promised for Ada's subnet 1, their words; and what Ada says: None nothing yet, 0 no, else her own figure in TAO
OFFERS: tuple[tuple[str, int, str, int | None], ...] = (
    ("cleo", 600, "For the whole subnet, miners included.", None),
    ("dan", 400, "As it stands.", 0),
    ("you", 1_500, "I would keep the rule as it is.", 2_400),
)
OFFER_VALID_S = 7 * 86_400

# name, account, netuids, workloads
MINERS: tuple[tuple[str, str, tuple[int, ...], tuple[str, ...]], ...] = (
    ("miner-1", "mia", (1, 2, 5), ("matmul", "embeddings", "language")),
    ("miner-2", "max", (1, 2, 5), ("matmul", "embeddings", "language")),
    ("miner-3", "moe", (1, 3), ("matmul",)),
    ("miner-4", "mel", (1, 2), ("matmul", "embeddings")),
)
# name, account, netuids, TAO staked on each
VALIDATORS: tuple[tuple[str, str, tuple[int, ...], int], ...] = (
    ("validator-1", "val", (1, 2, 3, 5), 5_000),
    ("validator-2", "vic", (1, 2, 3, 5), 3_000),
)
MAX_BURN_TAO = "5"


def main() -> int:
    """Seed the world named by the environment."""
    address, state = os.environ["DEMO_URL"], Path(os.environ["DEMO_STATE"])
    logins = {
        login["email"].split("@")[0]: login
        for login in json.loads((state / "logins.json").read_text())
    }
    with ExitStack() as stack:
        people: dict[str, Visitor] = {}

        def person(name: str) -> Visitor:
            """Sign somebody in when they are first needed."""
            if name not in people:
                who = Visitor(
                    address, email=logins[name]["email"], password=logins[name]["password"]
                )
                people[name] = stack.enter_context(who)
            return people[name]

        for line in buy_slots(person):
            say(line)
        for line in open_auctions(person, state):
            say(line)
        for line in make_offers(person, state):
            say(line)
        say(serve_model(person))
        entries = [*neuron_entries(address, state, person), crowd_entry(address, state)]
    (state / "neurons.json").write_text(json.dumps(entries))
    say(f"{len(MINERS)} miners, {len(VALIDATORS)} validators, a crowd that bids and orders jobs")
    return 0


def buy_slots(person: Any) -> Iterator[str]:  # noqa: ANN401  a function of one name
    """Buy the slots that are not taken yet."""
    anyone = person("ada")
    taken = {row["name"] for row in anyone.get("subnets/")["results"]}
    for owner, name, summary, blueprint in SLOTS:
        if name in taken:
            continue
        bought = person(owner).post(
            "slots/",
            {
                "name": name,
                "summary": summary,
                "blueprint": blueprint,
                "max_cost_rao": str(20_000 * RAO),
            },
            key=f"demo-slot-{name}",
        )
        cost_tao = int(bought["cost_rao"]) / RAO
        yield f"subnet {bought['netuid']} {name}: {owner} paid {cost_tao:,.1f} TAO for the slot"


def open_auctions(person: Any, state: Path) -> Iterator[str]:  # noqa: ANN401
    """Open the first auctions once; later, keep one subnet of Ben's or its buyer's on the block."""
    opened = state / "auctions-opened"
    if opened.exists():
        yield from reopen_auction(person)
        return
    for netuid, start_tao, duration_s in AUCTIONS:
        auction = person("ben").post(
            "auctions/",
            {"netuid": netuid, "start_rao": str(start_tao * RAO), "duration_s": duration_s},
            key=f"demo-auction-{netuid}",
        )
        yield f"auction of subnet {netuid} from {start_tao} TAO, closes {auction['closes_at'][11:19]} UTC"
    netuid, start_tao, duration_s = DEPOSIT_AUCTION
    terms = {"netuid": netuid, "start_rao": str(start_tao * RAO), "duration_s": duration_s}
    auction = person("ada").post("auctions/", terms | ON_DEPOSIT, key=f"demo-auction-{netuid}")
    bid = {"max_rao": str(2 * start_tao * RAO)}
    person("dan").post(f"auctions/{auction['id']}/bids/", bid, key="demo-bid")
    yield f"auction of subnet {netuid} on a deposit; its winner is in no hurry to pay"
    opened.touch()


def make_offers(person: Any, state: Path) -> Iterator[str]:  # noqa: ANN401
    """Offer for Ada's first subnet, once: one waits for her, one she declined, one she answered with more."""
    made = state / "offers-made"
    if made.exists():
        return
    ada = person("ada")
    for buyer, tao, message, answer_tao in OFFERS:
        asked = {"netuid": 1, "amount_rao": str(tao * RAO), "valid_s": OFFER_VALID_S}
        offer = person(buyer).post(
            "offers/", asked | {"message": message}, key=f"demo-offer-{buyer}"
        )["offer"]
        address = f"offers/{offer['id']}"
        if answer_tao == 0:
            ada.post(f"{address}/decline/", {"message": "Too little, thank you."})
        elif answer_tao is not None:
            figure = {"amount_rao": str(answer_tao * RAO), "valid_s": OFFER_VALID_S}
            ada.post(f"{address}/counter/", figure, key=f"demo-counter-{buyer}")
    made.touch()
    yield f"{len(OFFERS)} offers for subnet 1: one waits, one was declined, one was answered with more"


def serve_model(person: Any) -> str:  # noqa: ANN401
    """Have Ada offer the model. Whoever bought her subnet since decides what it serves; it stays as it is."""
    try:
        person("ada").put(f"subnets/{MODEL_NETUID}/models/", MODEL)
    except VisitRefused as refusal:
        if refusal.code != "not_the_owner":
            raise
        return f"subnet {MODEL_NETUID} has another owner now, who says what it serves"
    return f"subnet {MODEL_NETUID} serves the model {MODEL['name']}"


def reopen_auction(person: Any) -> Iterator[str]:  # noqa: ANN401
    """Put Ben's last subnet up again when nothing is for sale."""
    ben = person("ben")
    if ben.get("auctions/", state="open")["results"]:
        return
    for netuid, start_tao, _ in AUCTIONS:
        try:
            ben.post(
                "auctions/",
                {"netuid": netuid, "start_rao": str(start_tao * RAO), "duration_s": LONG_AUCTION_S},
            )
        except VisitRefused as refusal:
            if refusal.code != "not_the_owner":
                raise
        else:
            yield f"auction of subnet {netuid} opened again"
            return


def neuron_entries(
    address: str,
    state: Path,
    person: Any,  # noqa: ANN401
) -> Iterator[dict[str, Any]]:
    """Say how each miner and validator is started; a key that is not linked yet gets a fresh code."""
    port = free_port()
    yield entry("model", ["upstream", "--echo", "--port", str(port)])
    model = ["--upstream", f"http://127.0.0.1:{port}/v1", "--model", MODEL["name"]]
    for name, account, netuids, workloads in MINERS:
        words = ["miner", *common_words(address, state, person, name, account, netuids)]
        words += ["--state", str(state / "neurons"), "--workloads", *workloads]
        yield entry(name, [*words, *(model if MODEL_NETUID in netuids else [])])
    for name, account, netuids, stake_tao in VALIDATORS:
        words = ["validator", *common_words(address, state, person, name, account, netuids)]
        yield entry(name, [*words, "--stake-tao", str(stake_tao), *model])


def common_words(
    address: str,
    state: Path,
    person: Any,  # noqa: ANN401
    name: str,
    account: str,
    netuids: tuple[int, ...],
) -> list[str]:
    """Return the arguments that miners and validators share."""
    seed = state / "keys" / f"{name}.seed"
    if not seed.exists():
        seed.parent.mkdir(mode=0o700, exist_ok=True)
        seed.touch(mode=0o600)
        seed.write_text(Keypair.generated()[1])
    words = ["--url", address, "--seed-file", str(seed), "--name", name]
    words += ["--max-burn-tao", MAX_BURN_TAO]
    words += [word for netuid in netuids for word in ("--netuid", str(netuid))]
    if not is_linked(address, Keypair.from_seed(seed.read_text())):
        words += ["--code", person(account).post("hotkeys/challenges/", {})["code"]]
    return words


def is_linked(address: str, keypair: Keypair) -> bool:
    """Ask the network whether an account answers for a hotkey."""
    client = Client(address, keypair)
    try:
        client.standings()
    except Refused as refusal:
        if refusal.code == "hotkey_not_linked":
            return False
        raise
    finally:
        client.close()
    return True


def entry(name: str, words: list[str]) -> dict[str, Any]:
    """Return one line of neurons.json."""
    return {"name": name, "argv": ["-m", "neurons.cli", *words], "env": {}}


def crowd_entry(address: str, state: Path) -> dict[str, Any]:
    """Return how the crowd is started: outsiders who bid and order jobs over HTTP."""
    env = {"DEMO_URL": address, "DEMO_STATE": str(state)}
    return {"name": "crowd", "argv": ["-m", "launch.crowd"], "env": env}


def say(line: str) -> None:
    """Tell the supervisor."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

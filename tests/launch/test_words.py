"""What a launch says when it cannot: one plain line, the one that tells most."""

import socket
import sys

import pytest

from launch import demo
from launch.__main__ import main
from launch.children import Child, stop_all
from launch.errors import CannotLaunchError, telling_line

pytestmark = pytest.mark.network


@pytest.mark.parametrize("text", ["65534", "0", "abc", "", "-5", "70000", "8٣", "1" * 5_000])
def test_a_port_that_is_none_is_said_in_one_line(text, capsys):
    assert main(["demo", f"--port={text}"]) == 1

    said = capsys.readouterr().err
    assert said.startswith(
        f"PORT={text} is no port for the demo: it takes a number from 1 to 65533"
    )
    assert said.count("\n") == 1


def test_the_last_three_ports_are_enough():
    assert demo.port_of("65533") == 65_533


def test_a_port_for_root_alone_is_not_called_taken(monkeypatch):
    def refuse(_socket, _address):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)

    with pytest.raises(CannotLaunchError, match="Port 80 is for root alone here: choose a higher"):
        demo.check_port(80)


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("starting\nFATAL:  no such role\nshutting down\n", "FATAL:  no such role"),
        (
            "[INFO] Starting\n[ERROR] Application callable raised\n[INFO] Shutting down\n",
            "[ERROR] Application callable raised",
        ),
        (
            "Traceback (most recent call last):\n  File x, line 1\nledger.errors.HoldTaken: the id\nbye\n",
            "ledger.errors.HoldTaken: the id",
        ),
        ("OSError: [Errno 28] No space left\nWarm shutdown\n", "OSError: [Errno 28] No space left"),
        ("no errors here\nno world today\n", "no world today"),
        ("\n \n", "it said nothing"),
    ],
)
def test_the_line_that_names_the_error_is_quoted(log, line):
    assert telling_line(log) == line


def test_a_child_that_ends_is_not_told_by_an_error_of_its_life_before(tmp_path):
    log = tmp_path / "child.log"
    log.write_text("ERROR of the run before\n")
    words = ["-c", "print('this run was fine')"]
    child = Child(name="it", argv=[sys.executable, *words], env={}, log=log, cwd=tmp_path)

    child.start()
    child.process.wait(timeout=60)
    stop_all([child], grace_s=0)

    assert child.tail() == "this run was fine"

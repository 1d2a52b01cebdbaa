"""The board of a running neuron: jobs, rank, next payout, gateways, troubles; and plain lines without a terminal."""

import sys

from rich.console import Console

from neurons import cli
from neurons.terminal import LINES_KEPT, SUBNETS_SHOWN, Board

URL = "https://market.example"


class Clock:
    now_s = 1_000_000.0

    def __call__(self):
        return self.now_s


def board_of(*events, clock=None):
    board = Board(clock=clock or Clock())
    board.say("miner_started", hotkey="5Hot", url=URL)
    for event, fields in events:
        board.say(event, **fields)
    return board


def drawn(board, width=100):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(board)
    return console.export_text()


def standing(netuid, **changed):
    fields = {"netuid": netuid, "uid": 4, "rank": 2, "incentive_u16": 32_768, "score": "0.975"}
    return "standing", fields | {"last_payout_tao": "1.5", "next_payout_s": 90} | changed


def done(duration_ms):
    return "job_done", {"job": "j", "duration_ms": duration_ms}


def test_a_board_shows_jobs_rank_and_the_next_payout():
    clock = Clock()
    board = board_of(standing(7), done(10), done(30), clock=clock)
    clock.now_s += 60

    text = drawn(board)

    assert "5Hot at https://market.example" in text
    assert "up 1 min · 2 jobs, 20 ms each · 0 troubles" in text
    row = next(line for line in text.splitlines() if line.split()[:1] == ["7"])
    assert row.split() == ["7", "4", "2", "0.975", "50.00%", "1.5", "30", "s"]


def test_a_board_shows_gateways_and_troubles():
    url = "http://gate.example/tunnel/?machine=x"
    opened = ("tunnel_open", {"gateway": url, "models": ["m"]})
    closed = ("tunnel_closed", {"gateway": url, "code": 4403, "reason": "not_admitted"})

    assert "gateway  http://gate.example  open" in drawn(board_of(opened))
    text = drawn(board_of(opened, closed, ("unreachable", {"detail": "no [red]route[/red]"})))

    assert "closed: not_admitted" in text
    assert "2 troubles" in text
    assert "no [red]route[/red]" in text


def test_a_board_keeps_what_fits_a_screen_however_long_it_runs():
    board = board_of(*(standing(number) for number in range(99)))
    for number in range(5_000):
        board.say("refused", code=str(number))
        board.say("job_done", job=str(number), duration_ms=1)

    assert len(board.lines) == LINES_KEPT
    assert len(board.standings) == SUBNETS_SHOWN
    assert (board.jobs_count, board.trouble_count) == (5_000, 5_000)
    assert max(map(len, drawn(board, width=40).splitlines())) <= 40


def test_without_a_terminal_events_are_lines(monkeypatch, capsys):
    def started(arguments, say, miner):
        say("miner_started", hotkey="5Hot", url=URL)
        return 0

    monkeypatch.setattr(cli, "run", started)
    words = ["miner", "--netuid", "1"]

    assert cli.main(words) == 0
    assert " miner_started hotkey=5Hot" in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert cli.main(words) == 0
    assert "5Hot at https://market.example" in capsys.readouterr().out
    assert cli.main([*words, "--json"]) == 0
    assert '"event": "miner_started"' in capsys.readouterr().out

"""Lines outlive their process: whole ones are read back, torn ones told, and files go when the books have them."""

import os
import subprocess
import sys
from uuid import uuid4

import pytest

from compute import journal as journals
from compute.journal import Journal
from tests.compute.serving_world import line


def files(folder):
    return sorted(folder.glob("*.journal"))


def left_by(journal):
    """Let go of the files without a word, as a killed process does."""
    journal.close(is_settled=False)


def recover_in_vain(journal):
    with journal.leftovers() as found:
        assert len(found) == 1
        raise ConnectionError


def test_lines_are_read_back_once_their_process_is_gone(tmp_path):
    first, tab = Journal(tmp_path), uuid4()
    records = [line(), line(tab=tab, price_rao=3)]
    first.note_tab(unused := uuid4())
    for record in records:
        first.append(record)

    second = Journal(tmp_path)
    with second.leftovers() as living:
        assert living == []
    left_by(first)

    with second.leftovers() as [leftover]:
        assert leftover.records == records
        assert leftover.tabs == {tab, unused}
    assert len(files(tmp_path)) == 1


def test_a_recovery_that_fails_leaves_the_file_to_the_next(tmp_path):
    first = Journal(tmp_path)
    first.append(line())
    left_by(first)
    second = Journal(tmp_path)

    with pytest.raises(ConnectionError):
        recover_in_vain(second)

    with second.leftovers() as again:
        assert len(again) == 1


def test_two_that_start_together_do_not_read_the_same_file(tmp_path):
    first = Journal(tmp_path)
    first.append(line())
    left_by(first)
    second, third = Journal(tmp_path), Journal(tmp_path)

    with second.leftovers() as mine, third.leftovers() as theirs:
        assert (len(mine), len(theirs)) == (1, 0)


@pytest.mark.parametrize("cut", [1, 50, 400])
def test_a_torn_last_line_is_told_and_the_others_stand(tmp_path, cut, caplog):
    first = Journal(tmp_path)
    whole, torn = line(), line()
    first.append(whole)
    first.append(torn)
    left_by(first)
    [path] = files(tmp_path)
    os.truncate(path, path.stat().st_size - cut)

    leftover = journals.read(path)

    # Without its line feed a line is whole; every byte less, and it is none.
    assert leftover.records == ([whole, torn] if cut == 1 else [whole])
    assert leftover.unreadable_count == (cut > 1)
    assert ("journal:torn" in caplog.text) == (cut > 1)


def test_after_a_disk_that_was_full_the_next_line_is_whole_again(tmp_path, monkeypatch):
    first = Journal(tmp_path)
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, text: write(descriptor, text[:40]))
        with pytest.raises(OSError, match="40 of"):
            first.append(line())
    whole = line()
    first.append(whole)
    left_by(first)

    [path] = files(tmp_path)
    assert journals.read(path).records == [whole]
    assert journals.read(path).unreadable_count == 1


def test_a_full_page_goes_when_its_last_line_is_in_the_books(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "LINES_PER_FILE_MAX", 2)
    journal, tab = Journal(tmp_path), uuid4()
    old = [journal.append(line()), journal.append(line())]
    journal.turn([tab])
    new = journal.append(line())

    journal.commit(old[:1])
    assert len(files(tmp_path)) == 2
    journal.commit(old[1:])
    assert files(tmp_path) == [new.path]
    assert journals.read(new.path).tabs == {tab}

    journal.commit([new])
    journal.close(is_settled=True)
    assert files(tmp_path) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from compute.journal import Journal
from tests.compute.serving_world import line
journal = Journal(Path(sys.argv[1]))
for _ in range(50):
    journal.append(line())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_every_line_it_wrote_and_no_lock(tmp_path):
    ended = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert ended.returncode == -9

    with Journal(tmp_path).leftovers() as [leftover]:
        assert len(leftover.records) == 50
        assert leftover.unreadable_count == 0

"""Requests of one process for one thing, answered together by whoever has it: flat combining. Pure: threads and no rows.

Who finds nobody at work begins at once, alone. Who comes meanwhile leaves what they ask in a line and waits; when the
work is done, the first of the line answers for all who stand in it by then, in the order in which they came. So N who
want the same lock take it once and not N times, and one who comes alone pays nothing for it. Whoever has sent their
last word may let the next begin before the answer is there, and leave for later what nobody waits for (`Turn`).

Nothing is kept outside the process: a request that dies with it was either answered by what its leader committed, or
by nothing.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class LineFull(Exception):
    """More wait than the line takes: an answer between two functions, never shown."""


class Turn:
    """What whoever leads may do with their turn, beside deciding."""

    def __init__(self, pass_on: Callable[[], None] = lambda: None) -> None:
        self._pass_on: Callable[[], None] | None = pass_on
        self._errands: list[Callable[[], None]] = []

    def pass_on(self) -> None:
        """Let the next begin, where they have not begun yet: nothing that is done from now on is in their way."""
        if self._pass_on is not None:
            pass_on, self._pass_on = self._pass_on, None
            pass_on()

    def leave(self, errand: Callable[[], None]) -> None:
        """Leave something to be done once everybody has their answer. It may not raise."""
        self._errands.append(errand)

    def end(self) -> None:
        """Do what was left."""
        while self._errands:
            self._errands.pop(0)()


@dataclass(slots=True, eq=False)
class _Place(Generic[Asked, Answer]):
    """Where somebody stands: waiting until called, either to hear what became of their request or to lead."""

    asked: Asked
    called: Event = field(default_factory=Event)
    leads: bool = False
    answers: list[Answer] = field(default_factory=list)
    fault: Exception | None = None


class Combiner(Generic[Asked, Answer]):
    """Lines of those who wait, one for each thing that is asked for.

    decide: answers requests for one thing, in their order, an answer each, and has the turn meanwhile. What it raises,
    all of them raise; it may not ask the same combiner.  batch_max: how many it is given at once.  waiting_max: how many may wait for one thing.
    """

    def __init__(
        self,
        decide: Callable[[Sequence[Asked], Turn], Sequence[Answer]],
        *,
        batch_max: int,
        waiting_max: int,
    ) -> None:
        self._decide, self._batch_max, self._waiting_max = decide, batch_max, waiting_max
        self._lock = Lock()
        # A thing has a line for as long as somebody leads.
        self._lines: dict[Hashable, deque[_Place[Asked, Answer]]] = {}

    def ask(self, thing: Hashable, asked: Asked) -> Answer:
        """Return the answer to a request, decided by this thread or by another. Raises: LineFull; what decide raises."""
        while True:
            mine = self._stand(thing, asked)
            if not mine.leads:
                mine.called.wait()
            if mine.leads:
                self._lead(thing, mine)
            if mine.fault is not None:
                raise mine.fault
            if mine.answers:
                return mine.answers[0]
            # Whoever led was interrupted, and nobody knows how far they came: ask again.

    def _stand(self, thing: Hashable, asked: Asked) -> _Place[Asked, Answer]:
        mine: _Place[Asked, Answer] = _Place(asked)
        with self._lock:
            line = self._lines.get(thing)
            if line is None:
                self._lines[thing] = deque()
                mine.leads = True
            elif len(line) >= self._waiting_max:
                raise LineFull
            else:
                line.append(mine)
        return mine

    def _lead(self, thing: Hashable, mine: _Place[Asked, Answer]) -> None:
        """Answer for all who wait by now, then call the next to lead and those who were answered."""
        batch = [mine]
        with self._lock:
            line = self._lines[thing]
            while line and len(batch) < self._batch_max:
                batch.append(line.popleft())
        turn = Turn(lambda: self._call_next(thing))
        try:
            answers = self._decide([place.asked for place in batch], turn)
            for place, answer in zip(batch, answers, strict=True):
                place.answers.append(answer)
        except Exception as fault:  # noqa: BLE001  it is each asker's to handle, and they raise it
            for place in batch:
                place.fault = fault
        finally:
            turn.pass_on()
            for place in batch[1:]:
                place.called.set()
        turn.end()

    def _call_next(self, thing: Hashable) -> None:
        with self._lock:
            line = self._lines[thing]
            if not line:
                del self._lines[thing]
                return
            successor = line.popleft()
        successor.leads = True
        successor.called.set()

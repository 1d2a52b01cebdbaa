"""Keep children running: whoever ends is named in a line with its log, and started again after a growing pause."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from launch.children import Child, stop_all
from launch.errors import CannotLaunchError

PAUSES_S = (
    1.0,
    2.0,
    4.0,
    8.0,
    16.0,
)  # five tries in half a minute; what still fails then will not mend itself
STEADY_S = 60.0  # a child that ran this long has recovered: its next fall counts as a first one


@dataclass
class Watched:
    """A child under watch. Without an essential one the whole is of no use."""

    child: Child
    is_essential: bool
    fall_count: int = 0
    restart_at_s: float | None = None
    is_given_up: bool = False


class Watch:
    """Watch over children: `add` them, call `tick` every now and then, `stop` at the end."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.watched: list[Watched] = []

    def add(self, child: Child, *, is_essential: bool = True) -> None:
        """Watch a child, starting it if it does not run yet."""
        if child.process is None:
            child.start()
        self.watched.append(Watched(child, is_essential))

    def tick(self) -> None:
        """Name and restart those that have ended.

        Raises: CannotLaunchError when an essential child keeps ending.
        """
        for one in self.watched:
            if one.is_given_up or one.child.is_alive():
                continue
            if one.restart_at_s is None:
                self._fell(one)
            elif time.monotonic() >= one.restart_at_s:
                one.restart_at_s = None
                one.child.start()

    def down(self) -> list[str]:
        """Return the names of those that do not run now."""
        return [one.child.name for one in self.watched if not one.child.is_alive()]

    def stop(self, *, grace_s: float, names: Sequence[str] | None = None) -> None:
        """Stop these children, or all of them, and watch them no more."""
        chosen = [one for one in self.watched if names is None or one.child.name in names]
        self.watched = [one for one in self.watched if one not in chosen]
        stop_all([one.child for one in chosen], grace_s=grace_s)

    def _fell(self, one: Watched) -> None:
        child = one.child
        child.make_sure(until_s=0.0)  # what its program left behind would keep its port
        if time.monotonic() - child.started_at_s > STEADY_S:
            one.fall_count = 0
        what = f"{child.name} ended ({child.exit_status()}): {child.tail()} (see {child.log})"
        if one.fall_count < len(PAUSES_S):
            pause_s = PAUSES_S[one.fall_count]
            one.fall_count += 1
            one.restart_at_s = time.monotonic() + pause_s
            self.say(f"{what}; starting it again in {pause_s:.0f} s")
        elif one.is_essential:
            raise CannotLaunchError(f"{what}; it keeps ending, so the demo stops.")
        else:
            one.is_given_up = True
            self.say(f"{what}; it keeps ending and is left alone.")

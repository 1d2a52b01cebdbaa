"""How a sweep works its batch: every item by itself, so that one fault keeps no other waiting. Pure."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ledger.errors import DomainError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
# Told what came of so many items: "done", "refused" or "failed". Whoever measures adds itself here (config.sweeping).
listeners: list[Callable[[str, int], None]] = []


def each(due: Iterable[Item], work: Callable[[Item], object]) -> None:
    """Work each due item. After a refusal or a fault it stays due, and the next sweep looks again."""
    for item in due:
        outcome = "done"
        try:
            work(item)
        except DomainError as refusal:
            # Something came in between, or a far end is down: both mend themselves.
            logger.info("sweep:refused item=%s code=%s", item, refusal.code)
            outcome = "refused"
        except Exception:
            logger.exception("sweep:failed item=%s", item)
            outcome = "failed"
        tell(outcome)


def together(
    due: Sequence[Item], work: Callable[[Sequence[Item]], object], *, at_once: int
) -> None:
    """Work due items so many at once. Where that fails, each by itself: one that is at fault keeps no other waiting."""
    for start in range(0, len(due), at_once):
        some = due[start : start + at_once]
        try:
            work(some)
            tell("done", count=len(some))
        except Exception as fault:  # noqa: BLE001  told of by the item that it comes from
            logger.info("sweep:apart items=%s fault=%r", len(some), fault)
            each(some, lambda item: work([item]))


def tell(outcome: str, *, count: int = 1) -> None:
    """Tell listeners what came of some items."""
    for listener in listeners:
        listener(outcome, count)

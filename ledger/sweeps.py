"""How a sweep works its batch: every item by itself, so that one fault keeps no other waiting. Pure."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from ledger.errors import DomainError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


def each(due: Iterable[Item], work: Callable[[Item], object]) -> None:
    """Work each due item. After a refusal or a fault it stays due, and the next sweep looks again."""
    for item in due:
        try:
            work(item)
        except DomainError as refusal:
            # Something came in between, or a far end is down: both mend themselves.
            logger.info("sweep:refused item=%s code=%s", item, refusal.code)
        except Exception:
            logger.exception("sweep:failed item=%s", item)

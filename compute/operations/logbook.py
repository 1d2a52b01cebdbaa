"""What is logged of jobs: one line for each step of each job, by which one id is followed from order to payout."""

import logging
from collections.abc import Iterable

from django.db import transaction

logger = logging.getLogger(__name__)


def note(line: str, facts: Iterable[tuple[object, ...]]) -> None:
    """Log a line for each tuple of facts once what is being written stands; what is rolled back is not told.

    line: its template, `job:verb job=%s ...`. The facts are taken now, as rows change until then.
    """
    kept = list(facts)
    if kept and logger.isEnabledFor(logging.INFO):
        transaction.on_commit(lambda: _write(line, kept))


def _write(line: str, facts: Iterable[tuple[object, ...]]) -> None:
    for each in facts:
        logger.info(line, *each)


def word(sentence: str) -> str:
    """Return a sentence as one value of a line, which ends at a blank."""
    return sentence.replace(" ", "_")

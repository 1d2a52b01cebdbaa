"""Rehearsals: a page refuses before the last step what the last step would refuse, in the same words."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import transaction

Seen = TypeVar("Seen")


def rehearse(operation: Callable[..., object], **asked: object) -> None:
    """Do an operation and take it back: it raises what it would raise, and nothing stays written or is announced.

    Its locks are held for as long as it takes, so this is for a person's steps, not for lists.
    """
    rehearsed(lambda _: None, operation, **asked)


def rehearsed(
    look: Callable[[Any], Seen], operation: Callable[..., object], **asked: object
) -> Seen:
    """Do an operation, look at what came of it, and take it back."""
    with transaction.atomic():
        seen = look(operation(**asked))
        transaction.set_rollback(True)
    return seen

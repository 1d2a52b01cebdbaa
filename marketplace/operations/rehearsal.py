"""Rehearsals: a page refuses before the last step what the last step would refuse, in the same words."""

from collections.abc import Callable

from django.db import transaction


def rehearse(operation: Callable[..., object], **asked: object) -> None:
    """Do an operation and take it back: it raises what it would raise, and nothing stays written or is announced.

    Its locks are held for as long as it takes, so this is for a person's steps, not for lists.
    """
    with transaction.atomic():
        operation(**asked)
        transaction.set_rollback(True)

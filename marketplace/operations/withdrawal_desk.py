"""What staff does about withdrawals: let one go, or refuse it with a reason."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace import queries
from marketplace.errors import WithdrawalDecided
from marketplace.models import Withdrawal, WithdrawalApproval
from marketplace.operations.withdrawals import reason_of, release
from marketplace.queries import withdrawals as outgoing
from marketplace.withdrawing import check_may_approve

logger = logging.getLogger(__name__)

State = Withdrawal.State


@transaction.atomic
def approve_withdrawal(*, withdrawal_id: UUID, operator: UUID, now: datetime) -> Withdrawal:
    """Let a withdrawal go; above a limit two people have to. The same person again changes nothing.

    Never its owner, nor an account that belongs to them: the database refuses the owner too, and a withdrawal that
    goes without enough approvals.
    Raises: WithdrawalUnknown, OwnWithdrawal, WithdrawalDecided.
    """
    row = outgoing.lock_withdrawal(withdrawal_id)
    operators = set(row.approvals.values_list("operator", flat=True))
    if operator in operators:
        return row
    check_may_approve(
        owner=row.owner,
        operator=operator,
        is_linked=queries.dealing(operator, row.owner).is_linked,
    )
    if row.state != State.REQUESTED:
        raise WithdrawalDecided(state=row.get_state_display().lower())
    WithdrawalApproval.objects.create(
        withdrawal=row, owner=row.owner, operator=operator, approved_at=now
    )
    logger.warning("withdrawal:approval withdrawal=%s operator=%s", row.id, operator)
    if len(operators) + 1 >= row.approvals_needed:
        row.move_to(State.APPROVED, now)
        row.next_at = now
        row.save(update_fields=["state", "approved_at", "next_at"])
    return row


@transaction.atomic
def refuse_withdrawal(
    *, withdrawal_id: UUID, operator: UUID, reason: str, now: datetime
) -> Withdrawal:
    """Say no to a withdrawal that was not handed to a rail; the money is in the wallet again. The owner reads why.

    Refusing it again changes nothing, and keeps the first reason.
    Raises: WithdrawalUnknown, WithdrawalDecided, ReasonMissing, TextRefused.
    """
    said = reason_of(reason)
    row = outgoing.lock_withdrawal(withdrawal_id)
    if row.state == State.REFUSED:
        return row
    if row.state not in {State.REQUESTED, State.APPROVED}:
        raise WithdrawalDecided(state=row.get_state_display().lower())
    row.move_to(State.REFUSED, now)
    row.reason = said
    row.save(update_fields=["state", "ended_at", "reason"])
    logger.warning("withdrawal:refused withdrawal=%s operator=%s", row.id, operator)
    release(row, now=now)
    return row

"""Debts for card payments: collected of what comes in, or given up by staff, above a limit by two of them."""

import logging
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Code
from ledger.entries import Entry, Move, MoveUpTo
from ledger.errors import NothingToMove
from ledger.money import MAX_SUPPLY_RAO
from marketplace import queries
from marketplace.errors import DepositUnknown, ForgivenessDecided, NothingOwed, OwnDebt
from marketplace.models import Deposit, Forgiveness, ForgivenessApproval
from marketplace.operations.withdrawals import reason_of
from marketplace.queries import debts

logger = logging.getLogger(__name__)

State = Forgiveness.State


def collect_debt(*, owner: UUID, now: datetime) -> int:
    """Take what an owner owes from what their wallet has by now; return how much that was."""
    paid = MoveUpTo(chart.wallet(owner), chart.debt(owner), MAX_SUPPLY_RAO)
    key = f"debt:{owner}:collected:{now.isoformat()}"
    try:
        posted = ledger.post(Entry(key=key, code=Code.CARD_DEBT_COLLECTED, at=now, steps=(paid,)))
    except NothingToMove:
        return 0
    logger.info("debt:collected owner=%s", owner)
    return books.moved_rao(posted.entry_id)


@transaction.atomic
def forgive_debt(*, deposit_id: UUID, reason: str, operator: UUID, now: datetime) -> Forgiveness:
    """Ask that what an owner owes is given up, at most what a deposit credited, and agree to it. Once per deposit.

    Up to a limit that is all; above it another person has to agree. Asking again returns what was asked.
    Raises: DepositUnknown, NothingOwed, OwnDebt, ReasonMissing, TextRefused, InsufficientFunds (the treasury's).
    """
    said = reason_of(reason)
    deposit = queries.lock_deposit(deposit_id)
    if deposit is None:
        raise DepositUnknown(deposit_id=deposit_id)
    earlier = debts.forgiveness_of(deposit_id)
    if earlier is not None:
        return earlier
    owed_rao = _owed_rao(deposit)
    if not owed_rao:
        raise NothingOwed(owner=deposit.owner)
    _check_may_forgive(deposit.owner, operator)
    lately_rao = debts.lately_forgiven_rao(owner=deposit.owner, operator=operator, now=now)
    row = Forgiveness.objects.create(
        deposit=deposit,
        owner=deposit.owner,
        most_rao=owed_rao,
        reason=said,
        requested_by=operator,
        requested_at=now,
        approvals_needed=1 + (lately_rao + owed_rao > settings.DEBT_TWO_PEOPLE_RAO),
    )
    return _agree(row, deposit, operator=operator, now=now)


@transaction.atomic
def approve_forgiveness(*, forgiveness_id: UUID, operator: UUID, now: datetime) -> Forgiveness:
    """Agree that a debt is forgiven. The same person again changes nothing.

    Never its owner, nor an account that belongs to them; the database refuses the owner too, and a debt that is
    forgiven without enough who agree.
    Raises: ForgivenessUnknown, ForgivenessDecided, OwnDebt, NothingOwed, InsufficientFunds (the treasury's).
    """
    row = debts.lock_forgiveness(forgiveness_id)
    if row.approvals.filter(operator=operator).exists():
        return row
    if row.state != State.REQUESTED:
        raise ForgivenessDecided(state=row.get_state_display().lower())
    _check_may_forgive(row.owner, operator)
    deposit = queries.lock_deposit(row.deposit_id)
    assert deposit is not None, "a deposit never goes away"
    return _agree(row, deposit, operator=operator, now=now)


@transaction.atomic
def refuse_forgiveness(*, forgiveness_id: UUID, operator: UUID, now: datetime) -> Forgiveness:
    """Say no to it: the debt stands, and may be asked about anew. Refusing again changes nothing.

    Raises: ForgivenessUnknown, ForgivenessDecided.
    """
    row = debts.lock_forgiveness(forgiveness_id)
    if row.state == State.REFUSED:
        return row
    if row.state != State.REQUESTED:
        raise ForgivenessDecided(state=row.get_state_display().lower())
    row.move_to(State.REFUSED)
    row.ended_at = now
    row.save(update_fields=["state", "ended_at"])
    logger.warning("debt:forgiveness refused forgiveness=%s operator=%s", row.id, operator)
    return row


def _check_may_forgive(owner: UUID, operator: UUID) -> None:
    """Refuse staff that would forgive itself, under whichever account. Raises: OwnDebt."""
    if queries.dealing(operator, owner).is_linked:
        raise OwnDebt


def _owed_rao(deposit: Deposit) -> int:
    return min(queries.lock_purse(deposit.owner).owed_rao, deposit.credit_rao)


def _agree(row: Forgiveness, deposit: Deposit, *, operator: UUID, now: datetime) -> Forgiveness:
    """Write that somebody agrees, and give the debt up once enough do."""
    ForgivenessApproval.objects.create(
        forgiveness=row, owner=row.owner, operator=operator, approved_at=now
    )
    logger.warning("debt:forgiveness agreed forgiveness=%s operator=%s", row.id, operator)
    if row.approvals.count() >= row.approvals_needed:
        _forgive(row, deposit, now=now)
    return row


def _forgive(row: Forgiveness, deposit: Deposit, *, now: datetime) -> None:
    """Give up what is still owed: the TAO leaves the treasury after all, and its dollars are a loss, at the deposit's rate."""
    owed_rao = min(_owed_rao(deposit), row.most_rao)
    if not owed_rao:
        raise NothingOwed(owner=row.owner)
    row.move_to(State.FORGIVEN)
    row.forgiven_rao, row.ended_at = owed_rao, now
    row.save(update_fields=["state", "forgiven_rao", "ended_at"])
    cents = owed_rao * deposit.amount_cents // deposit.credit_rao
    lost = [Move(chart.DISPUTES_LOSS, chart.FX_USD, cents)] if cents else []
    steps = (Move(chart.TREASURY, chart.debt(row.owner), owed_rao), *lost)
    key = f"forgiveness:{row.id}:forgiven"
    ledger.post(Entry(key=key, code=Code.CARD_DEBT_FORGIVEN, at=now, steps=steps, note=row.reason))
    logger.warning("debt:forgiven forgiveness=%s deposit=%s", row.id, deposit.id)

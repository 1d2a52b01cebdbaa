"""Stake: TAO that an owner puts behind a hotkey on a subnet. It lives in the ledger alone."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Address, Code
from ledger.entries import Entry, Move
from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from subnets import queries
from subnets.operations.network import accrue_emission


@transaction.atomic
def add_stake(
    *, netuid: int, hotkey: str, owner: UUID, amount_rao: int, key: str, now: datetime
) -> int:
    """Move TAO from the wallet behind the hotkey; return the owner's stake there, in rao.

    key: the client's words for this request; the same key with the same amount moves it once.
    Raises: NotRegistered, InsufficientFunds, IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    queries.require_neuron(netuid=netuid, hotkey=hotkey)
    stake = chart.stake(owner, hotkey, netuid)
    return _move(
        act="add_stake",
        caller=f"{netuid}:{hotkey}",
        key=key,
        code=Code.STAKE_ADDED,
        now=now,
        move=Move(debit=chart.wallet(owner), credit=stake, amount_rao=amount_rao),
        stake=stake,
    )


@transaction.atomic
def remove_stake(
    *, netuid: int, hotkey: str, owner: UUID, amount_rao: int, key: str, now: datetime
) -> int:
    """Move TAO back to the wallet; return what stays staked, in rao. A hotkey that lost its uid may leave too.

    Keys and refusals as for adding; a hotkey without a uid is none of these.
    """
    stake = chart.stake(owner, hotkey, netuid)
    return _move(
        act="remove_stake",
        caller=f"{netuid}:{hotkey}",
        key=key,
        code=Code.STAKE_REMOVED,
        now=now,
        move=Move(debit=stake, credit=chart.wallet(owner), amount_rao=amount_rao),
        stake=stake,
    )


def _move(
    *, act: str, caller: str, key: str, code: Code, now: datetime, move: Move, stake: Address
) -> int:
    stored = stored_key(act, caller=caller, key=key)
    # The blocks up to now are shared out by the stake that stood behind them, not by what comes or goes.
    accrue_emission(up_to_block=queries.block_now(now))
    try:
        ledger.post(Entry(key=stored, code=code, at=now, steps=(move,)))
    except IdempotencyConflict:
        # The books know steps and keys of their own; the client chose a key and an amount.
        raise IdempotencyConflict(key=key, field="amount_rao") from None
    return books.balance(stake).posted_rao

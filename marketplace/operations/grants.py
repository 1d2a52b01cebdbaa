"""TAO that nobody paid for: the network's first supply, and what the demo gives to a new account."""

from datetime import datetime
from uuid import UUID

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move
from ledger.idempotency import stored_key


def fund_treasury(*, amount_rao: int, key: str, now: datetime) -> bool:
    """Issue TAO to the treasury, once per key. Returns False when that was done before.

    key: our own sentence, such as "genesis".  Raises: SupplyExceeded, IdempotencyConflict.
    """
    issued = Move(debit=chart.ISSUANCE, credit=chart.TREASURY, amount_rao=amount_rao)
    posted = ledger.post(
        Entry(key=f"supply:{key}", code=Code.SUPPLY_ISSUED, at=now, steps=(issued,))
    )
    return not posted.replayed


def grant_test_tao(*, owner: UUID, amount_rao: int, key: str, now: datetime) -> bool:
    """Give an owner TAO of the treasury, once per key. Returns False when that was done before.

    Raises: InsufficientFunds (the treasury's), IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    given = Move(debit=chart.TREASURY, credit=chart.wallet(owner), amount_rao=amount_rao)
    posted = ledger.post(
        Entry(
            key=stored_key("grant", caller=owner, key=key),
            code=Code.GRANT_MADE,
            at=now,
            steps=(given,),
        )
    )
    return not posted.replayed

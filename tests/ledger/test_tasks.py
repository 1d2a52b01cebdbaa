from datetime import timedelta

import pytest
from django.utils import timezone

from ledger import queries, tasks
from tests.ledger.make import funded_wallet, hold


@pytest.mark.django_db
def test_the_sweep_releases_what_is_due_by_the_wall_clock():
    account = funded_wallet(100)
    hold(account, 10, expires_at=timezone.now() - timedelta(seconds=1))
    hold(account, 20, expires_at=timezone.now() + timedelta(hours=1))

    tasks.expire_due_holds()

    assert queries.balance(account).held_rao == 20

"""What is true of epochs however often somebody died over them, and a small world to pay in."""

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from django.utils import timezone

BLOCK_MS = 10  # an epoch of 360 blocks lasts 3.6 s
SUBNET_COUNT = 3


def founded():
    """Open subnets whose validators have judged their miners; return the owners."""
    from tests import make

    make.network(block_ms=BLOCK_MS, now=timezone.now())
    owners = []
    for _ in range(SUBNET_COUNT):
        owner = make.rich_owner(now=timezone.now())
        netuid = make.subnet(owner, now=timezone.now())
        validator = make.validator(netuid, now=timezone.now())
        miner = make.miner(netuid, now=timezone.now())
        make.job(netuid, now=timezone.now())
        (lease,) = make.dispatched(now=timezone.now())
        make.scored(make.returned(lease, miner, now=timezone.now()), validator, now=timezone.now())
        owners.append(owner)
    return owners


def faults():
    """Say what is wrong: an epoch left out or paid twice, books that do not balance, a bundle that differs."""
    from ledger import invariants
    from ledger.models import Entry
    from subnets import audit
    from subnets.models import Epoch, Subnet
    from tests.subnets import worlds

    found = invariants.check_all_books()
    epochs = list(Epoch.objects.order_by("subnet_id", "number"))
    for netuid in Subnet.objects.values_list("netuid", flat=True):
        numbers = [epoch.number for epoch in epochs if epoch.subnet_id == netuid]
        if numbers != list(range(1, len(numbers) + 1)):
            found.append(f"subnet {netuid} closed the epochs {numbers}")
    # An epoch whose blocks had been counted before, by stake that moved after them, has nothing to pay.
    keys = sorted(
        f"epoch:{epoch.subnet_id}:{epoch.number}" for epoch in epochs if epoch.emission_rao
    )
    paid = sorted(Entry.objects.filter(code="epoch:paid").values_list("key", flat=True))
    if paid != keys:
        found.append(f"epochs {keys} were paid by {paid}")
    found += lost_emission(epochs)
    said = StringIO()
    with TemporaryDirectory() as folder, worlds.quick_cel(), redirect_stdout(said):
        for epoch in epochs:
            place = Path(folder) / f"{epoch.subnet_id}-{epoch.number:04}.json"
            place.write_text(json.dumps(epoch.bundle))
        if epochs and audit.main([folder]) != 0:
            found.append(f"the audit says:\n{said.getvalue()}")
    return found


def lost_emission(epochs):
    """Hold what was paid and what waits against one TAO for every block since the first slot was sold."""
    from ledger.money import RAO_PER_TAO
    from subnets.models import Network, Subnet

    opened = min(Subnet.objects.values_list("registered_block", flat=True))
    accrued_rao = (Network.objects.get().accrued_block - opened) * RAO_PER_TAO
    paid_rao = sum(epoch.emission_rao for epoch in epochs)
    waiting_rao = sum(Subnet.objects.values_list("pending_rao", flat=True))
    if paid_rao + waiting_rao != accrued_rao:
        return [f"{accrued_rao} rao accrued, {paid_rao} were paid and {waiting_rao} wait"]
    return []

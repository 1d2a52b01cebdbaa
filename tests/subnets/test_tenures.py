"""Revenue up to the second: a subnet that is sold within an epoch pays each owner's cut for their time."""

from datetime import timedelta

import pytest

from subnets import operations, proving, queries
from subnets.record import Tenure
from tests import make
from tests.subnets import town, worlds
from tests.subnets.town import TAO

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def sold(place, *, at):
    """Sell the town's subnet; return its buyer."""
    buyer = make.rich_owner(now=town.NOW)
    operations.transfer_ownership(
        netuid=place.netuid, seller=place.row.owner, buyer=buyer, price_rao=7 * TAO, now=at
    )
    return buyer


def test_the_owners_cut_is_shared_by_time_and_the_bundle_proves_it():
    place = town.founded()
    town.closed(place)
    row = place.row
    starts_at, ends_at = town.at_block(row.last_epoch_block), town.at_block(row.next_epoch_block)
    window = ends_at - starts_at
    buyer = sold(place, at=starts_at + window / 4)
    before = town.wallets([place.owner, buyer])

    epoch = town.closed(place)

    got = {who: rao - before[who] for who, rao in town.wallets([place.owner, buyer]).items()}
    quarter, rest = got[str(place.owner)], got[str(buyer)]
    assert quarter + rest == epoch.owner_rao > 0
    assert quarter == pytest.approx(epoch.owner_rao / 4, abs=1)
    ms = window // timedelta(milliseconds=1)
    assert epoch.bundle["record"]["tenures"] == [
        {"owner": str(place.owner), "held_ms": ms // 4},
        {"owner": str(buyer), "held_ms": ms - ms // 4},
    ]
    assert proving.audit(epoch.bundle).pointer == ""
    lied = epoch.bundle | {
        "record": epoch.bundle["record"] | {"tenures": [{"owner": str(buyer), "held_ms": ms}]}
    }
    assert proving.audit(lied).pointer.startswith("/payroll/payouts/")


def test_a_sale_between_the_end_of_an_epoch_and_its_closing_changes_nothing_of_it():
    place = town.founded()
    end = town.at_block(place.row.next_epoch_block)
    buyer = sold(place, at=end)
    before = town.wallets([place.owner, buyer])

    epoch = town.closed(place, now=end + timedelta(seconds=30))

    got = {who: rao - before[who] for who, rao in town.wallets([place.owner, buyer]).items()}
    assert got == {str(place.owner): epoch.owner_rao, str(buyer): 0}
    assert [tenure["owner"] for tenure in epoch.bundle["record"]["tenures"]] == [str(place.owner)]
    assert town.closed(place).bundle["record"]["tenures"] == []


def test_time_is_counted_within_the_window_alone():
    place = town.founded()
    second = timedelta(seconds=1)
    now = town.NOW + 10 * second
    buyer = sold(place, at=now)

    def held(since, until):
        return queries.tenures(place.netuid, starts_at=since, ends_at=until)

    assert held(now - 2 * second, now + 3 * second) == (
        Tenure(str(place.owner), 2_000),
        Tenure(str(buyer), 3_000),
    )
    assert held(now, now + second) == (Tenure(str(buyer), 1_000),)
    assert held(town.NOW - 5 * second, town.NOW + second) == (Tenure(str(place.owner), 1_000),)
    assert held(town.NOW - 5 * second, town.NOW) == ()

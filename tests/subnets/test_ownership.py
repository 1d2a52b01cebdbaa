"""Ownership: one owner at any instant, and the owner's rights move in that instant."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from subnets import operations, queries
from subnets.default_rules import DEFAULT_RULES
from subnets.errors import NotTheOwner, SubnetUnknown
from subnets.models import Ownership
from tests import make
from tests.subnets import worlds
from tests.subnets.town import NOW, TAO

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def sold(netuid, seller, buyer, *, now=NOW + DAY):
    operations.transfer_ownership(
        netuid=netuid, seller=seller, buyer=buyer, price_rao=7 * TAO, now=now
    )


@pytest.fixture
def deal():
    """Return a subnet, its owner and somebody who wants it."""
    seller, buyer = make.rich_owner(), make.rich_owner()
    return make.subnet(seller), seller, buyer


def test_a_sale_closes_one_ownership_and_opens_the_next(deal):
    netuid, seller, buyer = deal
    sold(netuid, seller, buyer)

    history = Ownership.objects.filter(subnet=netuid).order_by("starts_at")
    assert [(row.owner, row.starts_at, row.ends_at, row.reason) for row in history] == [
        (seller, NOW, NOW + DAY, "registered"),
        (buyer, NOW + DAY, None, "sold"),
    ]
    assert history[1].price_rao == 7 * TAO
    assert queries.subnet(netuid).owner == buyer
    assert queries.subnets_of(seller) == []
    assert [row.pk for row in queries.subnets_of(buyer)] == [netuid]


def test_only_the_owner_of_the_moment_can_hand_over(deal):
    netuid, seller, buyer = deal
    with pytest.raises(NotTheOwner) as caught:
        sold(netuid, buyer, seller)
    assert caught.value.fields == {"netuid": netuid}
    with pytest.raises(SubnetUnknown):
        sold(99, seller, buyer)

    sold(netuid, seller, buyer)

    with pytest.raises(NotTheOwner):
        sold(netuid, seller, buyer)
    assert Ownership.objects.filter(subnet=netuid).count() == 2


def test_a_sale_by_a_clock_that_is_behind_leaves_no_period_that_ends_before_it_began(deal):
    netuid, seller, buyer = deal

    sold(netuid, seller, buyer, now=NOW - timedelta(milliseconds=3))

    assert [row.starts_at for row in Ownership.objects.filter(subnet=netuid)] == [NOW, NOW]
    assert queries.subnet(netuid).owner == buyer


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "constraint"),
    [
        (NOW + 2 * DAY, None, "subnets_ownership_one_owner_now"),
        (NOW + 2 * DAY, NOW + 3 * DAY, "subnets_ownership_one_owner_at_any_instant"),
        (NOW - DAY, NOW + timedelta(seconds=1), "subnets_ownership_one_owner_at_any_instant"),
        (NOW, NOW + DAY, "subnets_ownership_one_owner_at_any_instant"),
    ],
)
def test_the_database_refuses_two_owners_at_one_instant(deal, starts_at, ends_at, constraint):
    netuid, seller, buyer = deal
    sold(netuid, seller, buyer)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Ownership.objects.create(
            subnet_id=netuid, owner=seller, starts_at=starts_at, ends_at=ends_at, price_rao=0,
            reason=Ownership.Reason.SOLD,
        )  # fmt: skip


def test_periods_that_touch_do_not_overlap(deal):
    netuid, _, buyer = deal

    Ownership.objects.create(
        subnet_id=netuid, owner=buyer, starts_at=NOW - DAY, ends_at=NOW, price_rao=0,
        reason=Ownership.Reason.SOLD,
    )  # fmt: skip

    assert Ownership.objects.filter(subnet=netuid).count() == 2


ACTS = {
    "tune": lambda netuid, owner: operations.set_hyperparameter(
        netuid=netuid, owner=owner, name="immunity_period", value=1, now=NOW
    ),
    "describe": lambda netuid, owner: operations.describe_subnet(
        netuid=netuid, owner=owner, name="N", summary="s", description="", repository_url=""
    ),
    "draft": lambda netuid, owner: operations.save_draft(
        netuid=netuid, owner=owner, document=DEFAULT_RULES["matmul"], now=NOW
    ),
    "publish": lambda netuid, owner: operations.publish_rule(
        netuid=netuid, owner=owner, version=2, digest=queries.rules_of(netuid)[0].digest, now=NOW
    ),
    "discard": lambda netuid, owner: operations.discard_draft(
        netuid=netuid, owner=owner, version=2
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_the_owners_rights_move_with_the_subnet(deal, act):
    netuid, seller, buyer = deal
    operations.save_draft(netuid=netuid, owner=seller, document=DEFAULT_RULES["matmul"], now=NOW)
    with pytest.raises(NotTheOwner):
        ACTS[act](netuid, buyer)

    sold(netuid, seller, buyer)

    with pytest.raises(NotTheOwner):
        ACTS[act](netuid, seller)
    ACTS[act](netuid, buyer)

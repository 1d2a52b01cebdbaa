"""News: facts become notices by a sweep, once each, for those they concern and nobody else."""

from datetime import timedelta

import pytest

from ledger.money import RAO_PER_TAO as TAO
from marketplace import notices, operations, queries
from marketplace.models import Letter, NewsCursor, Notice, User
from marketplace.offering import Backing, Format
from marketplace.queries.news import SOURCES
from subnets import operations as subnets
from subnets.errors import SubnetUnknown
from subnets.models import IncentiveRule
from tests import make
from tests.marketplace import world
from tests.marketplace.conftest import NOW

SECOND = timedelta(seconds=1)


@pytest.fixture
def ada(db):
    return person("ada")


@pytest.fixture
def ben(db):
    return person("ben")


@pytest.fixture
def seller(db):
    return person("seller")


@pytest.fixture(autouse=True)
def begun(request):
    """A first sweep plants the cursors: what happened long before is nobody's news."""
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        sweep(NOW - SECOND)


def person(name):
    """Sign somebody up well before anything happens."""
    user = world.person(tao=1_000, email=f"{name}@example.com")
    User.objects.filter(pk=user.pk).update(joined_at=NOW - timedelta(days=1))
    return User.objects.get(pk=user.pk)


def sweep(now):
    return sum(operations.tell_news(source=source, now=now) for source in SOURCES)


def told(user):
    """Return the kinds somebody was told, in the order in which they were written."""
    return list(Notice.objects.filter(person=user).order_by("id").values_list("kind", flat=True))


def test_every_kind_says_a_whole_sentence_of_what_its_source_knows():
    data = {
        "name": "Prime",
        "price_rao": "12500000000",
        "start_rao": "10",
        "earned_rao": "3",
        "amount_rao": "5",
        "forfeited_rao": "5",
        "due_at": "2026-11-22T13:00:00+00:00",
        "offer_id": "1",
        "held_rao": "5",
        "forgiven_rao": "5",
        "arrives_cents": 2_500,
        "amount_cents": 2_500,
        "refunded_cents": 2_500,
        "label": "Cold wallet",
        "expires_at": "2026-11-22T13:00:00+00:00",
        "closes_at": "2026-11-22T13:00:00+00:00",
        "version": 3,
        "from_epoch": 9,
        "reason": "Two accounts of one person",
    }

    for kind in notices.KINDS.values():
        said = notices.sentence(kind.word, data)
        assert "{" not in said
        assert "Prime" in said
        assert said.endswith(".")
    assert "12.5 TAO" in notices.sentence("outbid", data)
    assert "ends 22 Nov 2026 13:00 UTC." in notices.sentence("outbid", data)


@pytest.mark.parametrize("kind", ["outbid", "of_a_time_to_come"])
@pytest.mark.parametrize("figures", [{}, {"price_rao": None}])
def test_a_notice_that_lacks_a_figure_or_a_kind_still_says_something(kind, figures):
    assert notices.sentence(kind, {"name": "Prime", **figures}) == "There is news of Prime."


def test_a_move_of_an_offer_is_told_to_the_other_side(ada, seller):
    netuid = world.subnet(seller)
    sweep(NOW)
    offer = world.offer(ada, netuid, 40, now=NOW + SECOND)
    world.counter(offer, seller, 60, now=NOW + 2 * SECOND)
    sweep(NOW + 3 * SECOND)
    operations.decline_offer(offer_id=offer.id, who=ada.id, now=NOW + 4 * SECOND)
    sweep(NOW + 5 * SECOND)

    assert told(ada) == ["offer_countered"]
    assert told(seller)[1:] == ["offer_made", "offer_declined"]
    line = queries.notices_of(ada.id, limit=1)[0]
    assert (line.type, line.path) == ("offer.countered", f"/offers/{offer.id}/")
    assert "now names 60 TAO" in line.sentence


def test_an_offer_that_nobody_answers_is_told_to_both_sides(ada, seller):
    offer = world.offer(ada, world.subnet(seller), 40)
    sweep(offer.expires_at)

    operations.end_offer(offer_id=offer.id, now=offer.expires_at)
    sweep(offer.expires_at + SECOND)

    assert (told(ada)[-1], told(seller)[-1]) == ("offer_lapsed",) * 2


def test_a_sale_by_one_offer_is_told_to_its_sides_and_to_whoever_offered_too(ada, ben, seller):
    netuid = world.subnet(seller)
    world.offer(ben, netuid, 30)
    offer = world.offer(ada, netuid, 40)
    sweep(NOW)

    world.accept(offer, seller, 40, now=NOW + SECOND)
    sweep(NOW + 2 * SECOND)

    assert sorted(told(ada)) == ["bought", "offer_accepted"]
    assert told(ben) == ["offer_superseded"]
    assert told(seller)[-1] == "sold"


def test_who_takes_a_price_that_stands_has_bought_and_not_won(ada, seller):
    on = world.auction(seller=seller, buy_now_rao=60 * TAO)

    world.take(on, ada, now=NOW + SECOND)
    sweep(NOW + 2 * SECOND)

    assert (told(ada), told(seller)) == (["bought"], ["bought", "sold"])


def test_who_has_to_pay_who_may_instead_and_who_lost_a_deposit_are_told(ada, ben, seller):
    terms = {"backing": Backing.DEPOSIT, "deposit_bps": 1_000, "pay_within_s": 2 * 86_400}
    on = world.auction(seller=seller, **terms)
    world.bid(on, ada, 100)
    world.bid(on, ben, 150, now=NOW + SECOND)
    world.settle(on)
    on.refresh_from_db()
    hammered_at = on.due_at - timedelta(days=2)

    counts = [sweep(hammered_at + step * SECOND) for step in (1, 2)]
    operations.end_overdue_auction(auction_id=on.id, now=on.due_at)
    sweep(on.due_at + SECOND)

    assert counts[1] == 0
    assert (told(ben), told(ada)[-1]) == (["payment_due", "struck"], "second_chance")
    assert "Pay until" in queries.notices_of(ben.id, limit=2)[1].sentence


def test_a_sealed_auction_tells_nobody_who_leads_and_its_bidders_how_it_ended(ada, ben, seller):
    on = world.auction(seller=seller, format=Format.SEALED)
    world.seal(on, ada, 20)
    world.seal(on, ben, 40, now=NOW + SECOND)
    sweep(NOW + 2 * SECOND)
    before = (told(ada), told(ben))

    on.refresh_from_db()
    world.settle(on)
    sweep(on.closes_at + SECOND)

    assert before == ([], [])
    assert (told(ada), told(ben)) == (["lost"], ["won"])


def test_old_notices_are_forgotten_with_what_was_made_of_them_and_not_told_again(seller):
    world.slot(seller)
    sweep(NOW + SECOND)
    Letter.objects.create(notice=Notice.objects.get(person=seller), person=seller, next_at=NOW)
    old = NOW + SECOND + timedelta(days=180)
    sweep(old)

    counts = [operations.forget_notices(now=old + step * SECOND) for step in range(3)]

    assert (counts, sweep(old + 3 * SECOND), told(seller)) == ([0, 1, 0], 0, [])


def test_who_loses_the_lead_is_told_once_however_often_the_sweep_runs(ada, ben, seller):
    on = world.auction(seller=seller)
    world.bid(on, ada, 20)
    world.bid(on, ben, 40, now=NOW + SECOND)

    counts = [sweep(NOW + 2 * SECOND) for _ in range(3)]

    assert counts == [2, 0, 0]
    assert (told(ada), told(ben), told(seller)) == (["outbid"], [], ["bought"])
    notice = Notice.objects.get(person=ada)
    assert notice.data["price_rao"] == str(on.bids.last().price_rao)
    assert (notice.netuid, notice.auction_id, notice.happened_at) == (
        on.netuid,
        on.id,
        NOW + SECOND,
    )


def test_who_leads_again_by_the_time_of_the_sweep_is_told_nothing(ada, ben, seller):
    on = world.auction(seller=seller)
    for step, (who, tao) in enumerate([(ada, 20), (ben, 40), (ada, 60)]):
        world.bid(on, who, tao, now=NOW + step * SECOND)

    sweep(NOW + 5 * SECOND)

    assert (told(ada), told(ben)) == ([], ["outbid"])


def test_a_winner_a_loser_a_seller_and_a_watcher_are_told_of_one_sale(ada, ben, seller):
    watcher, stranger = person("watcher"), person("stranger")
    on = world.auction(seller=seller)
    operations.watch(person=watcher.id, netuid=on.netuid, now=NOW)
    world.bid(on, ada, 20)
    world.bid(on, ben, 40, now=NOW + SECOND)
    sweep(NOW + 2 * SECOND)

    on.refresh_from_db()
    world.settle(on)
    sweep(on.closes_at + SECOND)
    sweep(on.closes_at + 2 * SECOND)

    assert [told(who) for who in (ada, ben, seller, watcher, stranger)] == [
        ["outbid", "lost"], ["won"], ["bought", "sold"], ["opened", "changed_hands"], [],
    ]  # fmt: skip
    sale = on.sale
    assert Notice.objects.get(kind="sold").data["earned_rao"] == str(sale.price_rao - sale.fee_rao)


def test_an_auction_that_nobody_wins_is_told_to_its_seller_and_its_bidders(ada, seller):
    on = world.auction(seller=seller, reserve=500)
    world.bid(on, ada, 20)

    world.settle(on)
    on.refresh_from_db()
    sweep(on.closes_at + SECOND)

    assert (told(ada), sorted(told(seller))) == (["unsold"], ["bought", "unsold"])


def test_a_withdrawn_auction_is_told_to_who_watches_it(ada, seller):
    on = world.auction(seller=seller)
    operations.watch(person=ada.id, netuid=on.netuid, now=NOW)

    operations.cancel_auction(auction_id=on.id, seller=seller.id, now=NOW + SECOND)
    sweep(NOW + 2 * SECOND)

    assert (told(ada), told(seller)) == (["cancelled"], ["bought"])


def test_an_end_that_comes_near_is_told_to_bidders_and_watchers_at_each_step(ada, ben, seller):
    on = world.auction(seller=seller, duration_s=2 * 86_400)
    operations.watch(person=ben.id, netuid=on.netuid, now=NOW + SECOND)
    world.bid(on, ada, 20)

    for left in (timedelta(days=1, minutes=1), timedelta(hours=23), timedelta(minutes=59)):
        sweep(on.closes_at - left)
        sweep(on.closes_at - left + SECOND)

    assert (told(ada), told(ben)) == (["ending_day", "ending_hour"],) * 2
    assert told(seller) == ["bought"]


def test_after_an_outage_only_the_nearest_end_is_told(ada, seller):
    on = world.auction(seller=seller, duration_s=2 * 86_400)
    world.bid(on, ada, 20)

    sweep(on.closes_at - timedelta(minutes=9))

    assert told(ada) == ["ending_soon"]


def test_a_short_auction_is_not_said_to_end_within_more_than_it_lasts(ada, seller):
    on = world.auction(seller=seller, duration_s=1_800)
    operations.watch(person=ada.id, netuid=on.netuid, now=NOW)

    sweep(NOW + SECOND)

    assert told(ada) == ["opened"]


def test_a_buyer_of_a_slot_is_told(ada):
    world.slot(ada, now=NOW + SECOND)

    sweep(NOW + 2 * SECOND)

    assert told(ada) == ["bought"]


def test_nothing_is_told_of_before_the_account_or_the_watch(ada, ben, seller):
    on = world.auction(seller=seller)
    world.bid(on, ada, 20)
    world.bid(on, ben, 40, now=NOW + SECOND)
    User.objects.filter(pk=ada.pk).update(joined_at=NOW + 2 * SECOND)
    operations.watch(person=ada.id, netuid=on.netuid, now=NOW + 2 * SECOND)

    sweep(NOW + 3 * SECOND)

    assert told(ada) == []


def test_a_fact_that_commits_after_a_later_one_was_told_is_not_lost(ada, ben, seller):
    on = world.auction(seller=seller)
    sweep(NOW + timedelta(seconds=60))
    world.bid(on, ada, 20, now=NOW + 50 * SECOND)
    world.bid(on, ben, 40, now=NOW + 51 * SECOND)

    sweep(NOW + timedelta(seconds=61))

    assert told(ada) == ["outbid"]


def test_a_batch_that_is_full_leaves_the_rest_to_the_next_sweep(ada, ben, seller, monkeypatch):
    monkeypatch.setattr("marketplace.operations.notices.TOLD_AT_ONCE", 1)
    on = world.auction(seller=seller)
    for who in (ada, ben):
        operations.watch(person=who.id, netuid=on.netuid, now=NOW)

    later = NOW + timedelta(minutes=5)
    first, second, third = (operations.tell_news(source="opened", now=later) for _ in range(3))

    assert (first, second, third) == (1, 1, 0)
    assert (told(ada), told(ben)) == (["opened"], ["opened"])
    assert NewsCursor.objects.get(pk="opened").told_until == later


def test_a_rule_is_told_to_its_owner_and_to_who_watches_or_mines(ada, ben, seller):
    netuid = world.subnet(ada)
    operations.watch(person=ben.id, netuid=netuid, now=NOW)
    make.miner(netuid, owner=seller.id)
    first = IncentiveRule.objects.get(subnet=netuid)
    draft = subnets.save_draft(netuid=netuid, owner=ada.id, document=first.document, now=NOW)
    rule = {"version": draft.version, "digest": draft.digest}
    subnets.publish_rule(netuid=netuid, owner=ada.id, now=NOW + SECOND, **rule)

    sweep(NOW + 2 * SECOND)

    assert [told(who) for who in (ada, ben, seller)] == [
        ["bought", "rule_published"], ["rule_published"], ["rule_published"],
    ]  # fmt: skip
    assert Notice.objects.get(person=ben).data["version"] == draft.version


def test_a_sweep_costs_as_many_statements_for_twenty_facts_as_for_one(
    ada, seller, django_assert_max_num_queries
):
    on = world.auction(seller=seller)
    for who in [person(f"watcher{number}") for number in range(5)]:
        operations.watch(person=who.id, netuid=on.netuid, now=NOW)

    with django_assert_max_num_queries(5):
        assert operations.tell_news(source="opened", now=NOW + SECOND) == 5


def test_watching_twice_is_watching_once_and_a_subnet_that_is_not_there_is_refused(ada, seller):
    netuid = world.subnet(seller)

    for _ in range(2):
        operations.watch(person=ada.id, netuid=netuid, now=NOW)
    assert queries.watched_by(ada.id) == [netuid]
    for _ in range(2):
        operations.unwatch(person=ada.id, netuid=netuid)

    assert queries.watched_by(ada.id) == []
    with pytest.raises(SubnetUnknown) as refused:
        operations.watch(person=ada.id, netuid=99, now=NOW)
    assert refused.value.fields == {"netuid": 99}


def test_unread_notices_are_counted_and_read_by_their_own_person_alone(ada, ben):
    for who in (ada, ben):
        world.slot(who, now=NOW + SECOND)
    sweep(NOW + 2 * SECOND)
    theirs = Notice.objects.get(person=ben).pk

    assert operations.read_notices(person=ada.id, ids=[theirs], now=NOW + 3 * SECOND) == 0
    assert (queries.unread_count(ada.id), queries.unread_count(ben.id)) == (1, 1)
    assert operations.read_notices(person=ben.id, until_id=theirs, now=NOW + 3 * SECOND) == 1
    assert operations.read_notices(person=ben.id, until_id=theirs, now=NOW + 4 * SECOND) == 0

    assert (queries.unread_count(ada.id), queries.unread_count(ben.id)) == (1, 0)
    assert Notice.objects.get(pk=theirs).read_at == NOW + 3 * SECOND

"""Linking a hotkey to an account takes a code of the owner's and a request signed by the key."""

from datetime import timedelta

import pytest

from subnets import operations, queries
from subnets.errors import (
    ChallengeExpired,
    ChallengeUnknown,
    HotkeyTaken,
    TextRefused,
    TooManyChallenges,
)
from subnets.models import Hotkey, HotkeyChallenge
from subnets.operations.keys import CHALLENGE_LIFE, CHALLENGES_OPEN_MAX
from tests import make
from tests.subnets.town import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make.user().pk


@pytest.fixture
def address():
    return make.keypair().ss58_address


def code(owner, *, now=NOW):
    return operations.open_challenge(owner=owner, now=now).code


def link(address, code, *, name="rig", now=NOW):
    return operations.link_hotkey(ss58=address, code=code, name=name, now=now)


def test_a_code_links_the_key_to_its_owner(owner, address):
    hotkey = link(address, code(owner))

    assert (hotkey.ss58, hotkey.owner, hotkey.name) == (address, owner, "rig")
    assert queries.hotkey(address) == hotkey
    assert queries.hotkeys_of(owner) == [hotkey]
    assert HotkeyChallenge.objects.get().used_at == NOW


def test_codes_are_long_and_never_the_same(owner):
    codes = {code(owner) for _ in range(5)}

    assert len(codes) == 5
    assert {len(text) for text in codes} == {32}


def test_a_code_links_one_key_only(owner, address):
    used = code(owner)
    link(address, used)

    with pytest.raises(ChallengeUnknown):
        link(make.keypair().ss58_address, used)

    assert Hotkey.objects.count() == 1


def test_linking_again_returns_the_key_as_it_is(owner, address):
    used = code(owner)
    first = link(address, used)

    again = link(address, used, name="another name", now=NOW + timedelta(days=1))
    fresh = link(address, code(owner), name="another name")

    assert again == fresh == first
    assert queries.hotkey(address).name == "rig"


def test_a_hotkey_is_not_called_what_nobody_sees(owner, address):
    given = code(owner)

    with pytest.raises(TextRefused):
        link(address, given, name="rig\u200b")

    assert link(address, given, name=" rig  one ").name == "rig one"


def test_a_code_nobody_gave_out_links_nothing(address):
    with pytest.raises(ChallengeUnknown):
        link(address, "x" * 43)

    assert queries.hotkey(address) is None


@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=1)])
def test_a_code_expires(owner, address, late):
    made = code(owner)

    with pytest.raises(ChallengeExpired):
        link(address, made, now=NOW + CHALLENGE_LIFE + late)

    assert link(address, made, now=NOW + CHALLENGE_LIFE - timedelta(microseconds=1))


def test_a_key_of_another_account_is_refused_and_the_code_stays_good(owner, address):
    link(address, code(make.user().pk))
    mine = code(owner)

    with pytest.raises(HotkeyTaken) as caught:
        link(address, mine)

    assert caught.value.fields == {"hotkey": address}
    assert link(make.keypair().ss58_address, mine).owner == owner


def test_an_owner_keeps_a_bounded_number_of_unused_codes(owner, address):
    codes = [code(owner) for _ in range(CHALLENGES_OPEN_MAX)]

    with pytest.raises(TooManyChallenges) as caught:
        code(owner)

    assert caught.value.fields == {"limit": CHALLENGES_OPEN_MAX}
    assert code(make.user().pk)
    link(address, codes[0])
    assert code(owner)
    assert code(owner, now=NOW + CHALLENGE_LIFE)

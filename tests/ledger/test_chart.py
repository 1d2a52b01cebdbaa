from uuid import UUID

import pytest

from ledger import chart
from ledger.chart import (
    FEES,
    ISSUANCE,
    STRIPE_CLEARING,
    TREASURY,
    USD,
    AccountKind,
    Address,
    Code,
    debt,
    lien,
    read_stake_code,
    spoken,
    stake,
    stake_prefix,
    subnet_lock,
    wallet,
)

OWNER = UUID(int=7)
HOTKEY = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


def test_a_stake_code_is_read_back_as_it_was_made():
    address = stake(OWNER, HOTKEY, 3)

    assert address.code == f"stake:3:{HOTKEY}:{OWNER}"
    assert read_stake_code(address.code) == (3, HOTKEY, OWNER)


def test_the_prefix_of_a_subnet_is_not_the_prefix_of_another():
    assert stake(OWNER, HOTKEY, 3).code.startswith(stake_prefix(3))
    assert not stake(OWNER, HOTKEY, 31).code.startswith(stake_prefix(3))


@pytest.mark.parametrize("hotkey", ["", "a:b", "a%", "x" * 65, "é"])
def test_a_hotkey_that_would_garble_the_code_is_refused(hotkey):
    with pytest.raises(ValueError, match="ss58"):
        stake(OWNER, hotkey, 3)


@pytest.mark.parametrize(
    ("kind", "owner"),
    [(AccountKind.WALLET, None), (AccountKind.STAKE, None), (AccountKind.LOCK, OWNER), (AccountKind.SYSTEM, OWNER)],
)  # fmt: skip
def test_an_address_has_an_owner_exactly_where_its_kind_has_one(kind, owner):
    with pytest.raises(ValueError, match="owner"):
        Address("anything", kind, owner)


def test_only_issuance_and_system_accounts_go_below_zero_and_only_system_ones_are_uncounted():
    assert {kind for kind in AccountKind if kind.may_overdraw} == {
        AccountKind.ISSUANCE,
        AccountKind.DEBT,
        AccountKind.SYSTEM,
    }
    assert {kind for kind in AccountKind if not kind.is_counted} == {AccountKind.SYSTEM}


def test_the_dollar_can_be_no_netuids_alpha_and_its_accounts_hold_nothing_else():
    assert 2**16 <= USD < 2**31
    dollars = {a for a in vars(chart).values() if isinstance(a, Address) and a.asset == USD}
    assert {address.code for address in dollars} == {
        "usd:stripe-clearing", "usd:stripe-fees", "usd:fx", "usd:bank", "usd:disputes-receivable", "usd:disputes-loss",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (FEES, "Fees"),
        (STRIPE_CLEARING, "Stripe clearing"),
        (TREASURY, "Treasury"),
        (ISSUANCE, "Issuance"),
        (subnet_lock(4), "Lock of subnet 4"),
        (wallet(OWNER), "Wallet 00000000"),
        (lien(OWNER), "Lien 00000000"),
        (debt(OWNER), "Debt 00000000"),
        (stake(OWNER, HOTKEY, 3), f"Stake on {HOTKEY} in subnet 3"),
    ],
)
def test_an_account_is_spoken_in_words(address, words):
    assert spoken(address.code) == words


def test_every_code_is_two_or_three_words_of_the_audit_grammar():
    for code in Code:
        parts = code.value.split(":")
        assert len(parts) in {2, 3}
        assert all(part.isalpha() and part.islower() for part in parts)

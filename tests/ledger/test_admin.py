from datetime import timedelta

import pytest
from django.contrib import admin
from django.test import RequestFactory

from ledger import models
from ledger.admin import (
    AccountAdmin,
    EntryAdmin,
    HoldAdmin,
    SealAdmin,
    TransferAdmin,
    VerificationAdmin,
)
from ledger.reverifying import verify_some
from tests.ledger.make import NOW, funded_wallet, hold
from tests.ledger.seals import sealed


class Root:
    is_active = is_staff = is_superuser = True

    def has_perm(self, *_):
        return True


@pytest.fixture
def request_of_root():
    request = RequestFactory().get("/admin/")
    request.user = Root()
    return request


PAGES = [
    (models.Account, AccountAdmin),
    (models.Entry, EntryAdmin),
    (models.Transfer, TransferAdmin),
    (models.Hold, HoldAdmin),
    (models.Seal, SealAdmin),
    (models.Verification, VerificationAdmin),
]


@pytest.mark.parametrize(("model", "page"), PAGES)
def test_nobody_changes_the_books_in_the_admin(request_of_root, model, page):
    shown = page(model, admin.site)

    assert shown.has_view_permission(request_of_root)
    assert not shown.has_add_permission(request_of_root)
    assert not shown.has_change_permission(request_of_root)
    assert not shown.has_delete_permission(request_of_root)
    assert "delete_selected" not in shown.get_actions(request_of_root)


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "page"), PAGES)
def test_a_list_costs_the_same_for_one_row_and_for_many(
    request_of_root, model, page, django_assert_max_num_queries
):
    hold(funded_wallet(10), 5)
    for _ in range(19):
        hold(funded_wallet(10), 5)
    sealed(limit=2)
    for day in range(20 if model is models.Verification else 0):
        verify_some(now=NOW + timedelta(days=day))

    shown = page(model, admin.site).get_changelist_instance(request_of_root)
    with django_assert_max_num_queries(1):
        rows = list(
            shown.queryset.select_related(*getattr(page, "list_select_related", None) or [])
        )
        assert [str(getattr(row, field, "")) for row in rows for field in page.list_display]
    assert len(rows) >= 20


def test_a_seal_shows_its_whole_hash_and_a_pass_each_fault_as_text():
    seal = models.Seal(hash=bytes(range(32)))
    found = models.Verification(faults=["<b> is gone"])

    assert SealAdmin(models.Seal, admin.site).whole_hash(seal) == bytes(range(32)).hex()
    shown = VerificationAdmin(models.Verification, admin.site).found(found)
    assert shown == "<ul><li>&lt;b&gt; is gone</li></ul>"

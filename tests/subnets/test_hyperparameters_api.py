"""Hyperparameters over REST: the table, the log, and the owner's changes."""

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from subnets import operations
from subnets.hyperparameters import HYPERPARAMETERS, Authority
from subnets.models import HyperparameterChange, Subnet
from tests import make
from tests.subnets.consoles import Owner, signed_in

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def ada(db):
    return Owner("ada")


def get(path, client=None, **query):
    return (client or Client()).get(f"/api/v1/subnets/{path}", query)


def patch(ada, values, *, key="k", client=None):
    headers = {"Idempotency-Key": key} if key else {}
    return (client or ada.client).patch(
        f"/api/v1/subnets/{ada.netuid}/hyperparameters/", values,
        content_type="application/json", headers=headers,
    )  # fmt: skip


def row(answer, name):
    return next(one for one in answer.json()["results"] if one["name"] == name)


def test_anybody_reads_the_whole_table_in_its_order(ada):
    answer = get(f"{ada.netuid}/hyperparameters/")

    assert answer.status_code == 200
    assert [one["name"] for one in answer.json()["results"]] == [
        one.name for one in HYPERPARAMETERS
    ]
    block = answer.json()["block"]
    assert row(answer, "tempo") == {
        "name": "tempo", "value": "360", "default": "360", "low": "360", "high": "50400",
        "root_low": "1", "root_high": "65535", "unit": "blocks", "who": "owner",
        "doc": "Blocks from one epoch to the next. A change acts once the running epoch has ended.",
        "changeable_from_block": block,
    }  # fmt: skip
    assert row(answer, "kappa")["changeable_from_block"] is None


def test_the_owner_sets_several_at_once_and_sees_when_each_may_be_changed_again(ada):
    answer = patch(ada, {"immunity_period": "7", "alpha_low": 60_000, "alpha_high": "65000"})

    assert answer.status_code == 200
    assert row(answer, "immunity_period")["value"] == "7"
    again = row(answer, "immunity_period")["changeable_from_block"]
    assert again == HyperparameterChange.objects.get(name="immunity_period").block + 720
    assert ada.subnet.hyperparameters["alpha_high"] == 65_000


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({"tempo": "1"}, 422, "hyperparameter_out_of_bounds"),
        ({"tempo": str(10**19 - 1)}, 422, "hyperparameter_out_of_bounds"),
        ({"kappa": "1"}, 403, "hyperparameter_not_yours"),
        ({"rho": "1"}, 422, "hyperparameter_unknown"),
        ({"alpha_low": "60000"}, 422, "hyperparameters_contradict"),
        ({"tempo": "three"}, 400, "invalid_input"),
        ({"tempo": 0.5}, 400, "invalid_input"),
        ({"yuma3_enabled": True}, 400, "invalid_input"),
        ({"tempo": None}, 400, "invalid_input"),
        (["tempo"], 400, None),
    ],
)
def test_what_cannot_be_set_is_refused_by_its_name_and_nothing_is_set(ada, values, status, code):
    if isinstance(values, dict):
        values = {"immunity_period": "7"} | values

    answer = patch(ada, values)

    assert answer.status_code == status, answer.json()
    assert code is None or answer.json()["code"] == code
    assert ada.subnet.hyperparameters["immunity_period"] == 5_000
    assert not HyperparameterChange.objects.exists()


def test_a_second_change_of_a_row_says_from_which_block_on(ada):
    patch(ada, {"immunity_period": "7"})

    answer = patch(ada, {"immunity_period": "8"}, key="other")

    assert (answer.status_code, answer.json()["code"]) == (429, "hyperparameter_changed_lately")
    assert answer.json()["changeable_from_block"] == str(
        720 + HyperparameterChange.objects.get().block
    )


def test_only_the_owner_writes(ada):
    assert patch(ada, {"tempo": "400"}, client=Client()).status_code in {401, 403}
    stranger = patch(ada, {"tempo": "400"}, client=signed_in(make.user()))

    assert (stranger.status_code, stranger.json()["code"]) == (403, "not_the_owner")
    assert ada.subnet.hyperparameters["tempo"] == 360


def test_a_key_counts_once_and_is_not_taken_for_another_request(ada):
    assert patch(ada, {"tempo": "400"}, key="").json()["code"] == "idempotency_key_missing"
    first = patch(ada, {"tempo": "400"})
    # Meanwhile root sets something else; the repetition must not set it back.
    operations.set_hyperparameters(
        netuid=ada.netuid, account=make.user(staff=True).pk, values={"tempo": 500},
        now=timezone.now(), authority=Authority.ROOT,
    )  # fmt: skip
    again, other = patch(ada, {"tempo": "400"}), patch(ada, {"tempo": "401"})

    assert (first.status_code, again.status_code) == (200, 200)
    assert ada.subnet.hyperparameters["tempo"] == 500
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert other.json()["key"] == "k"


def test_a_repetition_changes_nothing_even_when_its_key_was_forgotten(ada):
    patch(ada, {"immunity_period": "7"})
    cache.clear()

    assert patch(ada, {"immunity_period": "7"}).status_code == 200
    assert HyperparameterChange.objects.count() == 1


def test_the_log_is_read_page_by_page_newest_first(ada):
    root = make.user(staff=True).pk
    for value in range(1, 6):
        operations.set_hyperparameters(
            netuid=ada.netuid, account=root, values={"kappa": value}, now=timezone.now(),
            authority=Authority.ROOT,
        )  # fmt: skip
    patch(ada, {"tempo": "400"})
    other = make.subnet(name="Other", now=timezone.now())

    newest = get(f"{ada.netuid}/hyperparameters/changes/", limit=4).json()
    older = Client().get(newest["next"]).json()

    assert [one["new_value"] for one in newest["results"]] == ["400", "5", "4", "3"]
    assert [one["new_value"] for one in older["results"]] == ["2", "1"]
    assert older["next"] is None
    first = newest["results"][0]
    assert (first["name"], first["old_value"], first["authority"]) == ("tempo", "360", "owner")
    assert (first["account"], newest["results"][1]["account"]) == (str(ada.user.pk), str(root))
    named = get(f"{ada.netuid}/hyperparameters/changes/", name="tempo").json()["results"]
    assert [one["new_value"] for one in named] == ["400"]
    assert get(f"{other}/hyperparameters/changes/").json()["results"] == []


@pytest.mark.parametrize("query", [{"name": "rho"}, {"limit": 0}, {"limit": 101}, {"before": "x"}])
def test_a_page_of_the_log_that_cannot_be_is_refused(ada, query):
    assert get(f"{ada.netuid}/hyperparameters/changes/", **query).status_code == 400


@pytest.mark.parametrize("path", ["77/hyperparameters/", "77/hyperparameters/changes/"])
def test_a_subnet_that_is_not_there_has_no_table(ada, path):
    answer = get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "subnet_unknown")


def test_the_table_costs_the_same_whatever_was_changed(ada, django_assert_num_queries):
    get(f"{ada.netuid}/hyperparameters/")
    with django_assert_num_queries(3):
        get(f"{ada.netuid}/hyperparameters/")
    patch(ada, {"immunity_period": "7", "tempo": "400", "min_burn": "9"})
    with django_assert_num_queries(3):
        get(f"{ada.netuid}/hyperparameters/")
    assert Subnet.objects.get().hyperparameters["min_burn"] == 9

"""The table of hyperparameters and who may change what."""

import pytest

from subnets import clock
from subnets.errors import (
    HyperparameterNotYours,
    HyperparameterOutOfBounds,
    HyperparametersContradict,
    HyperparameterUnknown,
)
from subnets.hyperparameters import BY_NAME, HYPERPARAMETERS, Authority, checked, defaults

TAO = 10**9


def test_names_are_unique_and_described():
    assert len(BY_NAME) == len(HYPERPARAMETERS) == 27
    assert all(row.doc.endswith(".") and row.unit for row in HYPERPARAMETERS)


@pytest.mark.parametrize("row", HYPERPARAMETERS, ids=lambda row: row.name)
def test_every_default_lies_within_its_bounds_and_root_may_do_what_owners_may(row):
    low, high = row.bounds(Authority.OWNER)
    root_low, root_high = row.bounds(Authority.ROOT)

    assert root_low <= low <= row.default <= high <= root_high


def test_the_defaults_are_those_of_a_new_subnet():
    values = defaults()

    assert checked({}) == values
    assert (values["tempo"], values["kappa"], values["owner_cut"]) == (360, 32_767, 11_796)
    assert (values["min_burn"], values["max_burn"]) == (500_000, 100 * TAO)
    assert values["yuma3_enabled"] == 1
    assert (
        clock.activity_cutoff_blocks(
            tempo=values["tempo"], factor_milli=values["activity_cutoff_factor"]
        )
        == 5_000
    )


def test_a_change_within_bounds_is_laid_over_the_current_values():
    current = defaults() | {"immunity_period": 7}

    values = checked({"tempo": 50_400}, current=current)

    assert values == current | {"tempo": 50_400}
    assert current["tempo"] == 360


@pytest.mark.parametrize("row", HYPERPARAMETERS, ids=lambda row: row.name)
@pytest.mark.parametrize("side", ["low", "high"])
def test_a_value_beyond_the_owners_bounds_is_refused(row, side):
    value = row.low - 1 if side == "low" else row.high + 1

    with pytest.raises(HyperparameterOutOfBounds) as refusal:
        checked({row.name: value})

    assert refusal.value.fields == {
        "name": row.name,
        "value": value,
        "low": row.low,
        "high": row.high,
        "unit": row.unit,
    }


def test_root_has_wider_bounds_for_the_tempo():
    assert checked({"tempo": 10}, by=Authority.ROOT)["tempo"] == 10
    with pytest.raises(HyperparameterOutOfBounds):
        checked({"tempo": 10}, by=Authority.OWNER)


def test_an_owner_cannot_raise_the_owners_cut():
    with pytest.raises(HyperparameterNotYours) as refusal:
        checked({"owner_cut": 20_000})

    assert refusal.value.fields == {"name": "owner_cut"}
    assert checked({"owner_cut": 20_000}, by=Authority.ROOT)["owner_cut"] == 20_000


def test_a_table_that_root_has_changed_passes_unchanged_for_its_owner():
    current = checked({"tempo": 10, "kappa": 40_000}, by=Authority.ROOT)

    assert checked(current, current=current) == current
    assert checked({"bonds_penalty": 0}, current=current)["tempo"] == 10


def test_an_unknown_name_is_refused():
    with pytest.raises(HyperparameterUnknown) as refusal:
        checked({"rho": 10})

    assert refusal.value.fields == {"name": "rho"}


@pytest.mark.parametrize("value", [True, 0.5, "1", None])
def test_a_value_that_is_no_integer_is_refused(value):
    with pytest.raises(HyperparameterOutOfBounds):
        checked({"yuma3_enabled": value})


@pytest.mark.parametrize(
    "values",
    [
        {"alpha_low": 58_983},
        {"alpha_high": 45_874},
        {"max_burn": TAO // 2, "min_burn": TAO // 2 + 1},
        {"max_allowed_uids": 64, "max_allowed_validators": 65},
    ],
)
def test_values_that_do_not_fit_together_are_refused(values):
    with pytest.raises(HyperparametersContradict) as refusal:
        checked(values, by=Authority.ROOT)

    assert refusal.value.fields["low"] > refusal.value.fields["high"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("yuma3_enabled", 7, "must lie between 0 and 1; 7 does not"),
        ("bonds_penalty", 70_000, "between 0 and 65535, in parts of 65535; 70000 does not"),
        ("immunity_period", -1, "between 0 and 65535 blocks; -1 does not"),
    ],
)
def test_bounds_are_said_in_words(name, value, said):
    with pytest.raises(HyperparameterOutOfBounds) as refusal:
        checked({name: value}, by=Authority.ROOT)

    assert said in str(refusal.value)
    assert refusal.value.fields["unit"] == BY_NAME[name].unit

"""Write into the log what had been changed before there was one, so that it tells of every value that is no default.

A row that has changed since then needs nothing: the first change in its log says what it stood at before.
"""

from uuid import UUID

from django.db import migrations

# What a subnet opened with while there was no log: the table of then, whatever it says later.
DEFAULTS = {
    "tempo": 360,
    "activity_cutoff_factor": 13_889,
    "kappa": 32_767,
    "bonds_moving_average": 900_000,
    "bonds_penalty": 65_535,
    "yuma3_enabled": 1,
    "liquid_alpha_enabled": 0,
    "alpha_low": 45_875,
    "alpha_high": 58_982,
    "alpha_sigmoid_steepness": 1_000,
    "max_allowed_uids": 256,
    "min_allowed_uids": 64,
    "max_allowed_validators": 64,
    "immunity_period": 5_000,
    "min_non_immune_uids": 10,
    "immune_owner_uids_limit": 1,
    "registration_allowed": 1,
    "min_burn": 500_000,
    "max_burn": 100_000_000_000,
    "burn_half_life": 360,
    "burn_increase_mult": 1_260,
    "owner_cut": 11_796,
    "owner_cut_enabled": 1,
    "recycle_or_burn": 0,
    "subnet_emission_enabled": 1,
    "stake_threshold": 1_000_000_000_000,
    "rule_notice": 1,
}
ROOTS = {
    "kappa",
    "min_allowed_uids",
    "max_allowed_validators",
    "min_non_immune_uids",
    "registration_allowed",
    "owner_cut",
    "subnet_emission_enabled",
    "stake_threshold",
}
UNKNOWN = UUID(int=0)  # which of the operator's accounts it was, nothing tells


def log_earlier_changes(apps, schema_editor):
    """Log a change for each value that is not the default and has no log, as of the block its slot was bought in.

    When it was made nobody knows; so early it makes no owner wait for the next one.
    """
    Subnet = apps.get_model("subnets", "Subnet")
    Change = apps.get_model("subnets", "HyperparameterChange")
    logged = set(Change.objects.values_list("subnet_id", "name"))
    Change.objects.bulk_create(
        Change(
            subnet=subnet,
            name=name,
            old_value=default,
            new_value=subnet.hyperparameters[name],
            authority="root" if name in ROOTS else "owner",
            account=UNKNOWN if name in ROOTS else subnet.owner,
            at=subnet.registered_at,
            block=subnet.registered_block,
        )
        for subnet in Subnet.objects.order_by("netuid")
        for name, default in DEFAULTS.items()
        if subnet.hyperparameters.get(name, default) != default and (subnet.netuid, name) not in logged
    )


class Migration(migrations.Migration):
    dependencies = [("subnets", "0004_tell_names_apart")]

    operations = [migrations.RunPython(log_earlier_changes, migrations.RunPython.noop)]

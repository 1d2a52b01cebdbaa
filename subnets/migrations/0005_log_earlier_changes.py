"""Write into the log what owners had changed before there was one, so that it gives today's values."""

from django.db import migrations
from django.utils import timezone

from subnets.hyperparameters import defaults


def log_earlier_changes(apps, schema_editor):
    """Log one change for each value that is not its row's default, as the owner's and as of now."""
    Subnet = apps.get_model("subnets", "Subnet")
    Network = apps.get_model("subnets", "Network")
    Change = apps.get_model("subnets", "HyperparameterChange")
    network = Network.objects.first()
    logged = set(Change.objects.values_list("subnet_id", "name"))
    Change.objects.bulk_create(
        Change(
            subnet=subnet,
            name=name,
            old_value=default,
            new_value=subnet.hyperparameters[name],
            authority="owner",
            account=subnet.owner,
            at=timezone.now(),
            block=network.accrued_block,
        )
        for subnet in Subnet.objects.order_by("netuid")
        for name, default in defaults().items()
        if subnet.hyperparameters.get(name, default) != default
        and (subnet.netuid, name) not in logged
    )


class Migration(migrations.Migration):
    dependencies = [("subnets", "0004_tell_names_apart")]

    operations = [migrations.RunPython(log_earlier_changes, migrations.RunPython.noop)]

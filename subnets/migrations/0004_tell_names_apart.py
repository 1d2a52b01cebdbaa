"""Tell names apart in the database too, after the names of the time before were put into one form."""

import unicodedata

from django.db import migrations, models

import subnets.columns

NAME_MAX = 60


def seen(text):
    """Return a text without what cannot be seen, in NFKC, with one blank between words."""
    plain = unicodedata.normalize("NFKC", text)
    shown = (" " if sign.isspace() else sign for sign in plain if sign.isspace() or sign.isprintable())
    return " ".join("".join(shown).split())


def put_into_one_form(apps, schema_editor):
    """Put every name into one form; where two become one, the later subnet's netuid tells them apart."""
    Subnet = apps.get_model("subnets", "Subnet")
    taken = set()
    for subnet in Subnet.objects.order_by("netuid"):
        name = seen(subnet.name)[:NAME_MAX] or f"Subnet {subnet.netuid}"
        if name.lower() in taken:
            suffix = f" {subnet.netuid}"
            name = name[: NAME_MAX - len(suffix)] + suffix
        taken.add(name.lower())
        summary = "".join(sign for sign in subnet.summary if sign.isprintable())
        if (name, summary) != (subnet.name, subnet.summary):
            Subnet.objects.filter(pk=subnet.pk).update(name=name, summary=summary)


class Migration(migrations.Migration):
    dependencies = [("subnets", "0003_pack_bundles")]

    operations = [
        migrations.RunPython(put_into_one_form, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="subnet",
            constraint=models.UniqueConstraint(
                subnets.columns.Folded("name"),
                name="subnets_subnet_name_is_unique_as_read",
                violation_error_message="Another subnet is called so. Choose a name that the eye tells from it.",
            ),
        ),
    ]

"""Tell names apart in the database too, after the names of the time before were put into one form."""

import unicodedata
from uuid import uuid4

from django.db import migrations, models

import subnets.columns

NAME_MAX = 60


def seen(text):
    """Return a text without what cannot be seen, in NFKC, with one blank between words."""
    plain = unicodedata.normalize("NFKC", text)
    shown = (" " if sign.isspace() else sign for sign in plain if sign.isspace() or sign.isprintable())
    return " ".join("".join(shown).split())


def put_into_one_form(apps, schema_editor):
    """Put every name into one form; where several become one, netuids tell all but one of them apart."""
    Subnet = apps.get_model("subnets", "Subnet")
    rows = list(Subnet.objects.order_by("netuid"))
    wanted = {
        subnet.netuid: seen(subnet.name)[:NAME_MAX].rstrip() or f"Subnet {subnet.netuid}" for subnet in rows
    }
    names, taken = {}, set()
    # A name that stood so before is kept before one that only now becomes it.
    for subnet in sorted(rows, key=lambda one: wanted[one.netuid] != one.name):
        read = folded(Subnet, wanted[subnet.netuid])
        if read not in taken:
            names[subnet.netuid] = wanted[subnet.netuid]
            taken.add(read)
    for netuid in [one.netuid for one in rows if one.netuid not in names]:
        names[netuid] = next(
            name for name in suffixed(wanted[netuid], netuid) if folded(Subnet, name) not in taken
        )
        taken.add(folded(Subnet, names[netuid]))
    renamed = [one for one in rows if names[one.netuid] != one.name]
    for subnet in renamed:  # out of each other's way: no name may stand twice on the way either
        Subnet.objects.filter(pk=subnet.pk).update(name=f"{subnet.netuid} {uuid4()}")
    for subnet in renamed:
        Subnet.objects.filter(pk=subnet.pk).update(name=names[subnet.netuid])
    for subnet in rows:
        summary = "".join(sign for sign in subnet.summary if sign.isprintable())
        if summary != subnet.summary:
            Subnet.objects.filter(pk=subnet.pk).update(summary=summary)


def folded(Subnet, name):
    """Return a name as the constraint compares it; the database and Python fold a few letters differently."""
    text = models.Value(name, output_field=models.TextField())
    return Subnet.objects.order_by("netuid").values_list(subnets.columns.Folded(text), flat=True)[0]


def suffixed(name, netuid):
    """Yield a name with its netuid, then with a number more, as long as it takes."""
    for suffix in (f" {netuid}", *(f" {netuid}.{n}" for n in range(2, 200))):
        yield name[: NAME_MAX - len(suffix)].rstrip() + suffix


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

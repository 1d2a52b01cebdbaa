"""Keep bundles as their canonical bytes, deflated, and what an epoch hands on beside them."""

from django.db import migrations, models

from subnets import packing

BATCH = 20  # bundles of seven megabytes at a time


def pack(apps, schema_editor):
    """Pack every bundle. The digest stays: jsonb kept all that the canonical spelling shows."""
    Epoch = apps.get_model("subnets", "Epoch")
    waiting = list(Epoch.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(waiting), BATCH):
        for epoch in Epoch.objects.filter(pk__in=waiting[start : start + BATCH]).only("bundle"):
            handed_on = {name: epoch.bundle["payroll"][name] for name in ("smoothed", "incumbents")}
            Epoch.objects.filter(pk=epoch.pk).update(
                packed=packing.packed(epoch.bundle), handed_on=packing.packed(handed_on)
            )


def unpack(apps, schema_editor):
    Epoch = apps.get_model("subnets", "Epoch")
    waiting = list(Epoch.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(waiting), BATCH):
        for epoch in Epoch.objects.filter(pk__in=waiting[start : start + BATCH]).only("packed"):
            Epoch.objects.filter(pk=epoch.pk).update(bundle=packing.unpacked(epoch.packed))


# Epochs are facts and their trigger refuses to change them. This writes the same facts in another way.
REST = "ALTER TABLE subnets_epoch DISABLE TRIGGER USER"
WAKE = "ALTER TABLE subnets_epoch ENABLE TRIGGER USER"

# What is deflated is not compressed a second time.
AS_IT_COMES = """
ALTER TABLE subnets_epoch
    ALTER COLUMN bundle SET STORAGE EXTERNAL, ALTER COLUMN handed_on SET STORAGE EXTERNAL
"""
BY_DEFAULT = """
ALTER TABLE subnets_epoch
    ALTER COLUMN bundle SET STORAGE EXTENDED, ALTER COLUMN handed_on SET STORAGE EXTENDED
"""


class Migration(migrations.Migration):
    dependencies = [("subnets", "0002_pay_engine")]

    operations = [
        migrations.AddField("epoch", "packed", models.BinaryField(null=True)),
        migrations.AddField("epoch", "handed_on", models.BinaryField(null=True)),
        migrations.AlterField("epoch", "bundle", models.JSONField(null=True)),
        migrations.RunSQL(REST, WAKE),
        migrations.RunPython(pack, unpack),
        migrations.RunSQL(WAKE, REST),
        migrations.RemoveField("epoch", "bundle"),
        migrations.RenameField("epoch", "packed", "bundle"),
        migrations.AlterField("epoch", "bundle", models.BinaryField()),
        migrations.AlterField("epoch", "handed_on", models.BinaryField()),
        migrations.RunSQL(AS_IT_COMES, BY_DEFAULT),
    ]

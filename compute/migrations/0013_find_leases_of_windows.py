"""A lease says its subnet, so that an epoch finds those of its window; it read every lease there ever was."""

from django.db import migrations, models

FROM_JOBS = """
UPDATE compute_lease AS lease SET netuid = job.netuid FROM compute_job AS job WHERE job.id = lease.job_id
"""


class Migration(migrations.Migration):
    dependencies = [("compute", "0012_repeat_chats")]

    operations = [
        migrations.AddField("lease", "netuid", models.PositiveSmallIntegerField(null=True)),
        migrations.RunSQL(FROM_JOBS, migrations.RunSQL.noop),
        migrations.AlterField("lease", "netuid", models.PositiveSmallIntegerField()),
        migrations.AddIndex(
            "lease",
            models.Index(
                fields=["netuid", "ended_at"],
                condition=models.Q(ended_at__isnull=False),
                name="compute_lease_window",
            ),
        ),
    ]

from pathlib import Path

from django.db import migrations

POST_HOLDS = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0010_post_moves'),
    ]

    operations = [
        migrations.RunSQL(POST_HOLDS, "DROP FUNCTION ledger_post_holds"),
    ]

from pathlib import Path

from django.db import migrations

POST_MOVES = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0009_close_accounts'),
    ]

    operations = [
        migrations.RunSQL(POST_MOVES, "DROP FUNCTION ledger_post_moves"),
    ]

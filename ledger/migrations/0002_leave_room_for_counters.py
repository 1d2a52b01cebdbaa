"""Leave half of every page of accounts free, so that counters are rewritten beside where they stood."""

from django.db import migrations

# PostgreSQL writes a changed row anew. Where its page is full, the row moves and every index of the table gets
# another entry; where there is room, none does. An epoch changes the counters of hundreds of accounts.
ROOM = "ALTER TABLE ledger_account SET (fillfactor = 50)"
FULL = "ALTER TABLE ledger_account RESET (fillfactor)"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [migrations.RunSQL(ROOM, FULL)]

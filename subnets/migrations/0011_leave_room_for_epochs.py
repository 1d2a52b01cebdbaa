"""Every epoch writes every neuron's row anew. With half a page free the new row finds room beside the old one and no
index has to learn of it; bonds, four kilobytes of random numbers, are no smaller for being compressed.
"""

from django.db import migrations

ROOM = "ALTER TABLE subnets_neuron SET (fillfactor = 50), ALTER COLUMN bonds SET STORAGE EXTERNAL"
NO_ROOM = "ALTER TABLE subnets_neuron RESET (fillfactor), ALTER COLUMN bonds SET STORAGE EXTENDED"


class Migration(migrations.Migration):
    dependencies = [("subnets", "0010_drop_unread_indexes")]

    operations = [migrations.RunSQL(ROOM, NO_ROOM)]

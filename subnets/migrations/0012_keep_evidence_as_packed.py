"""An epoch's evidence is deflated before it is written: that PostgreSQL tries to compress it once more is in vain."""

from django.db import migrations

AS_IT_IS = "ALTER TABLE subnets_epochevidence ALTER COLUMN packed SET STORAGE EXTERNAL"
COMPRESSED = "ALTER TABLE subnets_epochevidence ALTER COLUMN packed SET STORAGE EXTENDED"


class Migration(migrations.Migration):
    dependencies = [("subnets", "0011_leave_room_for_epochs")]

    operations = [migrations.RunSQL(AS_IT_IS, COMPRESSED)]

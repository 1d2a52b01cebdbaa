from django.db import migrations, models

# Bids are facts: the trigger that protects them steps aside for the number that each gets here.
NUMBER_BIDDERS = """
ALTER TABLE marketplace_bid DISABLE TRIGGER USER;
WITH appeared AS (
    SELECT auction_id, bidder, row_number() OVER (PARTITION BY auction_id ORDER BY min(sequence)) AS place
    FROM marketplace_bid GROUP BY auction_id, bidder
)
UPDATE marketplace_bid AS bid SET place = appeared.place
FROM appeared WHERE appeared.auction_id = bid.auction_id AND appeared.bidder = bid.bidder;
ALTER TABLE marketplace_bid ENABLE TRIGGER USER;
"""

KEEP_MAXIMA = """
WITH newest AS (
    SELECT DISTINCT ON (auction_id, bidder) auction_id, id, bidder, max_rao, sequence, place
    FROM marketplace_bid ORDER BY auction_id, bidder, sequence DESC
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY auction_id ORDER BY max_rao DESC, sequence) AS rank,
           count(*) OVER (PARTITION BY auction_id) AS bidder_count
    FROM newest
)
UPDATE marketplace_auction AS auction
SET lead_bid = first.id, lead_rao = first.max_rao, lead_sequence = first.sequence, leader_place = first.place,
    bidder_count = first.bidder_count,
    second = runner_up.bidder, second_rao = runner_up.max_rao, second_sequence = runner_up.sequence
FROM ranked AS first
LEFT JOIN ranked AS runner_up ON runner_up.auction_id = first.auction_id AND runner_up.rank = 2
WHERE first.rank = 1 AND first.auction_id = auction.id AND auction.leader IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0007_tell_people")]

    operations = [
        migrations.AddField("auction", "lead_bid", models.UUIDField(blank=True, null=True)),
        migrations.AddField("auction", "lead_rao", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField(
            "auction", "lead_sequence", models.PositiveIntegerField(blank=True, null=True)
        ),
        migrations.AddField("auction", "second", models.UUIDField(blank=True, null=True)),
        migrations.AddField("auction", "second_rao", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField(
            "auction", "second_sequence", models.PositiveIntegerField(blank=True, null=True)
        ),
        migrations.AddField(
            "auction", "leader_place", models.PositiveIntegerField(blank=True, null=True)
        ),
        migrations.AddField("auction", "bidder_count", models.PositiveIntegerField(default=0)),
        migrations.AddField(
            "bid", "place", models.PositiveIntegerField(default=0), preserve_default=False
        ),
        migrations.RunSQL(NUMBER_BIDDERS, migrations.RunSQL.noop),
        migrations.RunSQL(KEEP_MAXIMA, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='bid',
            index=models.Index(fields=['auction', 'bidder', '-sequence'], name='marketplace_bid_of_bidder'),
        ),
        migrations.AddConstraint(
            model_name='auction',
            constraint=models.CheckConstraint(condition=models.Q(('second__isnull', True), ('second_rao__lte', models.F('lead_rao')), _connector='OR'), name='marketplace_auction_second_is_not_above_the_lead'),
        ),
        migrations.AddConstraint(
            model_name='bid',
            constraint=models.CheckConstraint(condition=models.Q(('place__gte', 1), ('place__lte', models.F('sequence'))), name='marketplace_bid_place_is_within_its_sequence'),
        ),
    ]

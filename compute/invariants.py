"""What must always hold between jobs, leases and the ledger, asked of the database in one statement."""

from django.db import connection

from ledger.chart import Code

# A fault seldom comes alone; the first twenty of a kind say where to look.
FAULTS_SHOWN = 20

# Each query returns the faults of its claim as (job, what differs).
CLAIMS = {
    "a job's whole price is set aside for it, once": """
        SELECT id, format('price %%s, set aside %%s', price_rao, coalesce(amount_rao::text, 'nothing'))
        FROM priced WHERE amount_rao IS DISTINCT FROM price_rao
    """,
    "an open job's price stays set aside": """
        SELECT id, format('%%s, its hold is %%s', state, coalesce(hold_state, 'missing'))
        FROM priced WHERE state IN ('queued', 'leased', 'returned') AND hold_state <> 'open'
    """,
    # Who orders on a subnet of their own pays the owner's part to nobody.
    "a verified job is paid its price by its one entry": """
        SELECT id, format('price %%s, %%s paid by %%s', price_rao, coalesce(posted_rao, 0),
               coalesce(ended_by, 'nothing'))
        FROM priced
        WHERE state = 'verified' AND (
            ended_by IS DISTINCT FROM 'job:settled:' || id
            OR hold_state <> 'posted'
            OR posted_rao <> price_rao AND NOT EXISTS (
                SELECT 1 FROM subnets_ownership AS ownership
                WHERE ownership.subnet_id = priced.netuid AND ownership.owner = priced.owner
            )
        )
    """,
    "a failed job costs nothing": """
        SELECT id, format('its hold is %%s', coalesce(hold_state, 'missing'))
        FROM priced WHERE state = 'failed' AND hold_state NOT IN ('voided', 'expired')
    """,
    "only verified jobs are paid": """
        SELECT entry.key, format('the job is %%s', coalesce(job.state, 'missing'))
        FROM ledger_entry AS entry LEFT JOIN compute_job AS job ON 'job:settled:' || job.id = entry.key
        WHERE entry.code = %(settled)s AND job.state IS DISTINCT FROM 'verified'
    """,
    "a known-answer job costs nobody anything": """
        SELECT id::text, format('price %%s', price_rao)
        FROM compute_job WHERE origin = 'canary' AND price_rao <> 0
    """,
    "a job has one open lease while it is leased, and none at other times": """
        SELECT job.id::text, format('%%s, open leases: %%s', job.state, count(lease.id))
        FROM compute_job AS job
        LEFT JOIN compute_lease AS lease
               ON lease.job_id = job.id AND lease.state IN ('offered', 'taken')
        WHERE job.state = 'leased' OR lease.id IS NOT NULL
        GROUP BY job.id, job.state
        HAVING count(lease.id) <> CASE job.state WHEN 'leased' THEN 1 ELSE 0 END
    """,
    "a job that was returned or verified has a result": """
        SELECT job.id::text, job.state
        FROM compute_job AS job
        WHERE job.state IN ('returned', 'verified')
          AND NOT EXISTS (SELECT 1 FROM compute_result AS result WHERE result.job_id = job.id)
    """,
    "a result came back on a lease of its job, by the hotkey that held it": """
        SELECT result.job_id::text, format('result %%s', result.id)
        FROM compute_result AS result JOIN compute_lease AS lease ON lease.id = result.lease_id
        WHERE (lease.job_id, lease.hotkey, lease.state)
              IS DISTINCT FROM (result.job_id, result.hotkey, 'returned')
    """,
}

PRICED = """
WITH priced AS (
    SELECT job.id::text, job.netuid, job.owner, job.state, job.price_rao, hold.state AS hold_state,
           hold.amount_rao, hold.posted_rao, resolved.key AS ended_by
    FROM compute_job AS job
    LEFT JOIN ledger_entry AS placed ON placed.key = 'job:placed:' || job.id
    LEFT JOIN ledger_hold AS hold ON hold.placed_by_id = placed.id
    LEFT JOIN ledger_entry AS resolved ON resolved.id = hold.resolved_by_id
    WHERE job.price_rao > 0
)
"""


def check_books() -> list[str]:
    """Return what is wrong with jobs and leases, one sentence a fault; empty means all is well."""
    parts = [
        f"SELECT $claim${claim}$claim$, fault.* FROM ({query} LIMIT {FAULTS_SHOWN}) AS fault (subject, difference)"  # noqa: S608  constants above
        for claim, query in CLAIMS.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(PRICED + "\nUNION ALL\n".join(parts), {"settled": Code.JOB_SETTLED.value})
        return [
            f"compute: job {subject} breaks the rule that {claim}: {difference}"
            for claim, subject, difference in cursor.fetchall()
        ]

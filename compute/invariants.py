"""What must always hold between jobs, leases, tabs and the ledger, asked of the database in one statement."""

from ledger.chart import Code
from ledger.invariants import asked

# A fault seldom comes alone; the first twenty of a kind say where to look.
FAULTS_SHOWN = 20

# Each query returns the faults of its claim as (job or tab, what differs).
CLAIMS = {
    "a job's whole price is set aside for it, once": """
        SELECT id, format('price %%s, set aside %%s', price_rao, coalesce(amount_rao::text, 'nothing'))
        FROM priced WHERE amount_rao IS DISTINCT FROM price_rao OR placed_code IS DISTINCT FROM %(placed)s
    """,
    "an open job's price stays set aside": """
        SELECT id, format('%%s, its hold is %%s', state, coalesce(hold_state, 'missing'))
        FROM priced WHERE state IN ('queued', 'leased', 'returned') AND hold_state <> 'open'
    """,
    # An entry pays the jobs of a batch and is named after the first of them.
    # Who orders on a subnet of their own pays the owner's part to nobody.
    "a verified job is paid its price by its one entry": """
        SELECT id, format('price %%s, %%s paid by %%s', price_rao, coalesce(posted_rao, 0),
               coalesce(ended_by, 'nothing'))
        FROM priced
        WHERE state = 'verified' AND (
            ended_by IS DISTINCT FROM 'job:settled:' || first_id
            OR hold_state <> 'posted'
            OR posted_rao <> price_rao AND NOT EXISTS (
                SELECT 1 FROM subnets_ownership AS ownership
                WHERE ownership.subnet_id = priced.netuid AND ownership.owner = priced.owner
            )
        )
    """,
    "a failed or cancelled job costs nothing": """
        SELECT id, format('its hold is %%s', coalesce(hold_state, 'missing'))
        FROM priced WHERE state IN ('failed', 'cancelled') AND hold_state NOT IN ('voided', 'expired')
    """,
    "only verified jobs are paid": """
        SELECT entry.key, format('the job is %%s', coalesce(job.state, 'missing'))
        FROM ledger_entry AS entry
        LEFT JOIN ledger_hold AS hold ON hold.resolved_by_id = entry.id
        LEFT JOIN compute_job AS job ON job.hold = hold.id
        WHERE entry.code = %(settled)s AND job.state IS DISTINCT FROM 'verified'
    """,
    "a job that nobody ordered costs nobody anything": """
        SELECT id::text, format('price %%s', price_rao)
        FROM compute_job WHERE origin <> 'consumer' AND price_rao <> 0
    """,
    "a replica is done by none of those who ordered, did or repeated the job": """
        SELECT replica.id::text, format('owner %%s', machine.owner)
        FROM compute_job AS replica
        JOIN compute_job AS job ON job.id = replica.replicates_id
        JOIN compute_lease AS lease ON lease.job_id = replica.id AND lease.state = 'returned'
        JOIN compute_machine AS machine ON machine.id = lease.machine_id
        WHERE machine.owner = job.owner OR EXISTS (
            SELECT 1 FROM compute_lease AS other
            JOIN compute_job AS twin ON twin.id = other.job_id
            JOIN compute_machine AS theirs ON theirs.id = other.machine_id
            WHERE (twin.id = job.id OR twin.replicates_id = job.id) AND twin.id <> replica.id
              AND other.state = 'returned' AND theirs.owner = machine.owner
        )
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
    "a tab's money is set aside for it, and stays so while it is open": """
        SELECT id, format('%%s with %%s rao, its hold is %%s with %%s', state, held_rao,
               coalesce(hold_state, 'missing'), amount_rao)
        FROM kept WHERE amount_rao IS DISTINCT FROM held_rao OR (state = 'open') <> (hold_state = 'open')
    """,
    "what is used of a tab stays within it": """
        SELECT id, format('holds %%s, used %%s', held_rao, used_rao) FROM kept WHERE used_rao > held_rao
    """,
    "a settled tab is what its usages cost": """
        SELECT id, format('spent %%s, used %%s', spent_rao, used_rao)
        FROM kept WHERE state = 'settled' AND spent_rao <> used_rao
    """,
    # Who answers requests of their own, or owns the subnet, pays that part to nobody.
    "a settled tab is paid by its one entry": """
        SELECT id, format('spent %%s, %%s paid by %%s', spent_rao, posted_rao, coalesce(ended_by, 'nothing'))
        FROM kept
        WHERE state = 'settled' AND (
            ended_by IS DISTINCT FROM CASE WHEN spent_rao > 0 THEN 'tab:settled:' ELSE 'tab:released:' END || id
            OR posted_rao > spent_rao
            OR posted_rao < spent_rao AND NOT EXISTS (
                SELECT 1 FROM compute_usage AS usage
                LEFT JOIN subnets_hotkey AS hotkey ON hotkey.ss58 = usage.hotkey
                LEFT JOIN subnets_ownership AS ownership ON ownership.subnet_id = usage.netuid
                WHERE usage.tab_id = kept.tab_id AND kept.owner IN (hotkey.owner, ownership.owner)
            )
        )
    """,
}

SUBJECTS = """
WITH priced AS (
    SELECT job.id::text, job.netuid, job.owner, job.state, job.price_rao, hold.state AS hold_state,
           hold.amount_rao, hold.posted_rao, placed.code AS placed_code, resolved.key AS ended_by,
           min(job.id::text) OVER (PARTITION BY resolved.id) AS first_id
    FROM compute_job AS job
    LEFT JOIN ledger_hold AS hold ON hold.id = job.hold
    LEFT JOIN ledger_entry AS placed ON placed.id = hold.placed_by_id
    LEFT JOIN ledger_entry AS resolved ON resolved.id = hold.resolved_by_id
    WHERE job.price_rao > 0
), kept AS (
    SELECT tab.id::text, tab.id AS tab_id, tab.owner, tab.state, tab.held_rao, tab.spent_rao, hold.state AS hold_state,
           hold.amount_rao, hold.posted_rao, resolved.key AS ended_by, coalesce(used.rao, 0) AS used_rao
    FROM compute_tab AS tab
    LEFT JOIN ledger_entry AS opened ON opened.key = 'tab:opened:' || tab.id
    LEFT JOIN ledger_hold AS hold ON hold.placed_by_id = opened.id
    LEFT JOIN ledger_entry AS resolved ON resolved.id = hold.resolved_by_id
    LEFT JOIN (
        SELECT tab_id, sum(price_rao)::bigint AS rao FROM compute_usage WHERE tab_id IS NOT NULL GROUP BY tab_id
    ) AS used ON used.tab_id = tab.id
)
"""


def check_books() -> list[str]:
    """Return what is wrong with jobs, leases and tabs, one sentence a fault; empty means all is well."""
    parts = [
        f"SELECT $claim${claim}$claim$, fault.* FROM ({query} LIMIT {FAULTS_SHOWN}) AS fault (subject, difference)"  # noqa: S608  constants above
        for claim, query in CLAIMS.items()
    ]
    codes = {"placed": Code.JOB_PLACED.value, "settled": Code.JOB_SETTLED.value}
    return [
        f"compute: {subject} breaks the rule that {claim}: {difference}"
        for claim, subject, difference in asked(SUBJECTS + "\nUNION ALL\n".join(parts), codes)
    ]

-- Post an entry of moves alone: lock, decide, write, and answer with the entry's id. Where anything is in the way (an
-- account is missing, closed or not what it is said to be, has too little, or the key is taken) nothing is written
-- and the answer is NULL: ledger.operations takes the other road then, and says what it was.
-- Accounts are named once, those with counters first, each part in the order of codes, with what they are said to be;
-- moves name them by their places. So what is found is compared with what was said a column at once.
CREATE OR REPLACE FUNCTION ledger_post_moves(
    entry_key text, entry_code text, entry_at timestamptz, entry_note text, entry_digest text,
    codes text[], kinds text[], owners uuid[], assets int[],
    debits int[], credits int[], amounts_rao bigint[]
) RETURNS bigint
LANGUAGE plpgsql
-- Plans are kept for as long as a connection: made once, by index alone, though tables were short then.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
DECLARE
    account_count int := cardinality(codes);
    line_count int := cardinality(amounts_rao);
    counted_count int;
    known record;
    uncounted record;
    ids bigint[];
    balances_rao bigint[];    -- NULL: a system account has no counters
    floors_rao bigint[];      -- NULL: none
    credited_rao bigint[] := array_fill(0::bigint, ARRAY[account_count]);
    debit_balances_rao bigint[] := array_fill(0::bigint, ARRAY[line_count]);
    credit_balances_rao bigint[] := debit_balances_rao;
    place int;
    amount_rao bigint;
    new_id bigint;
BEGIN
    -- In the order of codes, as every posting does, so that no two wait for each other.
    SELECT array_agg(id) AS ids, array_agg(code::text) AS codes, array_agg(kind::text) AS kinds,
           array_agg(owner) AS owners, array_agg(asset) AS assets, array_agg(account.balance_rao) AS balances_rao,
           array_agg(CASE
               WHEN kind = 'issuance' THEN -21000000000000000  -- the cap
               WHEN NOT may_overdraw THEN debits_held
           END) AS floors_rao
    INTO known
    FROM (
        SELECT id, code, kind, owner, asset, may_overdraw, credits_posted - debits_posted AS balance_rao, debits_held
        FROM ledger_account WHERE code = ANY (codes) AND kind <> 'system' AND NOT is_closed
        ORDER BY code FOR NO KEY UPDATE
    ) AS account;
    ids := known.ids;
    balances_rao := known.balances_rao;
    floors_rao := known.floors_rao;
    counted_count := coalesce(cardinality(ids), 0);
    IF counted_count < account_count THEN
        -- Everybody pays these: they are locked by nobody.
        SELECT array_agg(id) AS ids, array_agg(code::text) AS codes, array_agg(kind::text) AS kinds,
               array_agg(owner) AS owners, array_agg(asset) AS assets, array_agg(NULL::bigint) AS nothing
        INTO uncounted
        FROM (
            SELECT id, code, kind, owner, asset FROM ledger_account
            WHERE code = ANY (codes) AND kind = 'system' ORDER BY code
        ) AS account;
        known.codes := known.codes || uncounted.codes;
        known.kinds := known.kinds || uncounted.kinds;
        known.owners := known.owners || uncounted.owners;
        known.assets := known.assets || uncounted.assets;
        ids := ids || uncounted.ids;
        balances_rao := balances_rao || uncounted.nothing;
        floors_rao := floors_rao || uncounted.nothing;
    END IF;
    IF (known.codes, known.kinds, known.owners, known.assets) IS DISTINCT FROM (codes, kinds, owners, assets) THEN
        RETURN NULL;
    END IF;

    -- One after the other: no account goes below its floor after any of them.
    FOR line IN 1 .. line_count LOOP
        amount_rao := amounts_rao[line];
        place := debits[line];
        debit_balances_rao[line] := balances_rao[place] - amount_rao;
        balances_rao[place] := debit_balances_rao[line];
        IF balances_rao[place] < floors_rao[place] THEN
            RETURN NULL;
        END IF;
        place := credits[line];
        credit_balances_rao[line] := balances_rao[place] + amount_rao;
        balances_rao[place] := credit_balances_rao[line];
        credited_rao[place] := credited_rao[place] + amount_rao;
    END LOOP;

    INSERT INTO ledger_entry (key, code, at, note, digest)
    VALUES (entry_key, entry_code, entry_at, entry_note, entry_digest)
    ON CONFLICT (key) DO NOTHING
    RETURNING id INTO new_id;
    IF new_id IS NULL THEN
        RETURN NULL;
    END IF;
    -- What was debited is the rest between what was credited and the balance that is left.
    UPDATE ledger_account AS account
    SET credits_posted = credits_posted + change.credited_rao,
        debits_posted = credits_posted + change.credited_rao - change.balance_rao
    FROM unnest(ids[:counted_count], credited_rao, balances_rao) AS change (id, credited_rao, balance_rao)
    WHERE account.id = change.id;
    INSERT INTO ledger_transfer
        (entry_id, position, debit_id, credit_id, amount_rao, debit_balance_rao, credit_balance_rao)
    SELECT new_id, line.position, ids[line.debit], ids[line.credit], line.amount_rao,
           line.debit_balance_rao, line.credit_balance_rao
    FROM unnest(debits, credits, amounts_rao, debit_balances_rao, credit_balances_rao) WITH ORDINALITY
        AS line (debit, credit, amount_rao, debit_balance_rao, credit_balance_rao, position);
    RETURN new_id;
END $$;

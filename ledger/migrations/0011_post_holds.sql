-- Post an entry that releases holds and then sets amounts aside: lock, decide, write. Nobody waits for the answer, which
-- travels together with the commit: where anything is in the way (a hold is not open or past its time, an account is
-- missing, closed or not what it is said to be, or has too little) the transaction ends with SN001, and
-- ledger.operations says what it was when it is asked by the other road.
-- Accounts are named once, by code, with what they are said to be; what is set aside names them by their places.
CREATE FUNCTION ledger_post_holds(
    entry_key text, entry_code text, entry_at timestamptz, entry_note text, entry_digest text,
    voided uuid[],
    codes text[], kinds text[], owners uuid[], assets int[],
    placed uuid[], placed_in int[], amounts_rao bigint[]
) RETURNS bigint
LANGUAGE plpgsql
-- Plans are kept for as long as a connection: made once, and not for tables that were short then.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    account record;
    hold record;
    place int;
    -- A hold never leaves its account.
    voided_in bigint[] := ARRAY(SELECT account_id FROM ledger_hold WHERE id = ANY (voided));
    ids bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(codes)]);
    spendable_rao bigint[] := ids;
    voided_count int := 0;
    entry_id bigint;
BEGIN
    -- In the order of codes, as every posting does, so that no two wait for each other.
    FOR account IN
        SELECT id, code, kind, owner, asset, is_closed, credits_posted - debits_posted - debits_held AS spendable_rao
        FROM ledger_account
        WHERE code = ANY (codes || ARRAY(SELECT code::text FROM ledger_account WHERE id = ANY (voided_in)))
        ORDER BY code FOR NO KEY UPDATE
    LOOP
        place := array_position(codes, account.code::text);
        IF account.is_closed
           OR (account.kind, account.asset) <> (kinds[place], assets[place])
           OR place IS NOT NULL AND account.owner IS DISTINCT FROM owners[place] THEN
            RAISE EXCEPTION 'account % is not what it is said to be', account.code USING ERRCODE = 'SN001';
        END IF;
        IF place IS NOT NULL THEN
            ids[place] := account.id;
            spendable_rao[place] := account.spendable_rao;
        END IF;
    END LOOP;
    IF array_position(ids, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'an account is missing' USING ERRCODE = 'SN001';
    END IF;
    FOR hold IN
        SELECT account_id, amount_rao FROM ledger_hold
        WHERE id = ANY (voided) AND state = 'open' AND (expires_at > entry_at) IS NOT FALSE
        ORDER BY id FOR NO KEY UPDATE
    LOOP
        voided_count := voided_count + 1;
        place := array_position(ids, hold.account_id);
        IF place IS NOT NULL THEN
            spendable_rao[place] := spendable_rao[place] + hold.amount_rao;
        END IF;
    END LOOP;
    IF voided_count < cardinality(voided) THEN
        RAISE EXCEPTION 'a hold is not open' USING ERRCODE = 'SN001';
    END IF;
    FOR line IN 1 .. cardinality(placed) LOOP
        place := placed_in[line];
        spendable_rao[place] := spendable_rao[place] - amounts_rao[line];
        IF spendable_rao[place] < 0 THEN
            RAISE EXCEPTION 'account % has too little', codes[place] USING ERRCODE = 'SN001';
        END IF;
    END LOOP;

    INSERT INTO ledger_entry (key, code, at, note, digest)
    VALUES (entry_key, entry_code, entry_at, entry_note, entry_digest)
    RETURNING id INTO entry_id;
    UPDATE ledger_account
    SET debits_held = debits_held + change.amount_rao
    FROM (
        SELECT account_id, sum(part_rao)::bigint AS amount_rao
        FROM (
            SELECT account_id, -amount_rao FROM ledger_hold WHERE id = ANY (voided)
            UNION ALL
            SELECT ids[at_place], part_rao FROM unnest(placed_in, amounts_rao) AS part (at_place, part_rao)
        ) AS part (account_id, part_rao)
        GROUP BY account_id
    ) AS change
    WHERE ledger_account.id = change.account_id AND change.amount_rao <> 0;
    UPDATE ledger_hold SET state = 'voided', posted_rao = 0, resolved_by_id = entry_id WHERE id = ANY (voided);
    INSERT INTO ledger_hold (id, account_id, placed_by_id, amount_rao, state, posted_rao)
    SELECT hold_id, ids[at_place], entry_id, part_rao, 'open', 0
    FROM unnest(placed, placed_in, amounts_rao) AS part (hold_id, at_place, part_rao);
    RETURN entry_id;
END $$;

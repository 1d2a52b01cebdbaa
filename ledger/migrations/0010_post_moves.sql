-- Post an entry of a few moves: lock, decide, write, and answer with the entry's id. Where anything is in the way (an
-- account is missing, closed or not what it is said to be, has too little, or the key is taken) nothing is written
-- and the answer is NULL: ledger.operations takes the other road then, and says what it was.
-- Accounts are named once, by code, with what they are said to be; moves name them by their places.
CREATE FUNCTION ledger_post_moves(
    entry_key text, entry_code text, entry_at timestamptz, entry_note text, entry_digest text,
    codes text[], kinds text[], owners uuid[], assets int[],
    debits int[], credits int[], amounts_rao bigint[]
) RETURNS bigint
LANGUAGE plpgsql
-- Plans are kept for as long as a connection: made once, and not for tables that were short then.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    account record;
    place int;
    ids bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(codes)]);
    balances_rao bigint[] := ids;    -- NULL: a system account has no counters
    spendable_rao bigint[] := ids;   -- NULL: without end
    credited_rao bigint[] := array_fill(0::bigint, ARRAY[cardinality(codes)]);
    debited_rao bigint[] := credited_rao;
    debit_balances_rao bigint[];
    credit_balances_rao bigint[];
    entry_id bigint;
BEGIN
    -- In the order of codes, as every posting does, so that no two wait for each other.
    FOR account IN
        SELECT id, code, kind, owner, asset, may_overdraw, credits_posted - debits_posted AS balance_rao, debits_held
        FROM ledger_account WHERE code = ANY (codes) AND kind <> 'system' AND NOT is_closed
        ORDER BY code FOR NO KEY UPDATE
    LOOP
        place := array_position(codes, account.code::text);
        IF (account.kind, account.asset) <> (kinds[place], assets[place])
           OR account.owner IS DISTINCT FROM owners[place] THEN
            RETURN NULL;
        END IF;
        ids[place] := account.id;
        balances_rao[place] := account.balance_rao;
        spendable_rao[place] := CASE
            WHEN account.kind = 'issuance' THEN account.balance_rao + 21000000000000000  -- down to the cap
            WHEN NOT account.may_overdraw THEN account.balance_rao - account.debits_held
        END;
    END LOOP;
    -- Everybody pays these: they are locked by nobody.
    IF 'system' = ANY (kinds) THEN
        FOR account IN
            SELECT id, code, asset FROM ledger_account WHERE code = ANY (codes) AND kind = 'system'
        LOOP
            place := array_position(codes, account.code::text);
            IF ('system', account.asset) <> (kinds[place], assets[place]) THEN
                RETURN NULL;
            END IF;
            ids[place] := account.id;
        END LOOP;
    END IF;
    IF array_position(ids, NULL) IS NOT NULL THEN
        RETURN NULL;
    END IF;

    -- One after the other: no account goes below zero after any of them.
    FOR line IN 1 .. cardinality(amounts_rao) LOOP
        place := debits[line];
        IF spendable_rao[place] < amounts_rao[line] THEN
            RETURN NULL;
        END IF;
        spendable_rao[place] := spendable_rao[place] - amounts_rao[line];
        balances_rao[place] := balances_rao[place] - amounts_rao[line];
        debited_rao[place] := debited_rao[place] + amounts_rao[line];
        debit_balances_rao[line] := balances_rao[place];
        place := credits[line];
        spendable_rao[place] := spendable_rao[place] + amounts_rao[line];
        balances_rao[place] := balances_rao[place] + amounts_rao[line];
        credited_rao[place] := credited_rao[place] + amounts_rao[line];
        credit_balances_rao[line] := balances_rao[place];
    END LOOP;

    INSERT INTO ledger_entry (key, code, at, note, digest)
    VALUES (entry_key, entry_code, entry_at, entry_note, entry_digest)
    ON CONFLICT (key) DO NOTHING
    RETURNING id INTO entry_id;
    IF entry_id IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE ledger_account
    SET credits_posted = credits_posted + credited_rao[array_position(ids, id)],
        debits_posted = debits_posted + debited_rao[array_position(ids, id)]
    WHERE id = ANY (ids) AND kind <> 'system';
    INSERT INTO ledger_transfer
        (entry_id, position, debit_id, credit_id, amount_rao, debit_balance_rao, credit_balance_rao)
    SELECT entry_id, line, ids[debits[line]], ids[credits[line]], amounts_rao[line],
           debit_balances_rao[line], credit_balances_rao[line]
    FROM generate_series(1, cardinality(amounts_rao)) AS line;
    RETURN entry_id;
END $$;

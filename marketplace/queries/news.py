"""News: where the facts are that people are told of, in one statement a source.

A source answers (kind, about, person, at, netuid, auction_id, data): who is to be told what, about which fact, and when it
happened. It sees the facts of a stretch of time, from since to now; told twice it is written once, so a stretch may
overlap the one before. A new kind of notice is one more source here, and an entry of `marketplace.notices.KINDS`.
"""

# Whoever bids in an auction, or watches its subnet, has an interest in it. The seller has one of their own; who was taken
# out has none.
# Asked of each auction in turn, so that the bids of those that have no news are not read.
INTERESTED = """
    SELECT watch.person_id AS person FROM marketplace_watch AS watch
    WHERE watch.netuid = auction.netuid AND watch.person_id <> auction.seller
    UNION
    SELECT bid.bidder FROM marketplace_bid AS bid
    WHERE bid.auction_id = auction.id AND bid.bidder <> ALL (auction.voided_bidders)
    UNION
    SELECT bid.bidder FROM marketplace_sealedbid AS bid WHERE bid.auction_id = auction.id
"""
HAS_BID = """(
    EXISTS (SELECT FROM marketplace_bid AS bid WHERE bid.auction_id = {auction} AND bid.bidder = {person})
    OR EXISTS (SELECT FROM marketplace_sealedbid AS bid WHERE bid.auction_id = {auction} AND bid.bidder = {person})
)"""

# Who led before a bid and does not lead now, told of the last bid that took the lead from them.
# A sealed auction has nobody who is known to lead. Bids and voids are counted together, each saying who leads after it.
OUTBID = """
SELECT DISTINCT ON (bid.auction_id, before.leader)
       'outbid' AS kind, bid.id::text AS about, before.leader AS person, bid.placed_at AS at,
       auction.netuid::int AS netuid, auction.id AS auction_id,
       jsonb_build_object('price_rao', bid.price_rao::text, 'closes_at', bid.closes_at) AS data
FROM marketplace_bid AS bid
JOIN marketplace_auction AS auction ON auction.id = bid.auction_id
JOIN (
    SELECT auction_id, sequence, leader FROM marketplace_bid
    UNION ALL
    SELECT auction_id, sequence, leader FROM marketplace_bidvoid
) AS before ON before.auction_id = bid.auction_id AND before.sequence = bid.sequence - 1
WHERE auction.state = 'open' AND auction.format = 'english'
  AND bid.placed_at > %(since)s AND bid.placed_at <= %(now)s
  AND before.leader <> bid.leader AND before.leader <> auction.leader
ORDER BY bid.auction_id, before.leader, bid.sequence DESC
"""

OPENED = """
SELECT 'opened' AS kind, auction.id::text AS about, watch.person_id AS person, auction.opens_at AS at,
       auction.netuid::int AS netuid, auction.id AS auction_id,
       jsonb_build_object('start_rao', auction.start_rao::text, 'closes_at', auction.closes_at,
                          'format', auction.format) AS data
FROM marketplace_auction AS auction
JOIN marketplace_watch AS watch ON watch.netuid = auction.netuid AND watch.watched_at <= auction.opens_at
WHERE auction.state = 'open' AND watch.person_id <> auction.seller
  AND auction.opens_at > %(since)s AND auction.opens_at <= %(now)s
"""

# After an outage only the nearest end is told. An auction that never was so far from its end was told when it opened.
ENDING = f"""
SELECT step.kind, auction.id::text AS about, reader.person, auction.closes_at - step.within AS at,
       auction.netuid::int AS netuid, auction.id AS auction_id,
       jsonb_build_object('closes_at', auction.closes_at) AS data
FROM (VALUES ('ending_day', interval '1 day', interval '1 hour'),
             ('ending_hour', interval '1 hour', interval '10 minutes'),
             ('ending_soon', interval '10 minutes', interval '0')) AS step (kind, within, next)
JOIN marketplace_auction AS auction
  ON auction.state = 'open' AND auction.closes_at - auction.opens_at > step.within
 AND auction.closes_at <= %(now)s + step.within AND auction.closes_at > %(now)s + step.next
 AND auction.closes_at - step.within > %(since)s
JOIN LATERAL ({INTERESTED}) AS reader ON true
"""  # noqa: S608  constants of this module

ENDED = f"""
SELECT CASE WHEN auction.called_off_reason <> '' THEN 'called_off'
            WHEN auction.state = 'settled' THEN 'lost' ELSE auction.state END AS kind, auction.id::text AS about,
       reader.person, auction.ended_at AS at, auction.netuid::int AS netuid, auction.id AS auction_id,
       jsonb_build_object('price_rao', sale.price_rao::text, 'reason', auction.called_off_reason) AS data
FROM marketplace_auction AS auction
LEFT JOIN marketplace_sale AS sale ON sale.auction_id = auction.id
JOIN LATERAL (
    {INTERESTED}
    UNION
    SELECT auction.seller WHERE auction.state = 'unsold' OR auction.called_off_reason <> ''
) AS reader ON true
WHERE auction.ended_at > %(since)s AND auction.ended_at <= %(now)s
  AND (auction.state IN ('unsold', 'cancelled')
       OR (sale.buyer <> reader.person AND {HAS_BID.format(auction="auction.id", person="reader.person")}))
"""  # noqa: S608  constants of this module

# Who agreed to a most they would pay took a price that stood there, and won against nobody.
SOLD = f"""
SELECT CASE reader.role
            WHEN 'seller' THEN 'sold'
            WHEN 'watcher' THEN 'changed_hands'
            ELSE CASE WHEN sale.auction_id IS NULL OR sale.max_cost_rao IS NOT NULL THEN 'bought' ELSE 'won' END
       END AS kind,
       sale.id::text AS about, reader.person, sale.sold_at AS at, sale.netuid::int AS netuid, sale.auction_id,
       jsonb_build_object('price_rao', sale.price_rao::text,
                          'earned_rao', (sale.price_rao - sale.fee_rao - sale.royalty_rao)::text) AS data
FROM marketplace_sale AS sale
JOIN LATERAL (
    SELECT 'seller' AS role, sale.seller AS person WHERE sale.seller IS NOT NULL
    UNION ALL
    SELECT 'buyer', sale.buyer
    UNION ALL
    SELECT 'watcher', watch.person_id FROM marketplace_watch AS watch
    WHERE watch.netuid = sale.netuid AND watch.watched_at < sale.sold_at
      AND watch.person_id IS DISTINCT FROM sale.seller AND watch.person_id <> sale.buyer
      AND NOT {HAS_BID.format(auction="sale.auction_id", person="watch.person_id")}
) AS reader ON true
WHERE sale.sold_at > %(since)s AND sale.sold_at <= %(now)s
"""  # noqa: S608  constants of this module

# The reason is the operator's to the bidder; nobody else is told of it. Bidders who were taken out are few ever. Whoever
# leads by a void has money set aside by another's hand; who was outbid or raised their maximum meanwhile knows better.
VOIDED = """
SELECT 'voided' AS kind, void.id::text AS about, void.bidder AS person, void.voided_at AS at,
       auction.netuid::int AS netuid, auction.id AS auction_id,
       jsonb_build_object('reason', rtrim(void.reason, '. ')) AS data
FROM marketplace_bidvoid AS void JOIN marketplace_auction AS auction ON auction.id = void.auction_id
WHERE void.voided_at > %(since)s AND void.voided_at <= %(now)s
UNION ALL
SELECT 'leading_again', void.id::text, void.leader, void.voided_at, auction.netuid::int, auction.id,
       jsonb_build_object('price_rao', void.price_rao::text, 'closes_at', auction.closes_at)
FROM marketplace_bidvoid AS void
JOIN marketplace_auction AS auction ON auction.id = void.auction_id AND auction.lead_bid = void.id
WHERE auction.state = 'open' AND void.voided_at > %(since)s AND void.voided_at <= %(now)s
"""

# Auctions that wait for payment are few at any time, and so are strikes ever.
UNPAID = """
SELECT 'payment_due' AS kind, auction.id::text AS about, auction.leader AS person,
       auction.due_at - auction.pay_within_s * interval '1 second' AS at,
       auction.netuid::int AS netuid, auction.id AS auction_id,
       jsonb_build_object('price_rao', auction.price_rao::text, 'due_at', auction.due_at) AS data
FROM marketplace_auction AS auction
WHERE auction.state = 'awaiting'
  AND auction.due_at - auction.pay_within_s * interval '1 second' > %(since)s
  AND NOT EXISTS (SELECT FROM marketplace_secondchance AS chance WHERE chance.auction_id = auction.id)
UNION ALL
SELECT 'second_chance', chance.id::text, chance.bidder, chance.offered_at, auction.netuid::int, auction.id,
       jsonb_build_object('price_rao', chance.price_rao::text, 'expires_at', chance.expires_at)
FROM marketplace_auction AS auction
JOIN marketplace_secondchance AS chance ON chance.auction_id = auction.id AND chance.state = 'offered'
WHERE auction.state = 'awaiting' AND chance.offered_at > %(since)s AND chance.offered_at <= %(now)s
UNION ALL
SELECT 'struck', strike.id::text, strike.owner, strike.struck_at, auction.netuid::int, auction.id,
       jsonb_build_object('forfeited_rao', strike.forfeited_rao::text)
FROM marketplace_strike AS strike JOIN marketplace_auction AS auction ON auction.id = strike.auction_id
WHERE strike.struck_at > %(since)s AND strike.struck_at <= %(now)s
"""

# The first version came with the slot; nobody has anything to learn from it.
RULES = """
SELECT 'rule_published' AS kind, rule.id::text AS about, reader.person, rule.published_at AS at,
       rule.subnet_id::int AS netuid, NULL::uuid AS auction_id,
       jsonb_build_object('version', rule.version, 'from_epoch', rule.from_epoch) AS data
FROM subnets_incentiverule AS rule
JOIN LATERAL (
    SELECT subnet.owner AS person FROM subnets_subnet AS subnet WHERE subnet.netuid = rule.subnet_id
    UNION
    SELECT watch.person_id FROM marketplace_watch AS watch
    WHERE watch.netuid = rule.subnet_id AND watch.watched_at <= rule.published_at
    UNION
    SELECT hotkey.owner FROM subnets_neuron AS neuron
    JOIN subnets_hotkey AS hotkey ON hotkey.ss58 = neuron.hotkey_id
    WHERE neuron.subnet_id = rule.subnet_id
) AS reader ON true
WHERE rule.version > 1 AND rule.published_at > %(since)s AND rule.published_at <= %(now)s
"""

# A move is told to the other side. What no move ended is told to both who waited, or to whose money is free.
OFFERS = """
SELECT CASE move.act
            WHEN 'offer' THEN 'offer_made'
            WHEN 'counter' THEN 'offer_countered'
            WHEN 'accept' THEN 'offer_accepted'
            WHEN 'decline' THEN 'offer_declined'
            ELSE 'offer_withdrawn'
       END AS kind,
       move.id::text AS about, CASE move.side WHEN 'buyer' THEN offer.owner ELSE offer.buyer END AS person,
       move.at, offer.netuid::int AS netuid, NULL::uuid AS auction_id,
       jsonb_build_object('offer_id', offer.id, 'amount_rao', move.amount_rao::text,
                          'expires_at', move.expires_at) AS data
FROM marketplace_offermove AS move JOIN marketplace_offer AS offer ON offer.id = move.offer_id
WHERE move.at > %(since)s AND move.at <= %(now)s
UNION ALL
SELECT CASE offer.state WHEN 'expired' THEN 'offer_lapsed' ELSE 'offer_superseded' END, offer.id::text, reader.person,
       offer.ended_at, offer.netuid::int, NULL::uuid,
       jsonb_build_object('offer_id', offer.id, 'amount_rao', offer.amount_rao::text)
FROM marketplace_offer AS offer
JOIN LATERAL (
    SELECT offer.buyer AS person
    UNION ALL
    SELECT offer.owner WHERE offer.state = 'expired'
) AS reader ON true
WHERE offer.ended_at > %(since)s AND offer.ended_at <= %(now)s AND offer.state IN ('expired', 'superseded')
"""

# Each step of a withdrawal; and what decides where money goes, so that whoever did not change it can still stop it.
WITHDRAWALS = """
SELECT step.kind, row.id || step.again AS about, row.owner AS person, step.at, NULL::int AS netuid, NULL::uuid AS auction_id,
       jsonb_build_object('name', 'Your withdrawal', 'withdrawal_id', row.id, 'held_rao', row.held_rao::text,
                          'arrives_cents', row.arrives_cents, 'reason', nullif(row.reason, '')) AS data
FROM marketplace_withdrawal AS row
JOIN LATERAL (VALUES ('withdrawal_requested', row.requested_at, ''), ('withdrawal_approved', row.approved_at, ''),
                     ('withdrawal_sent', row.sent_at, ''),
                     ('withdrawal_bank_refused', row.bank_refused_at, ':' || row.payout),
                     (CASE row.state WHEN 'arrived' THEN 'withdrawal_arrived' WHEN 'returned' THEN 'withdrawal_returned'
                                     WHEN 'refused' THEN 'withdrawal_refused' END, row.ended_at,
                      CASE WHEN row.state = 'arrived' AND row.bank_refused_at IS NOT NULL THEN ':' || row.payout ELSE '' END)
                    ) AS step (kind, at, again)
  ON step.kind IS NOT NULL AND (step.kind <> 'withdrawal_bank_refused' OR row.bank_fault <> '')
WHERE (row.ended_at IS NULL OR row.ended_at > %(since)s) AND step.at > %(since)s AND step.at <= %(now)s
UNION ALL
SELECT 'withdrawal_address_added', place.id::text, place.owner, place.added_at, NULL::int, NULL::uuid,
       jsonb_build_object('name', 'Your address book', 'label', place.label)
FROM marketplace_withdrawaladdress AS place
WHERE place.added_at > %(since)s AND place.added_at <= %(now)s
UNION ALL
SELECT 'withdrawal_account_changed', account.owner || ':' || account.changed_at, account.owner, account.changed_at,
       NULL::int, NULL::uuid, jsonb_build_object('name', 'Your account at Stripe')
FROM marketplace_payoutaccount AS account
WHERE account.changed_at > %(since)s AND account.changed_at <= %(now)s
UNION ALL
SELECT 'withdrawal_account_stopped', account.owner || ':' || account.stopped_at, account.owner, account.stopped_at,
       NULL::int, NULL::uuid, jsonb_build_object('name', 'Your account at Stripe')
FROM marketplace_payoutaccount AS account
WHERE account.stopped_at > %(since)s AND account.stopped_at <= %(now)s
"""

# The device that an account was opened on is news to nobody.
SECURITY = """
SELECT change.kind, change.id::text AS about, change.person_id AS person, change.happened_at AS at,
       NULL::int AS netuid, NULL::uuid AS auction_id,
       jsonb_build_object('about', change.about, 'device', change.device, 'changed_at', change.happened_at,
                          'where', coalesce(' at ' || host(change.address), '')) AS data
FROM marketplace_securitychange AS change
WHERE change.happened_at > %(since)s AND change.happened_at <= %(now)s
  AND (change.kind <> 'device_seen' OR EXISTS (
      SELECT FROM marketplace_securitychange AS before
      WHERE before.person_id = change.person_id AND before.kind = 'device_seen' AND before.id < change.id))
"""

# Whose card was stolen has no account here; whoever has one, and paid, can set their bank right.
CARDS = """
SELECT 'payment_refunded' AS kind, refund.deposit_id || ':' || refund.refunded_cents AS about, deposit.owner AS person,
       refund.refunded_at AS at, NULL::int AS netuid, NULL::uuid AS auction_id,
       jsonb_build_object('name', 'Your card payment', 'amount_cents', deposit.amount_cents,
                          'refunded_cents', refund.refunded_cents) AS data
FROM marketplace_fraudrefund AS refund JOIN marketplace_deposit AS deposit ON deposit.id = refund.deposit_id
WHERE refund.refunded_at > %(since)s AND refund.refunded_at <= %(now)s
UNION ALL
SELECT 'debt_forgiven', row.id::text, row.owner, row.ended_at, NULL::int, NULL::uuid,
       jsonb_build_object('name', 'Your debt', 'forgiven_rao', row.forgiven_rao::text)
FROM marketplace_forgiveness AS row
WHERE row.state = 'forgiven' AND row.ended_at > %(since)s AND row.ended_at <= %(now)s
"""

SOURCES = {
    "outbid": OUTBID,
    "opened": OPENED,
    "ending": ENDING,
    "ended": ENDED,
    "sold": SOLD,
    "voided": VOIDED,
    "unpaid": UNPAID,
    "rules": RULES,
    "offers": OFFERS,
    "withdrawals": WITHDRAWALS,
    "security": SECURITY,
    "cards": CARDS,
}

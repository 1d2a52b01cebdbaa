"""The books.

An Account holds the money of an owner, or of the house, in one asset. It keeps three counters: what was
credited, what was debited, and what open holds set aside; its balance is credits minus debits, and what
can be spent is that minus what is held. The database refuses a balance below zero.
An Entry is one business event, known by its key. Its Transfers each debit one account and credit another.
A Hold sets money of an account aside until it is posted, voided or expired, once.
Entries and transfers are facts: they never change and never go away; a wrong one is reversed.
System accounts keep no counters, so that no row is hot: their balance is folded from their transfers.
Nobody writes here but ledger.operations.
"""

import pgtrigger
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from ledger.chart import ISSUANCE, AccountKind
from ledger.money import MAX_SUPPLY_RAO
from ledger.seals import Seal, SealedEntry
from ledger.states import HoldState
from ledger.triggers import append_only, never_removed

CODE_LENGTH_MAX = 160  # the longest is stake:<netuid>:<hotkey>:<owner>
KEY_LENGTH_MAX = 200
__all__ = ["Account", "Entry", "Hold", "Seal", "SealedEntry", "Transfer"]


class StayWithinOneAsset(pgtrigger.Trigger):
    """Refuse a transfer between accounts of different assets; checked once per statement."""

    when = pgtrigger.After
    operation = pgtrigger.Insert
    level = pgtrigger.Statement
    referencing = pgtrigger.Referencing(new="new_rows")  # type: ignore[no-untyped-call]  # pgtrigger's
    func = """
        IF EXISTS (
            SELECT 1 FROM new_rows
            JOIN ledger_account AS debit ON debit.id = new_rows.debit_id
            JOIN ledger_account AS credit ON credit.id = new_rows.credit_id
            WHERE debit.asset <> credit.asset
        ) THEN
            RAISE EXCEPTION 'a transfer stays within one asset'
                USING ERRCODE = 'check_violation',
                      CONSTRAINT = 'ledger_transfer_stays_within_one_asset';
        END IF;
        RETURN NULL;
    """


class CountIssuance(pgtrigger.Trigger):
    """Refuse a transfer from or to issuance that its counters do not hold; checked once per statement.

    The cap stands on the counters of the account, so nothing may be issued past them: each transfer has to
    go on from the balance that the one before it left, and the last has to arrive at the counters.
    """

    when = pgtrigger.After
    operation = pgtrigger.Insert
    level = pgtrigger.Statement
    referencing = pgtrigger.Referencing(new="new_rows")  # type: ignore[no-untyped-call]  # pgtrigger's
    declare = [("issuance", "ledger_account%ROWTYPE"), ("stood", "bigint"), ("first", "bigint")]
    func = """
        SELECT * INTO issuance FROM ledger_account WHERE code = 'issuance';
        SELECT min(id) INTO first FROM new_rows WHERE issuance.id IN (debit_id, credit_id);
        IF first IS NULL THEN
            RETURN NULL;
        END IF;
        SELECT balance INTO stood FROM (
            (SELECT id, debit_balance_rao AS balance FROM ledger_transfer
             WHERE debit_id = issuance.id AND id < first ORDER BY id DESC LIMIT 1)
            UNION ALL
            (SELECT id, credit_balance_rao FROM ledger_transfer
             WHERE credit_id = issuance.id AND id < first ORDER BY id DESC LIMIT 1)
        ) AS latest ORDER BY id DESC LIMIT 1;
        IF EXISTS (
            SELECT 1 FROM (
                SELECT balance, change, coalesce(lag(balance) OVER in_order, stood, 0) AS before,
                       lead(id) OVER in_order IS NULL AS is_last
                FROM (
                    SELECT id,
                           CASE WHEN debit_id = issuance.id THEN debit_balance_rao ELSE credit_balance_rao END
                               AS balance,
                           CASE WHEN debit_id = issuance.id THEN -amount_rao ELSE amount_rao END AS change
                    FROM new_rows WHERE issuance.id IN (debit_id, credit_id)
                ) AS line
                WINDOW in_order AS (ORDER BY id)
            ) AS step
            WHERE balance IS DISTINCT FROM before + change
               OR (is_last AND balance <> issuance.credits_posted - issuance.debits_posted)
        ) THEN
            RAISE EXCEPTION 'what is issued is counted'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_transfer_of_issuance_is_counted';
        END IF;
        RETURN NULL;
    """


class CurrentTransaction(Func):
    """The number of the database's transaction; it grows, and passes no number that is still under way."""

    template = "(pg_current_xact_id()::text::bigint)"
    output_field = models.BigIntegerField()


class Account(models.Model):
    """Whose money, and how much of it."""

    code = models.CharField(max_length=CODE_LENGTH_MAX, unique=True, db_collation="C")
    kind = models.CharField(
        max_length=16, choices=[(kind.value, kind.name.title()) for kind in AccountKind]
    )
    owner = models.UUIDField(null=True)
    asset = models.PositiveIntegerField()
    credits_posted = models.BigIntegerField(default=0)
    debits_posted = models.BigIntegerField(default=0)
    debits_held = models.BigIntegerField(default=0)
    may_overdraw = models.BooleanField()

    class Meta:
        indexes = [models.Index(fields=["owner"], name="ledger_account_owner")]
        constraints = [
            models.CheckConstraint(
                name="ledger_account_does_not_overdraw",
                condition=Q(may_overdraw=True)
                | Q(credits_posted__gte=F("debits_posted") + F("debits_held")),
            ),
            models.CheckConstraint(
                name="ledger_account_issuance_stays_under_the_cap",
                condition=~Q(kind=AccountKind.ISSUANCE.value)
                | Q(debits_posted__lte=F("credits_posted") + MAX_SUPPLY_RAO),
            ),
            models.CheckConstraint(
                name="ledger_account_issuance_is_one",
                condition=~Q(kind=AccountKind.ISSUANCE.value) | Q(code=ISSUANCE.code),
            ),
            models.CheckConstraint(
                name="ledger_account_counts_from_zero",
                condition=Q(credits_posted__gte=0, debits_posted__gte=0, debits_held__gte=0),
            ),
            models.CheckConstraint(
                name="ledger_account_kind_is_known",
                condition=Q(kind__in=[kind.value for kind in AccountKind]),
            ),
            models.CheckConstraint(
                name="ledger_account_overdraws_only_by_its_kind",
                condition=Q(
                    may_overdraw=True,
                    kind__in=[kind.value for kind in AccountKind if kind.may_overdraw],
                )
                | Q(
                    may_overdraw=False,
                    kind__in=[kind.value for kind in AccountKind if not kind.may_overdraw],
                ),
            ),
            models.CheckConstraint(
                name="ledger_account_owner_fits_its_kind",
                condition=Q(
                    owner__isnull=False,
                    kind__in=[kind.value for kind in AccountKind if kind.has_owner],
                )
                | Q(
                    owner__isnull=True,
                    kind__in=[kind.value for kind in AccountKind if not kind.has_owner],
                ),
            ),
            models.CheckConstraint(
                name="ledger_account_of_the_system_has_no_counters",
                condition=~Q(kind=AccountKind.SYSTEM.value)
                | Q(credits_posted=0, debits_posted=0, debits_held=0),
            ),
        ]
        triggers = [
            pgtrigger.ReadOnly(
                name="keep_identity", fields=["code", "kind", "owner", "asset", "may_overdraw"]
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return self.code


class Entry(models.Model):
    """What happened, once."""

    key = models.CharField(max_length=KEY_LENGTH_MAX, unique=True, db_collation="C")
    code = models.CharField(max_length=40, help_text="Why: one of ledger.chart.Code.")
    at = models.DateTimeField(help_text="When it happened.")
    recorded_at = models.DateTimeField(db_default=Now(), help_text="When the books heard of it.")
    note = models.CharField(max_length=500, blank=True)
    digest = models.CharField(
        max_length=64, help_text="SHA-256 of the steps: tells a replay from a clash."
    )
    xid = models.BigIntegerField(
        db_default=CurrentTransaction(),
        help_text="The transaction that wrote it, for ledger.sealing.",
    )

    class Meta:
        verbose_name_plural = "entries"
        indexes = [
            models.Index(fields=["at"], name="ledger_entry_at"),
            models.Index(fields=["xid", "id"], name="ledger_entry_xid"),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return self.key


class Hold(models.Model):
    """Money set aside for one purpose. Its account is locked before it is touched."""

    id = models.UUIDField(primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    placed_by = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="holds_placed")
    amount_rao = models.BigIntegerField()
    expires_at = models.DateTimeField(null=True)
    state = models.CharField(
        max_length=8,
        choices=[(state.value, state.name.title()) for state in HoldState],
        default=HoldState.OPEN.value,
    )
    posted_rao = models.BigIntegerField(default=0)
    resolved_by = models.ForeignKey(
        Entry, on_delete=models.PROTECT, null=True, related_name="holds_resolved"
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["account"], condition=Q(state=HoldState.OPEN.value), name="ledger_hold_open"
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(state=HoldState.OPEN.value, expires_at__isnull=False),
                name="ledger_hold_due",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="ledger_hold_amount_is_positive", condition=Q(amount_rao__gt=0)
            ),
            models.CheckConstraint(
                name="ledger_hold_posts_at_most_its_amount",
                condition=Q(posted_rao__gte=0, posted_rao__lte=F("amount_rao")),
            ),
            models.CheckConstraint(
                name="ledger_hold_state_fits_its_facts",
                condition=Q(state=HoldState.OPEN.value, resolved_by__isnull=True, posted_rao=0)
                | Q(state=HoldState.POSTED.value, resolved_by__isnull=False)
                | Q(
                    state__in=[HoldState.VOIDED.value, HoldState.EXPIRED.value],
                    resolved_by__isnull=False,
                    posted_rao=0,
                ),
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="resolve_once",
                operation=pgtrigger.Update,
                condition=~pgtrigger.Q(old__state=HoldState.OPEN.value),
            ),
            pgtrigger.Protect(
                name="begin_open",
                operation=pgtrigger.Insert,
                condition=~pgtrigger.Q(new__state=HoldState.OPEN.value),
            ),
            pgtrigger.ReadOnly(
                name="keep_identity",
                fields=["id", "account", "placed_by", "amount_rao", "expires_at"],
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"{self.amount_rao} rao, {self.state}"


class Transfer(models.Model):
    """One amount from one account to another. Its balances are those right after it, for a statement."""

    entry = models.ForeignKey(
        Entry, on_delete=models.PROTECT, related_name="transfers", db_index=False
    )
    position = models.PositiveSmallIntegerField()
    debit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    credit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount_rao = models.BigIntegerField()
    hold = models.ForeignKey(
        Hold, on_delete=models.PROTECT, null=True, related_name="transfers", db_index=False
    )
    debit_balance_rao = models.BigIntegerField(null=True, help_text="Empty for a system account.")
    credit_balance_rao = models.BigIntegerField(null=True, help_text="Empty for a system account.")

    class Meta:
        indexes = [
            # A statement reads these backwards; the amount rides along so that a system account's
            # balance is an index-only sum.
            models.Index(
                fields=["debit", "id"], include=["amount_rao"], name="ledger_transfer_debits"
            ),
            models.Index(
                fields=["credit", "id"], include=["amount_rao"], name="ledger_transfer_credits"
            ),
            models.Index(
                fields=["hold"], condition=Q(hold__isnull=False), name="ledger_transfer_holds"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["entry", "position"], name="ledger_transfer_position_is_unique"
            ),
            models.CheckConstraint(
                name="ledger_transfer_amount_is_positive", condition=Q(amount_rao__gt=0)
            ),
            models.CheckConstraint(
                name="ledger_transfer_has_two_sides", condition=~Q(debit=F("credit"))
            ),
        ]
        triggers = [
            StayWithinOneAsset(name="stay_within_one_asset"),
            CountIssuance(name="tally_issuance"),
            *append_only(),
        ]

    def __str__(self) -> str:
        return f"{self.amount_rao} rao"

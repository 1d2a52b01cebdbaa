"""The books.

An Account holds the money of an owner, or of the house, in one asset. It keeps three counters: what was
credited, what was debited, and what open holds set aside; its balance is credits minus debits, and what
can be spent is that minus what is held. The database refuses a balance below zero.
An Entry is one business event, known by its key. Its Transfers each debit one account and credit another.
A Hold sets money of an account aside until it is posted, voided or expired, once.
A Closing says that an account takes and gives nothing from then on, or does again.
Entries and transfers are facts: they never change and never go away; a wrong one is reversed.
System accounts keep no counters, so that no row is hot: their balance is folded from their transfers.
Nobody writes here but ledger.operations.
"""

import pgtrigger
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from ledger.chart import AccountKind
from ledger.guards import CheckTransfers, FitTheChart, KeepColumns, StandStill
from ledger.money import MAX_SUPPLY_RAO
from ledger.refused import RefusedKey
from ledger.seals import Seal, SealedEntry, Verification
from ledger.states import HoldState
from ledger.triggers import Refuse, append_only, never_removed

CODE_LENGTH_MAX = 160  # the longest is stake:<netuid>:<hotkey>:<owner>
KEY_LENGTH_MAX = 200
__all__ = [
    "Account",
    "Closing",
    "Entry",
    "Hold",
    "RefusedKey",
    "Seal",
    "SealedEntry",
    "Transfer",
    "Verification",
]


class CurrentTransaction(Func):
    """The number of the database's transaction; it grows, and passes no number that is still under way."""

    template = "(pg_current_xact_id()::text::bigint)"
    output_field = models.BigIntegerField()


class Account(models.Model):
    """Whose money, and how much of it."""

    code = models.CharField(max_length=CODE_LENGTH_MAX, db_collation="C")
    kind = models.CharField(
        max_length=16, choices=[(kind.value, kind.name.title()) for kind in AccountKind]
    )
    owner = models.UUIDField(null=True)
    asset = models.PositiveIntegerField()
    credits_posted = models.BigIntegerField(default=0)
    debits_posted = models.BigIntegerField(default=0)
    debits_held = models.BigIntegerField(default=0)
    may_overdraw = models.BooleanField()
    is_closed = models.BooleanField(db_default=False, help_text="It takes and gives nothing.")

    class Meta:
        indexes = [models.Index(fields=["owner"], name="ledger_account_owner")]
        constraints = [
            # Not unique=True, which makes a second index, for LIKE: sorted as bytes, one serves both.
            models.UniqueConstraint(fields=["code"], name="ledger_account_code_is_unique"),
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
                name="ledger_account_counts_from_zero",
                condition=Q(credits_posted__gte=0, debits_posted__gte=0, debits_held__gte=0),
            ),
            models.CheckConstraint(
                name="ledger_account_of_the_system_has_no_counters",
                condition=~Q(kind=AccountKind.SYSTEM.value)
                | Q(credits_posted=0, debits_posted=0, debits_held=0),
            ),
        ]
        triggers = [
            FitTheChart(name="fit_the_chart"),
            StandStill(name="stand_still"),
            KeepColumns(
                name="keep_identity",
                columns=["id", "code", "kind", "owner", "asset", "may_overdraw"],
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return self.code


class Entry(models.Model):
    """What happened, once."""

    key = models.CharField(max_length=KEY_LENGTH_MAX, db_collation="C")
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
        constraints = [models.UniqueConstraint(fields=["key"], name="ledger_entry_key_is_unique")]
        triggers = append_only()

    def __str__(self) -> str:
        return self.key


class Closing(models.Model):
    """An entry that closed an account, or opened it again."""

    entry = models.OneToOneField(
        Entry, on_delete=models.PROTECT, primary_key=True, related_name="closing"
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="closings")
    is_closed = models.BooleanField()

    class Meta:
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.account_id} {'closed' if self.is_closed else 'opened again'}"


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
            Refuse(
                name="resolve_once",
                operation=pgtrigger.Update,
                condition=~pgtrigger.Q(old__state=HoldState.OPEN.value),
            ),
            Refuse(
                name="begin_open",
                operation=pgtrigger.Insert,
                condition=~pgtrigger.Q(new__state=HoldState.OPEN.value),
            ),
            KeepColumns(
                name="keep_identity",
                columns=["id", "account_id", "placed_by_id", "amount_rao", "expires_at"],
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"{self.amount_rao} rao, {self.state}"


class Transfer(models.Model):
    """One amount from one account to another. Its balances are those right after it, for a statement.

    What it names is checked by CheckTransfers, a statement at once, in place of foreign keys.
    """

    entry = models.ForeignKey(
        Entry,
        on_delete=models.PROTECT,
        related_name="transfers",
        db_index=False,
        db_constraint=False,
    )
    position = models.PositiveSmallIntegerField()
    debit = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    credit = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    amount_rao = models.BigIntegerField()
    hold = models.ForeignKey(
        Hold,
        on_delete=models.PROTECT,
        null=True,
        related_name="transfers",
        db_index=False,
        db_constraint=False,
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
            CheckTransfers(name="check_transfers"),
            *append_only(),
        ]

    def __str__(self) -> str:
        return f"{self.amount_rao} rao"

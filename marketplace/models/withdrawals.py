"""Money on its way out, where it may go, and who let it go."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import F, Q

from ledger.triggers import append_only, never_removed
from marketplace.bankpayouts import News, Word
from marketplace.chain import Fate
from marketplace.models.approving import RequireApprovals
from marketplace.withdrawing import Rail

REASON_LENGTH_MAX = 200


class WithdrawalAddress(models.Model):
    """An address on the chain in somebody's address book. TAO goes to no other, and to a new one after a while."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner = models.UUIDField()
    ss58 = models.CharField(max_length=64)
    label = models.CharField(max_length=60)
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "withdrawal addresses"
        ordering = ["added_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "ss58"],
                condition=Q(removed_at__isnull=True),
                name="marketplace_withdrawaladdress_is_once_in_a_book",
            ),
        ]
        triggers = never_removed()

    def __str__(self) -> str:
        return f"{self.label} {self.ss58}"


class PayoutAccount(models.Model):
    """An owner's account at Stripe, which takes their dollars and pays them out to a bank that only Stripe knows."""

    class State(models.TextChoices):
        PENDING = "pending", "Waits for what Stripe asks of you"
        """Stripe has not been told all it asks for, or looks at it."""
        ACTIVE = "active", "Takes money"
        """Stripe takes transfers for it."""
        RESTRICTED = "restricted", "Takes no money"
        """Stripe refuses transfers to it, for now or for good."""

    TRANSITIONS = {
        State.PENDING: {State.ACTIVE, State.RESTRICTED},
        State.ACTIVE: {State.PENDING, State.RESTRICTED},
        State.RESTRICTED: {State.PENDING, State.ACTIVE},
    }

    owner = models.UUIDField(primary_key=True)
    account_id = models.CharField(max_length=200, unique=True, null=True, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField(
        help_text="When it was made, or its bank last changed: dollars wait from then on."
    )
    seen_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when Stripe pays nothing out of it to the bank."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="active") | Q(account_id__isnull=False, seen_at__isnull=False),
                name="marketplace_payoutaccount_active_was_seen",
            ),
        ]
        triggers = never_removed()

    def __str__(self) -> str:
        return f"payout account {self.account_id}"

    @property
    def pays_out(self) -> bool:
        """Say whether dollars that are sent to it go on to the bank."""
        return self.state == self.State.ACTIVE and self.stopped_at is None

    def move_to(self, state: "PayoutAccount.State") -> None:
        """Take what Stripe says now; staying where it is is no move."""
        assert state == self.state or state in self.TRANSITIONS[PayoutAccount.State(self.state)]
        self.state = state


class Withdrawal(models.Model):
    class State(models.TextChoices):
        REQUESTED = "requested", "Waits for approval"
        """The money is set aside; staff looks at it. Its owner may cancel."""
        APPROVED = "approved", "Approved"
        """Enough people of staff let it go; the next sweep sends it."""
        SENDING = "sending", "Being sent"
        """The rail was asked, or is about to be; whether it took it is asked again until it is known."""
        SENT = "sent", "Sent"
        """The rail took it: an extrinsic that is not final, or a transfer to the owner's account at Stripe."""
        ARRIVED = "arrived", "Arrived"
        """The extrinsic is final, or Stripe paid the dollars out to the bank."""
        RETURNED = "returned", "Returned"
        """It failed, was dropped or came back: the money is in the wallet again."""
        REFUSED = "refused", "Refused"
        """Staff said no; the money is in the wallet again."""
        CANCELLED = "cancelled", "Cancelled"
        """Its owner took it back before it was approved."""

    TRANSITIONS = {
        State.REQUESTED: {State.APPROVED, State.REFUSED, State.CANCELLED},
        State.APPROVED: {State.SENDING, State.REFUSED},
        State.SENDING: {State.SENT, State.RETURNED},
        State.SENT: {State.ARRIVED, State.RETURNED},
        # Dollars that were paid out may come back from the bank weeks later: to Stripe, or even here.
        State.ARRIVED: {State.SENT, State.RETURNED},
        State.RETURNED: set(),
        State.REFUSED: set(),
        State.CANCELLED: set(),
    }
    ENDED_UNSENT = (State.REFUSED, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner = models.UUIDField()
    key = models.CharField(max_length=200, unique=True)
    rail = models.CharField(max_length=10, choices=[(rail.value, rail.value) for rail in Rail])
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    destination = models.CharField(
        max_length=200, help_text="An address of the chain, or an account at Stripe."
    )
    held_rao = models.BigIntegerField(help_text="What is set aside until it ends.")
    fee_rao = models.BigIntegerField(help_text="What of it the house keeps.")
    arrives_cents = models.PositiveIntegerField(
        null=True, blank=True, help_text="What arrives, where dollars do."
    )
    approvals_needed = models.PositiveSmallIntegerField()
    requested_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(help_text="When it is sent, or looked at, again.")
    waits_for = models.CharField(
        max_length=REASON_LENGTH_MAX, blank=True, help_text="Why it was not sent yet."
    )
    refusal_count = models.PositiveIntegerField(
        default=0, help_text="How often the rail refused it: each is a new try, under a new key."
    )
    reference = models.CharField(
        max_length=200,
        unique=True,
        null=True,
        blank=True,
        help_text="The extrinsic, or Stripe's transfer.",
    )
    payout = models.CharField(
        max_length=200, blank=True, help_text="Stripe's payout that took the dollars last."
    )
    payout_made_at = models.DateTimeField(null=True, blank=True)
    bank_fault = models.CharField(
        max_length=60, blank=True, help_text="Why the bank sent the dollars back to Stripe."
    )
    bank_refused_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(
        max_length=REASON_LENGTH_MAX, blank=True, help_text="Why it was refused, or came back."
    )

    class Meta:
        permissions = [("decide_withdrawal", "Can approve and refuse withdrawals")]
        constraints = [
            models.CheckConstraint(
                condition=Q(fee_rao__gte=0, held_rao__gt=F("fee_rao")),
                name="marketplace_withdrawal_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(rail="stripe", arrives_cents__gt=0)
                | Q(rail="chain", arrives_cents__isnull=True),
                name="marketplace_withdrawal_of_dollars_has_cents",
            ),
            models.CheckConstraint(
                condition=Q(approvals_needed__in=[1, 2]),
                name="marketplace_withdrawal_is_approved_by_one_or_two",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "sending", "sent", "arrived"])
                | Q(approved_at__isnull=False),
                name="marketplace_withdrawal_approved_has_approved_at",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["sent", "arrived"])
                | Q(sent_at__isnull=False, reference__isnull=False),
                name="marketplace_withdrawal_sent_has_reference",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=["arrived", "returned", "refused", "cancelled"],
                    ended_at__isnull=False,
                )
                | Q(state__in=["requested", "approved", "sending", "sent"], ended_at__isnull=True),
                name="marketplace_withdrawal_ended_has_ended_at",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["refused", "returned"]) | ~Q(reason=""),
                name="marketplace_withdrawal_that_failed_says_why",
            ),
            models.CheckConstraint(
                condition=Q(payout="", payout_made_at__isnull=True)
                | Q(~Q(payout=""), payout_made_at__isnull=False),
                name="marketplace_withdrawal_payout_has_instant",
            ),
            models.CheckConstraint(
                condition=Q(bank_fault="")
                | Q(state__in=["sent", "returned"], bank_refused_at__isnull=False) & ~Q(payout=""),
                name="marketplace_withdrawal_bank_refused_what_was_paid_out",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-requested_at"], name="marketplace_withdrawal_newest"),
            models.Index(fields=["ended_at"], name="marketplace_withdrawal_ended"),
            models.Index(fields=["bank_refused_at"], name="marketplace_withdrawal_refused"),
            models.Index(
                fields=["next_at"],
                condition=Q(state__in=["approved", "sending", "sent"]),
                name="marketplace_withdrawal_due",
            ),
        ]
        triggers = [
            *never_removed(),
            RequireApprovals(
                name="require_approvals",
                states=["approved", "sending", "sent", "arrived"],
                approvals=("marketplace_withdrawalapproval", "withdrawal_id"),
                constraint="marketplace_withdrawal_that_goes_was_approved",
                words="a withdrawal that goes was approved",
            ),
        ]

    def __str__(self) -> str:
        return f"withdrawal {self.id}"

    @property
    def arrives_rao(self) -> int:
        """Return what arrives on the chain."""
        return self.held_rao - self.fee_rao

    @property
    def arrives(self) -> int:
        """Return what arrives in the rail's own unit: US cents, or rao."""
        return self.arrives_cents or self.arrives_rao

    @property
    def is_held(self) -> bool:
        """Say whether its TAO is still set aside: dollars are paid for when they are sent, TAO when it is final."""
        open_states = {self.State.REQUESTED, self.State.APPROVED, self.State.SENDING}
        return self.state in open_states or (
            self.state == self.State.SENT and self.rail == Rail.CHAIN
        )

    @property
    def heard_of_bank(self) -> News | None:
        """Return what is known of the payout that took the dollars last; None before there was one."""
        if self.payout_made_at is None:
            return None
        word = Word.ARRIVED if self.state == self.State.ARRIVED else Word.UNDER_WAY
        return News(self.payout_made_at, self.payout, Word.REFUSED if self.bank_fault else word)

    def reopen(self) -> None:
        """Take back that dollars arrived: they are at Stripe again. The caller saves it."""
        assert self.state in {self.State.SENT, self.State.ARRIVED}
        self.state, self.ended_at = self.State.SENT, None

    def move_to(self, state: "Withdrawal.State", now: datetime) -> None:
        """Move on, and note when; the caller saves it."""
        assert state in self.TRANSITIONS[self.State(self.state)], f"{self.state} to {state}"
        self.state = state
        match state:
            case self.State.APPROVED:
                self.approved_at = now
            case self.State.SENT:
                self.sent_at = now
            case self.State.SENDING:
                pass
            case _:
                self.ended_at = now


class WithdrawalApproval(models.Model):
    """One person of staff lets a withdrawal go: a fact."""

    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, related_name="approvals")
    owner = models.UUIDField(help_text="Whose money it is: never the one who approves.")
    operator = models.UUIDField()
    approved_at = models.DateTimeField()

    class Meta:
        ordering = ["approved_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["withdrawal", "operator"],
                name="marketplace_withdrawalapproval_is_once_a_person",
            ),
            models.CheckConstraint(
                condition=~Q(operator=F("owner")),
                name="marketplace_withdrawalapproval_is_not_the_owners",
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"approval by {self.operator}"


class RehearsedBroadcast(models.Model):
    """What the rehearsed chain was asked to send. No TAO moves anywhere by it: see operations.rehearsed_chain."""

    request = models.UUIDField(primary_key=True)
    extrinsic = models.CharField(max_length=66, unique=True)
    address = models.CharField(max_length=64)
    amount_rao = models.BigIntegerField()
    fee_rao = models.BigIntegerField()
    sent_at = models.DateTimeField()
    fate = models.CharField(
        max_length=10,
        choices=[(fate.value, fate.value) for fate in Fate],
        default=Fate.PENDING.value,
        help_text="Pending: final once its time has passed.",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_rao__gt=0, fee_rao__gte=0),
                name="marketplace_rehearsedbroadcast_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"rehearsed {self.extrinsic}"

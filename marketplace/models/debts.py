"""Debts for card payments that staff gives up, and who of them said so."""

import uuid

from django.db import models
from django.db.models import F, Q

from ledger.triggers import append_only, never_removed
from marketplace.models.approving import RequireApprovals
from marketplace.models.cards import Deposit

REASON_LENGTH_MAX = 200


class Forgiveness(models.Model):
    """What an owner owes of a deposit is to be given up, at the house's loss."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Waits for another person"
        """One person of staff asked for it; the debt stands."""
        FORGIVEN = "forgiven", "Forgiven"
        """Enough people agreed; the debt is gone and the house has the loss."""
        REFUSED = "refused", "Refused"
        """Somebody of staff said no; the debt stands."""

    TRANSITIONS = {
        State.REQUESTED: {State.FORGIVEN, State.REFUSED},
        State.FORGIVEN: set(),
        State.REFUSED: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT, related_name="forgivenesses")
    owner = models.UUIDField(help_text="Who owes.")
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    most_rao = models.BigIntegerField(
        help_text="What was owed when it was asked for: no more is forgiven."
    )
    reason = models.CharField(max_length=REASON_LENGTH_MAX)
    requested_by = models.UUIDField()
    requested_at = models.DateTimeField()
    approvals_needed = models.PositiveSmallIntegerField()
    forgiven_rao = models.BigIntegerField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "forgiven debts"
        permissions = [("forgive_debt", "Can ask that debts are forgiven, and agree to it")]
        constraints = [
            models.UniqueConstraint(
                fields=["deposit"],
                condition=~Q(state="refused"),
                name="marketplace_forgiveness_is_once_a_deposit",
            ),
            models.CheckConstraint(
                condition=Q(approvals_needed__in=[1, 2]),
                name="marketplace_forgiveness_is_agreed_to_by_one_or_two",
            ),
            models.CheckConstraint(
                condition=~Q(requested_by=F("owner")),
                name="marketplace_forgiveness_is_not_the_owners",
            ),
            models.CheckConstraint(
                condition=Q(state="forgiven", forgiven_rao__gt=0, forgiven_rao__lte=F("most_rao"))
                | Q(~Q(state="forgiven"), forgiven_rao__isnull=True),
                name="marketplace_forgiveness_forgiven_has_amount",
            ),
            models.CheckConstraint(
                condition=Q(state="requested", ended_at__isnull=True)
                | Q(~Q(state="requested"), ended_at__isnull=False),
                name="marketplace_forgiveness_ended_has_ended_at",
            ),
            models.CheckConstraint(
                condition=~Q(reason=""), name="marketplace_forgiveness_says_why"
            ),
        ]
        indexes = [models.Index(fields=["ended_at"], name="marketplace_forgiveness_ended")]
        triggers = [
            *never_removed(),
            RequireApprovals(
                name="require_forgivers",
                states=["forgiven"],
                approvals=("marketplace_forgivenessapproval", "forgiveness_id"),
                constraint="marketplace_forgiveness_was_approved",
                words="a debt that is forgiven was approved",
            ),
        ]

    def __str__(self) -> str:
        return f"forgiveness {self.id}"

    def move_to(self, state: "Forgiveness.State") -> None:
        """Move on; the caller saves it."""
        assert state in self.TRANSITIONS[Forgiveness.State(self.state)]
        self.state = state


class ForgivenessApproval(models.Model):
    """One person of staff agrees that a debt is forgiven: a fact. Whoever asks for it is the first."""

    forgiveness = models.ForeignKey(Forgiveness, on_delete=models.PROTECT, related_name="approvals")
    owner = models.UUIDField(help_text="Who owes: never the one who agrees.")
    operator = models.UUIDField()
    approved_at = models.DateTimeField()

    class Meta:
        ordering = ["approved_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["forgiveness", "operator"],
                name="marketplace_forgivenessapproval_is_once_a_person",
            ),
            models.CheckConstraint(
                condition=~Q(operator=F("owner")),
                name="marketplace_forgivenessapproval_is_not_the_owners",
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"approval by {self.operator}"

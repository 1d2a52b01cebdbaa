"""Reports of bad answers: what consumers say, and the conversation where they let validators read it."""

from datetime import datetime

import pgtrigger
from django.db import models
from django.db.models import Q

from compute import reporting
from compute.models.jobs import Job
from compute.models.serving import Usage
from ledger.triggers import Refuse


class AnswerReport(models.Model):
    """What a consumer says is wrong with an answer; validators of the subnet read it."""

    usage = models.OneToOneField(Usage, on_delete=models.PROTECT, related_name="report")
    owner = models.UUIDField()
    netuid = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=reporting.REASON_LENGTH_MAX)
    reported_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["netuid", "-reported_at"], name="compute_answerreport_recent"),
            models.Index(fields=["owner", "-reported_at"], name="compute_answerreport_of_owner"),
        ]
        triggers = [
            Refuse(name="answer_reports_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"report on {self.usage_id}"


class ReportedChat(models.Model):
    """The conversation of a report whose consumer lets validators read it, for as long as it is kept.

    job: by which validators judge the answer; its verdict is what came of the report.
    """

    class State(models.TextChoices):
        AWAITED = "awaited", "Awaited"
        """The gateway that passed it on is to hand it over."""
        GONE = "gone", "Gone"
        """No gateway remembered it."""
        SHOWN = "shown", "Shown"
        """Validators may read it; nobody can repeat it."""
        CHECKED = "checked", "Checked"
        """Validators judge it, or did."""

    TRANSITIONS = {
        State.AWAITED: {State.GONE, State.SHOWN, State.CHECKED},
        State.GONE: set(),
        State.SHOWN: set(),
        State.CHECKED: set(),
    }

    report = models.OneToOneField(
        AnswerReport, on_delete=models.PROTECT, primary_key=True, related_name="chat"
    )
    state = models.CharField(max_length=10, choices=State, default=State.AWAITED)
    unchecked = models.CharField(
        max_length=10,
        blank=True,
        choices=[(each.value, each.title()) for each in reporting.Unchecked],
    )
    job = models.OneToOneField(
        Job, on_delete=models.PROTECT, null=True, blank=True, related_name="reported_chat"
    )
    # The words themselves stand here and nowhere else; a sweep takes them away.
    body = models.JSONField(null=True, blank=True)
    pieces = models.JSONField(null=True, blank=True)
    awaited_at = models.DateTimeField()
    handed_over_at = models.DateTimeField(null=True, blank=True)
    forget_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="checked", job__isnull=False)
                | Q(~Q(state="checked"), job__isnull=True),
                name="compute_reportedchat_checked_has_a_job",
            ),
            models.CheckConstraint(
                condition=Q(state="shown", unchecked__gt="") | Q(~Q(state="shown"), unchecked=""),
                name="compute_reportedchat_shown_says_why_unchecked",
            ),
            models.CheckConstraint(
                condition=Q(forget_at__isnull=False, body__isnull=False, pieces__isnull=False)
                | Q(forget_at__isnull=True, body__isnull=True, pieces__isnull=True),
                name="compute_reportedchat_kept_is_to_be_forgotten",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["awaited", "gone"], handed_over_at__isnull=True)
                | Q(state__in=["shown", "checked"], handed_over_at__isnull=False),
                name="compute_reportedchat_handed_over_has_handed_over_at",
            ),
        ]
        indexes = [
            models.Index(
                fields=["awaited_at"],
                condition=Q(state="awaited"),
                name="compute_reportedchat_awaited",
            ),
            models.Index(
                fields=["forget_at"],
                condition=Q(forget_at__isnull=False),
                name="compute_reportedchat_kept",
            ),
        ]

    def __str__(self) -> str:
        return f"chat of {self.report_id}"

    def move_to(self, state: "ReportedChat.State", *, now: datetime) -> None:
        """Change the state, the one way to do it, and save what changes with it."""
        assert state in self.TRANSITIONS[ReportedChat.State(self.state)], f"{self.state} → {state}"
        self.state = state
        if state in {self.State.SHOWN, self.State.CHECKED}:
            self.handed_over_at, self.forget_at = now, now + reporting.CHAT_KEPT
        self.save(
            update_fields=[
                "state",
                "unchecked",
                "job",
                "body",
                "pieces",
                "handed_over_at",
                "forget_at",
            ]
        )

"""What people follow, and what they are told. Notices are derived from facts by a sweep, never written beside a bid or a sale."""

from django.db import models
from django.db.models import F, Q

from marketplace.models.auctions import Auction
from marketplace.models.people import User
from subnets.models import SUBNET_LIMIT


class Watch(models.Model):
    """Somebody follows a subnet. There is a row for a slot at most, so nobody has more of them than there are slots."""

    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="watches")
    netuid = models.PositiveSmallIntegerField(db_index=True)
    watched_at = models.DateTimeField()

    class Meta:
        ordering = ["netuid"]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "netuid"], name="marketplace_watch_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(netuid__gte=1, netuid__lte=SUBNET_LIMIT),
                name="marketplace_watch_is_of_a_slot",
            ),
        ]

    def __str__(self) -> str:
        return f"watch of subnet {self.netuid}"


class Notice(models.Model):
    """One fact told to one person. kind: a word of `marketplace.notices`. key: the fact's sentence, so it is told once."""

    key = models.CharField(max_length=200, unique=True)
    person = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="notices", db_index=False
    )
    kind = models.CharField(max_length=30)
    netuid = models.PositiveSmallIntegerField(null=True, blank=True)
    auction = models.ForeignKey(
        Auction, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    data = models.JSONField(default=dict)
    happened_at = models.DateTimeField()
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(read_at__isnull=True) | Q(read_at__gte=F("created_at")),
                name="marketplace_notice_is_read_after_it_was_written",
            ),
        ]
        indexes = [
            models.Index(fields=["person", "-id"], name="marketplace_notice_newest"),
            models.Index(
                fields=["person"],
                condition=Q(read_at__isnull=True),
                name="marketplace_notice_unread",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class NoticePreference(models.Model):
    """Where somebody wants a kind of notice besides the site. Without a row the kind's own default holds."""

    person = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="notice_preferences", db_index=False
    )
    kind = models.CharField(max_length=30)
    by_email = models.BooleanField()
    by_webhook = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "kind"], name="marketplace_noticepreference_is_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.person_id}"


class NewsCursor(models.Model):
    """How far a source of news was read. Its row's lock keeps two workers from reading one source at once."""

    source = models.CharField(max_length=30, primary_key=True)
    told_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.source} until {self.told_until}"


class Letter(models.Model):
    """A notice on its way by e-mail. Letters that are due to one person together go as one mail."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        """Goes out at `next_at`, again after each failure."""
        SENT = "sent", "Sent"
        """The mail server took it."""
        FAILED = "failed", "Given up"
        """The mail server did not take it in as many attempts as there are."""

    TRANSITIONS = {
        State.WAITING: {State.SENT, State.FAILED},
        State.SENT: set(),
        State.FAILED: set(),
    }

    notice = models.OneToOneField(
        Notice, on_delete=models.PROTECT, primary_key=True, related_name="letter"
    )
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    fault = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False)
                | Q(~Q(state="sent"), sent_at__isnull=True),
                name="marketplace_letter_sent_has_sent_at",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"], condition=Q(state="waiting"), name="marketplace_letter_due"
            ),
            models.Index(
                fields=["person"], condition=Q(state="waiting"), name="marketplace_letter_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"letter of {self.notice_id}"

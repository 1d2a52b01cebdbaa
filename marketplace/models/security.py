"""What changed about how somebody signs in: facts, of which people are told and after which withdrawals wait."""

import pgtrigger
from django.db import models
from django.db.models import Q

from ledger.triggers import Refuse
from marketplace.models.people import User

ABOUT_LENGTH_MAX = 80
DEVICE_LENGTH_MAX = 60


class SecurityChange(models.Model):
    """One change. about: which factor, address or key. device, address: where it was done from, as far as that was said."""

    class Kind(models.TextChoices):
        FACTOR_ADDED = "factor_added", "A second factor was added"
        """An authenticator app or a passkey was set up."""
        FACTOR_REMOVED = "factor_removed", "A second factor was removed"
        """By its owner, or by an operator for somebody who lost it."""
        CODES_MADE = "codes_made", "New recovery codes were made"
        """The ones before are void."""
        PASSWORD_CHANGED = "password_changed", "The password was changed"
        """By its owner, who knew the old one or had a link to reset it."""
        EMAIL_ADDED = "email_added", "An e-mail address was added"
        """A further address was confirmed: a new password can be asked for there."""
        EMAIL_CHANGED = "email_changed", "The e-mail address was changed"
        """Notices go to another address, and it signs in."""
        DEVICE_SEEN = "device_seen", "A new device signed in"
        """A browser signed in that never did before."""

    person = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="security_changes", db_index=False
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    about = models.CharField(max_length=ABOUT_LENGTH_MAX, blank=True)
    device = models.CharField(max_length=DEVICE_LENGTH_MAX)
    address = models.GenericIPAddressField(null=True, blank=True)
    browser = models.CharField(max_length=64, blank=True)
    """Of a device: the digest of the number its cookie has."""
    happened_at = models.DateTimeField()

    class Meta:
        ordering = ["-happened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "browser"],
                condition=Q(kind="device_seen"),
                name="marketplace_securitychange_device_is_new_once",
            ),
            models.CheckConstraint(
                condition=Q(kind="device_seen") ^ Q(browser=""),
                name="marketplace_securitychange_device_has_a_browser",
            ),
        ]
        indexes = [
            models.Index(fields=["person", "-happened_at"], name="marketplace_securitychange_who"),
            models.Index(fields=["happened_at"], name="marketplace_securitychange_at"),
        ]
        triggers = [
            Refuse(name="security_changes_are_facts", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.person_id}"

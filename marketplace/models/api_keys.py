"""The keys by which programs of a person speak to the API."""

from datetime import timedelta

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from ledger.scopes import Scope
from ledger.triggers import KeepAllBut, Refuse
from marketplace.models.people import User
from marketplace.tokens import NETWORK_LENGTH_MAX

NAME_LENGTH_MAX = 60
LIFETIME_MAX = timedelta(days=366)  # a year, whichever year it is

# Their words are the pages' business: rewording one is no migration.
SCOPES = [(scope.value, scope.value) for scope in Scope]


class ApiKey(models.Model):
    # The public half of the key: what a request is looked up by, and what lists show.
    id = models.CharField(max_length=16, primary_key=True)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=NAME_LENGTH_MAX)
    # SHA-256 of the secret, in hex; the secret itself was shown once and is nowhere.
    secret_digest = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=10, choices=SCOPES))
    # Where it may be used from, as CIDR; none: from anywhere.
    networks = ArrayField(models.CharField(max_length=NETWORK_LENGTH_MAX), default=list, blank=True)
    # What requests to served models may cost in a calendar month (UTC); none: as much as the wallet has.
    spend_limit_rao = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # To the minute: a busy key is not a busy row.
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    expires_at__gt=F("created_at"),
                    expires_at__lte=F("created_at") + LIFETIME_MAX,
                ),
                name="marketplace_apikey_ends_within_a_year",
            ),
            models.CheckConstraint(
                condition=Q(scopes__len__gt=0), name="marketplace_apikey_has_a_scope"
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True) | Q(revoked_at__gte=F("created_at")),
                name="marketplace_apikey_is_revoked_after_it_was_made",
            ),
            models.CheckConstraint(
                condition=Q(spend_limit_rao__isnull=True) | Q(spend_limit_rao__gte=0),
                name="marketplace_apikey_limit_is_not_negative",
            ),
        ]
        triggers = [
            Refuse(name="api_keys_are_kept", operation=pgtrigger.Delete),
            KeepAllBut(
                name="api_keys_keep_their_rights",
                fields=["last_used_at", "revoked_at", "spend_limit_rao"],
            ),
        ]

    def __str__(self) -> str:
        return f"API key {self.id}"

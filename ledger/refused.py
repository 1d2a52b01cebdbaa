"""What clients' keys were refused.

A RefusedKey is the answer that a key of a client's got instead of what it asked for. It is kept for a while, so that
the same request, sent once more, does not succeed later by luck. Nobody writes here but ledger.refusals.
"""

from django.db import models
from django.db.models.functions import Now

from ledger.idempotency import KEY_LENGTH_MAX

# A method and a route's name, the caller, and the client's own words.
STORED_LENGTH_MAX = KEY_LENGTH_MAX + 128


class RefusedKey(models.Model):
    """A refusal. asked: a digest of each field of the input, by which another input under the key is told.

    problem: status, code, detail and fields of the answer.
    """

    key = models.CharField(max_length=STORED_LENGTH_MAX, db_collation="C")
    asked = models.JSONField()
    problem = models.JSONField()
    refused_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["refused_at"], name="ledger_refusedkey_refused_at")]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="ledger_refusedkey_key_is_unique")
        ]

    def __str__(self) -> str:
        return self.key

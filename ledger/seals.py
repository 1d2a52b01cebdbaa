"""The seals of the books.

A Seal binds a run of committed entries by one hash, and the seal before it; a SealedEntry says where in it an entry
stands, and by what digest. Both are facts. Nobody writes here but ledger.sealing.
A Verification is one pass over all seals, under way or ended, with what it found (ledger.reverifying).
"""

from django.db import models
from django.db.models import F, Q

from ledger.triggers import append_only, never_removed


class Seal(models.Model):
    """One link of the chain. hash is over everything else in the row."""

    number = models.PositiveBigIntegerField(primary_key=True)
    previous = models.BinaryField(help_text="The hash of the seal before; zeros in the first.")
    root = models.BinaryField(help_text="The Merkle root of its entries' digests.")
    entry_count = models.PositiveIntegerField()
    first_entry = models.ForeignKey(
        "ledger.Entry", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    last_entry = models.ForeignKey(
        "ledger.Entry", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    sealed_at = models.DateTimeField()
    hash = models.BinaryField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="ledger_seal_numbers_from_one", condition=Q(number__gte=1)),
            models.CheckConstraint(
                name="ledger_seal_binds_an_entry", condition=Q(entry_count__gte=1)
            ),
            models.UniqueConstraint(
                fields=["previous"], name="ledger_seal_follows_one_that_none_follows"
            ),
            models.CheckConstraint(
                name="ledger_seal_does_not_follow_itself", condition=~Q(previous=F("hash"))
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"seal {self.number}"


class SealedEntry(models.Model):
    """An entry's place in its seal. salt: hides its parts from who is shown some of them."""

    entry = models.OneToOneField(
        "ledger.Entry", on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, related_name="entries", db_index=False)
    position = models.PositiveIntegerField()
    salt = models.BinaryField()
    digest = models.BinaryField()

    class Meta:
        verbose_name_plural = "sealed entries"
        constraints = [
            models.UniqueConstraint(
                fields=["seal", "position"], name="ledger_sealedentry_position_is_unique"
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"entry {self.entry_id} in seal {self.seal_id}"


class Verification(models.Model):
    """A pass over all seals. next_seal: where it goes on; faults: the first hundred, a sentence each."""

    begun_at = models.DateTimeField()
    looked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="Empty while it is under way.")
    next_seal = models.PositiveBigIntegerField(default=1)
    entry_count = models.PositiveBigIntegerField(default=0)
    fault_count = models.PositiveIntegerField(default=0)
    faults = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["begun_at"], name="ledger_verification_begun_at")]
        constraints = [
            models.CheckConstraint(
                name="ledger_verification_ends_after_it_began",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("begun_at")),
            ),
        ]
        triggers = never_removed()

    def __str__(self) -> str:
        return f"verification of {self.begun_at:%Y-%m-%d}"

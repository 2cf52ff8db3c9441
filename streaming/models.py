from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Stream(models.Model):
    """The lines of one session; ``id`` is the session's id, but not a foreign key."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    last_seq = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.pk)


class Line(models.Model):
    """One stored frame. Lines are written by `streaming.publish` only, and never changed."""

    class Type(models.TextChoices):
        LOG = "log", "Log"
        DECISION = "decision", "Decision"
        PROGRESS = "progress", "Progress"
        STATUS = "status", "Status"
        SESSION_ENDED = "session_ended", "Session ended"

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="lines")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now())
    type = models.CharField(max_length=16, choices=Type)
    body = models.JSONField()

    class Meta:
        ordering = ["stream", "seq"]
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "seq"], name="streaming_line_has_its_own_number"
            ),
            models.CheckConstraint(name="streaming_line_counts_from_one", condition=Q(seq__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.stream_id} #{self.seq}"

from django.db import models


class ReceivedSignal(models.Model):
    """An EC2 event about an instance, received from EventBridge."""

    class Kind(models.TextChoices):
        REBALANCE = "REBALANCE", "Rebalance recommendation"
        TERMINATION = "TERMINATION", "Interruption notice"

    event_id = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=16, choices=Kind)
    instance_id = models.CharField(max_length=64)
    aws_region = models.CharField(max_length=32)
    at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["instance_id", "-at"], name="sandbox_signal_newest")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.instance_id}"

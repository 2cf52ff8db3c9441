"""Tells the steps of an evaluation, each once, however often the evaluation is taken up again."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction

from sandbox.models import Evaluation
from streaming.models import Line
from streaming.publish import publish


class LeaseLost(Exception):
    """Another run has the evaluation, or it is settled: this run stops and says nothing."""


@dataclass
class Teller:
    """Speaks for the run that holds the lease, and for no other."""

    evaluation_id: UUID
    stream_id: UUID
    leased_until: datetime
    told: list[str]  # the steps that were told when the lease was taken, and since
    kept: list[Line] = field(default_factory=list, init=False)

    @transaction.atomic
    def tell(self, step: str, *lines: Line) -> None:
        """
        Publish the lines of a step, unless a run before this one has.

        :raises LeaseLost: the lease is no longer ours
        """
        if step in self.told:
            return
        held = Evaluation.objects.pending().filter(
            pk=self.evaluation_id, leased_until=self.leased_until
        )
        if not held.update(told=[*self.told, step]):
            raise LeaseLost
        self.told.append(step)
        publish(self.stream_id, *lines)

    def keep(self, step: str, line: Line) -> None:
        """Keep the line of a step for the last publishing, which is about to come."""
        if step not in self.told:
            self.kept.append(line)

    def publish(self, line: Line) -> None:
        """Publish what is kept and the last line, in the transaction that settles it."""
        publish(self.stream_id, *self.kept, line)

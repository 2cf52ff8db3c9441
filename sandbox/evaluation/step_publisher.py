"""Publishes the steps of an evaluation, each once, even if several runs work on it in turn."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction

from sandbox.models import Evaluation
from streaming.models import Line
from streaming.publish import publish


class LeaseLost(Exception):
    """Another run holds the evaluation, or it is settled: this run must stop."""


@dataclass
class StepPublisher:
    """Publishes for the run that holds the lease."""

    evaluation_id: UUID
    stream_id: UUID
    leased_until: datetime
    published_steps: list[str]  # by this run and those before it
    buffer: list[Line] = field(default_factory=list, init=False)

    @transaction.atomic
    def publish(self, step: str, line: Line) -> None:
        """
        Publish the line of a step, unless a previous run has.

        :raises LeaseLost: this run no longer holds the lease
        """
        if step in self.published_steps:
            return
        published_steps = [*self.published_steps, step]
        rows = Evaluation.objects.filter(pk=self.evaluation_id)
        if not rows.settle(leased_until=self.leased_until, published_steps=published_steps):
            raise LeaseLost
        self.published_steps.append(step)
        publish(self.stream_id, line)

    def add_to_buffer(self, step: str, line: Line) -> None:
        """Buffer the line of a step until the last line is published."""
        if step not in self.published_steps:
            self.buffer.append(line)

    def publish_last(self, line: Line) -> None:
        """Publish the buffered lines and the last one, in the transaction of the result."""
        publish(self.stream_id, *self.buffer, line)

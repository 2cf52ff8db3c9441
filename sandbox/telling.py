"""Tells the steps of an evaluation, each once, however often the evaluation is taken up again."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from sandbox.models import Evaluation
from streaming.models import Line
from streaming.publish import publish


class LeaseLost(Exception):
    """Another run has the evaluation, or it is settled: this run stops and says nothing."""


class Teller(NamedTuple):
    """Speaks for the run that holds the lease, and for no other."""

    evaluation_id: UUID
    stream_id: UUID
    leased_until: datetime

    @transaction.atomic
    def tell(self, step: str, *lines: Line) -> None:
        """
        Publish the lines of a step, unless a run before this one has.

        :raises LeaseLost: the lease is no longer ours
        """
        held = Evaluation.objects.pending().filter(
            pk=self.evaluation_id, leased_until=self.leased_until
        )
        evaluation = held.select_for_update(no_key=True).only("told").first()
        if evaluation is None:
            raise LeaseLost
        if step in evaluation.told:
            return
        held.update(told=[*evaluation.told, step])
        publish(self.stream_id, *lines)

    def publish(self, line: Line) -> None:
        """Publish the last line, in the transaction that settles the evaluation."""
        publish(self.stream_id, line)

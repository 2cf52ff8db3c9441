from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from lab.experiments.log import Difference, replay
from lab.models import ExperimentLog

REPORT_EVERY = 100  # experiments


class Command(BaseCommand):
    help = "Replay stored experiments. Exit code 1: a result differs from the stored one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("experiment_id", nargs="?", type=UUID)
        which.add_argument("--last", type=_count, metavar="N", help="the newest N")
        which.add_argument("--all", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        experiments = ExperimentLog.objects.all()
        if options["experiment_id"]:
            experiments = experiments.filter(pk=options["experiment_id"])
        if options["last"]:
            experiments = experiments[: options["last"]]
        count, differing = self._replay(experiments.iterator(chunk_size=50))
        if not count:
            raise CommandError("No such experiment is stored.")
        self.stdout.write(f"{count} replayed, {count - differing} equal.")
        if differing:
            raise CommandError(f"{differing} with a different result.", returncode=1)

    def _replay(self, experiments: Iterator[ExperimentLog]) -> tuple[int, int]:
        count = differing = 0
        for count, experiment in enumerate(experiments, start=1):
            differences = replay(experiment)
            differing += bool(differences)
            if differences or count == 1:
                self._report(experiment, differences)
            if count % REPORT_EVERY == 0:
                self.stdout.write(f"{count} replayed, {differing} different.")
        return count, differing

    def _report(self, experiment: ExperimentLog, differences: list[Difference]) -> None:
        verdict = "different" if differences else "equal"
        self.stdout.write(
            f"{experiment.pk}  {experiment.decision}  {experiment.inputs_hash[:12]}  {verdict}"
        )
        for field, stored, replayed in differences:
            self.stdout.write(f"  {field}: stored {stored}, replayed {replayed}")


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count

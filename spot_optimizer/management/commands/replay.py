from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from lab.experiments.log import Difference, replay
from lab.models import ExperimentLog

TELL_EVERY = 100  # experiments


class Command(BaseCommand):
    help = "Run stored experiments again; exit code 1 where one comes out otherwise."

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
            raise CommandError("There is no such experiment.")
        self.stdout.write(f"{count} replayed, {count - differing} the same.")
        if differing:
            raise CommandError(f"{differing} came out otherwise.", returncode=1)

    def _replay(self, experiments: Iterator[ExperimentLog]) -> tuple[int, int]:
        count = differing = 0
        for count, experiment in enumerate(experiments, start=1):
            differences = replay(experiment)
            differing += bool(differences)
            if differences or count == 1:
                self._tell(experiment, differences)
            if count % TELL_EVERY == 0:
                self.stdout.write(f"{count} replayed, {differing} otherwise.")
        return count, differing

    def _tell(self, experiment: ExperimentLog, differences: list[Difference]) -> None:
        verdict = "otherwise" if differences else "the same"
        self.stdout.write(
            f"{experiment.pk}  {experiment.decision}  {experiment.inputs_hash[:12]}  {verdict}"
        )
        for what, stored, replayed in differences:
            self.stdout.write(f"  {what}: stored {stored}, replayed {replayed}")


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count

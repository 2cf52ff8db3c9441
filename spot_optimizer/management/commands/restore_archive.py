from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from lab.archive.restore import Restored, restore
from spot_optimizer.errors import DomainError


class Command(BaseCommand):
    help = "Bring the experiments of an archive back. Doing it again doubles none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="its name in the archive's storage, or a path")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            told = restore(options["file"], now=timezone.now())
        except DomainError as refusal:
            raise CommandError(f"{refusal} ({refusal.code})") from refusal
        for sentence in _sentences(told):
            self.stdout.write(sentence)


def _sentences(told: Restored) -> list[str]:
    days = settings.EXPERIMENT_LOG_DAYS
    sentences = [
        f"The checksum is right. {told.added} experiments were brought back, to stay for {days} "
        f"days; {told.present} were here already."
    ]
    for what, number in told.orphaned.items():
        sentences.append(f"{number} were not brought back: their {what} is gone.")
    if told.refused:
        sentences.append(f"{told.refused} were not brought back: others are in their place.")
    return sentences

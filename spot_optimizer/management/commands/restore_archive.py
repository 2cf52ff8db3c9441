from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from lab.archive.restore import Restored, restore
from spot_optimizer.errors import DomainError


class Command(BaseCommand):
    help = "Restore the experiments of an archive. A second run adds no duplicates."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="its name in the archive's storage, or a path")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            restored = restore(options["file"], now=timezone.now())
        except DomainError as refusal:
            raise CommandError(f"{refusal} ({refusal.code})") from refusal
        for message in _messages(restored):
            self.stdout.write(message)


def _messages(restored: Restored) -> list[str]:
    days = settings.EXPERIMENT_LOG_DAYS
    messages = [
        f"Checksum verified. {restored.added} experiments restored for {days} days; "
        f"{restored.present} were present already."
    ]
    for field, count in restored.orphaned.items():
        messages.append(f"{count} not restored: their {field} is deleted.")
    if restored.refused:
        messages.append(f"{restored.refused} not restored: other rows have the same keys.")
    return messages

from typing import Any

from django.core.management.base import BaseCommand

from sandbox import services


class Command(BaseCommand):
    help = (
        "Seal all stored AWS credentials with the first key of ENCRYPTION_KEY. Put the new key in "
        "front of the old one, restart, run this; then the old one may go."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        resealed = services.reseal_credentials()
        self.stdout.write(f"{resealed} sessions are sealed with the first key.")

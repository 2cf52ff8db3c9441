from typing import Any

from django.core.management.base import BaseCommand

from sandbox import services


class Command(BaseCommand):
    help = (
        "Encrypt all stored AWS credentials with the first key of ENCRYPTION_KEY. Add the new key "
        "before the old one, restart, and run this; then remove the old one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        resealed = services.reseal_credentials()
        self.stdout.write(f"Encrypted the credentials of {resealed} sessions with the first key.")

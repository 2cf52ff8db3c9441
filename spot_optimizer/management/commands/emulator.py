import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from spot_optimizer.emulator.server import add_options, run


class Command(BaseCommand):
    help = "Run the local AWS: an emulator on loopback, not AWS."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(run(options, os.environ))

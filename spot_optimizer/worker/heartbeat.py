"""A file whose age says whether a worker or a beat still runs; `healthcheck` reads it."""

from pathlib import Path

from django.conf import settings


def beat(**_: object) -> None:
    if settings.HEARTBEAT_FILE:
        Path(settings.HEARTBEAT_FILE).touch()

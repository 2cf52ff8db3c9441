"""A file whose age shows whether a worker or a beat runs; `healthcheck` checks it."""

from pathlib import Path

from celery import signals
from django.conf import settings


@signals.heartbeat_sent.connect
def touch(**_: object) -> None:
    if settings.HEARTBEAT_FILE:
        Path(settings.HEARTBEAT_FILE).touch()

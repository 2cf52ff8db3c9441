import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.files.storage import FileSystemStorage


class AtomicFileStorage(FileSystemStorage):
    """
    A folder in which a file is written completely or not at all, under its exact name.

    Files ending in ``.part`` are left by killed writes and may be deleted.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: Any) -> str:
        part = f"{name}.{uuid4().hex}.part"
        target = Path(self.path(name))
        try:
            super()._save(part, content)  # type: ignore[misc]  # the stubs lack it
            _fsync(Path(self.path(part)))
            Path(self.path(part)).replace(target)
        finally:
            Path(self.path(part)).unlink(missing_ok=True)
        _fsync(target.parent)
        return name


def _fsync(path: Path) -> None:
    # The rows are deleted durably at commit; the file that replaces them must be durable before.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

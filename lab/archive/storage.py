import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.files.storage import FileSystemStorage


class AtomicFileStorage(FileSystemStorage):
    """
    A folder in which a file is on the disk as a whole, or not at all, under its exact name.

    What ends in ``.part`` is the rest of a killed write, and may be deleted.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: Any) -> str:
        part = f"{name}.{uuid4().hex}.part"
        whole = Path(self.path(name))
        try:
            super()._save(part, content)  # type: ignore[misc]  # the stubs lack it
            _to_disk(Path(self.path(part)))
            Path(self.path(part)).replace(whole)
        finally:
            Path(self.path(part)).unlink(missing_ok=True)
        _to_disk(whole.parent)
        return name


def _to_disk(path: Path) -> None:
    # A deleted row is on the disk at its commit; the file that replaces it must be there before.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

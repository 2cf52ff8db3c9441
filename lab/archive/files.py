"""Temporary copies of archive files, and their checksums."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

from django.core.files import File

CHUNK_BYTES = 1024 * 1024


@contextmanager
def local_copy(source: IO[bytes] | File) -> Iterator[IO[bytes]]:
    """Copy a file to this machine; the copy is deleted at the end of the block."""
    with TemporaryFile() as copy:
        while chunk := source.read(CHUNK_BYTES):
            copy.write(chunk)
        copy.seek(0)
        yield copy


def checksum(file: IO[bytes]) -> str:
    """Return the SHA-256 of a whole file, in hex."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()

"""
Experiment logs in files: written, read back, and only then deleted.

A file's name says its checksum, and no file is ever deleted or half replaced; so whatever is done
twice, late or at the same time is done with the same bytes. Rows are deleted in one transaction,
which looks once more that the file holds exactly what the table holds.
"""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from django.conf import settings
from django.core.files import File
from django.core.files.storage import storages
from django.db import transaction
from django.db.models import Q, QuerySet

from lab.archive import parquet as columns
from lab.archive.parquet import Row, Written
from lab.models import Archive, ExperimentLog
from spot_optimizer.errors import Conflict

FILE_ROWS = 5_000
FILE_BYTES = 64 * 1024 * 1024  # before compression
READ_ROWS = 50  # one holds up to some hundred kilobytes of inputs
PIECE = 1024 * 1024
State = Archive.State


class FileDamaged(Conflict):
    code = "archive_damaged"


class FileOutdated(Conflict):
    code = "archive_outdated"


class Position(NamedTuple):
    """Where in their order the rows of a batch end."""

    created_at: datetime
    pk: object


class Batch(NamedTuple):
    """What went into one file: how many rows were deleted, and which was the last in it."""

    deleted: int
    last: Position


def due(*, now: datetime) -> QuerySet[ExperimentLog]:
    """Return the experiment logs whose time here is over, oldest first."""
    before = now - timedelta(days=settings.EXPERIMENT_LOG_DAYS)
    not_held = Q(restored_at=None) | Q(restored_at__lt=before)
    return ExperimentLog.objects.filter(not_held, created_at__lt=before).order_by(
        "created_at", "pk"
    )


def behind(rows: QuerySet[ExperimentLog], position: Position) -> QuerySet[ExperimentLog]:
    """Return those of the rows that come behind a position."""
    later = Q(created_at__gt=position.created_at) | Q(pk__gt=position.pk)
    return rows.filter(later, created_at__gte=position.created_at)


def batch_end(rows: QuerySet[ExperimentLog]) -> Position | None:
    """Return where the first batch of these rows ends at the latest; None if it is the last one."""
    end = rows.values_list("created_at", "pk")[FILE_ROWS - 1 : FILE_ROWS].first()
    return Position(*end) if end else None


def archive(rows: QuerySet[ExperimentLog], *, now: datetime) -> Batch | None:
    """
    Move the first of these rows into a file; None if there are none.

    Started again after a crash, it finds the file that it had written, and goes on from there.

    :raises FileDamaged: what was read back is not what was written; nothing is deleted
    :raises FileOutdated: the rows have changed meanwhile; nothing is deleted
    :raises OSError: the storage is away or full; other storages raise their own
    """
    with TemporaryFile() as file:
        written = _write(rows, file)
        if written is None:
            return None
        noted = _note(written, checksum(file), now)
        if not _is_whole(noted):
            file.seek(0)
            storages["archive"].save(noted.name, File(file))
    end = Position(written.last["created_at"], written.last["id"])
    return Batch(finish(noted, now=now), end)


def finish(noted: Archive, *, now: datetime) -> int:
    """
    Read a file back and delete its rows; return how many there still were.

    :raises FileDamaged: it is not there as it was written; nothing is deleted
    :raises FileOutdated: the rows have changed since; nothing is deleted, the file is discarded
    """
    with _read_back(noted) as file:
        if file is None:
            raise FileDamaged(f"{noted.name} is not in the storage as it was written.")
        try:
            with transaction.atomic():
                return _settle(noted, file, now)
        except FileOutdated:
            discard(noted)
            raise


def discard(noted: Archive) -> None:
    """Forget a file that was never finished: its rows are still here, and go into another one."""
    Archive.objects.filter(pk=noted.pk, state=State.WRITING).update(state=State.DISCARDED)


@contextmanager
def local_copy(source: IO[bytes] | File) -> Iterator[IO[bytes]]:
    """Give a copy of a file that is on this machine and away at the end."""
    with TemporaryFile() as copy:
        while piece := source.read(PIECE):
            copy.write(piece)
        copy.seek(0)
        yield copy


def checksum(file: IO[bytes]) -> str:
    """Return the SHA-256 of a whole file, in hex."""
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _write(rows: QuerySet[ExperimentLog], file: IO[bytes]) -> Written | None:
    # In a transaction PostgreSQL hands the rows out as they are asked for, all of one moment.
    with transaction.atomic(), closing(_encoded(rows[:FILE_ROWS])) as encoded:
        return columns.write(encoded, file, most=FILE_BYTES)


def _encoded(rows: QuerySet[ExperimentLog]) -> Generator[Row]:
    for log in rows.iterator(chunk_size=READ_ROWS):
        yield columns.encoded(log)


def _note(written: Written, sha256: str, now: datetime) -> Archive:
    """Say which file is coming, before it comes: so that no kill leaves one nobody knows of."""
    first_at, last_at = written.first["created_at"], written.last["created_at"]
    name = (
        f"experiments/{first_at:%Y/%m}/{first_at:%Y%m%dT%H%M%SZ}-{last_at:%Y%m%dT%H%M%SZ}"
        f"-{written.rows}-{sha256}.parquet"
    )
    about = {"rows": written.rows, "sha256": sha256, "first_at": first_at, "last_at": last_at}
    noted, _ = Archive.objects.get_or_create(name=name, defaults=about | {"created_at": now})
    discarded = Archive.objects.filter(pk=noted.pk, state=State.DISCARDED)
    discarded.update(state=State.WRITING, created_at=now)
    return noted


def _is_whole(noted: Archive) -> bool:
    with _read_back(noted) as file:
        return file is not None


@contextmanager
def _read_back(noted: Archive) -> Iterator[IO[bytes] | None]:
    """Give a copy of what the storage has, or None where that is not what was written."""
    try:
        stored = storages["archive"].open(noted.name, "rb")
    except FileNotFoundError:
        yield None
        return
    with stored, local_copy(stored) as copy:
        is_whole = checksum(copy) == noted.sha256 and columns.count(copy) == noted.rows
        yield copy if is_whole else None


def _settle(noted: Archive, file: IO[bytes], now: datetime) -> int:
    # Whoever has this row decides; a run that comes second finds the rows gone.
    state = Archive.objects.select_for_update().values_list("state", flat=True).get(pk=noted.pk)
    deleted = sum(_delete(group) for group in columns.read(file))
    if state == State.KEPT and not deleted:
        return 0
    if deleted != noted.rows or state == State.DISCARDED:
        raise FileOutdated(f"{noted.name} holds rows that are no longer here.")
    Archive.objects.filter(pk=noted.pk).update(state=State.KEPT, kept_at=now)
    return deleted


def _delete(group: list[Row]) -> int:
    archived = {row["id"]: row for row in group}
    rows = ExperimentLog.objects.filter(pk__in=archived).order_by("pk")
    for log in rows.select_for_update().iterator(chunk_size=READ_ROWS):
        if columns.encoded(log) != archived[str(log.pk)]:
            raise FileOutdated(f"The experiment {log.pk} has changed since it was written.")
    _, deleted = ExperimentLog.objects.filter(pk__in=archived).delete()
    return deleted.get(ExperimentLog._meta.label, 0)

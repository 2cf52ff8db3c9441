"""
Moves batches of experiment logs into files: written, read back, and only then deleted.

A file's name contains its checksum, and no file is ever deleted or partly replaced: a batch that is
archived twice, late or concurrently has the same bytes. Rows are deleted in one transaction, which
checks again that the file holds exactly what the table holds.
"""

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

from lab.archive import parquet
from lab.archive.files import checksum, local_copy
from lab.archive.parquet import Row, WrittenFile
from lab.models import Archive, ExperimentLog
from spot_optimizer.errors import Conflict

FILE_ROWS = 5_000
FILE_BYTES = 64 * 1024 * 1024  # before compression
READ_ROWS = 50  # a row has up to some hundred kilobytes of inputs
State = Archive.State


class FileDamaged(Conflict):
    code = "archive_damaged"


class FileOutdated(Conflict):
    code = "archive_outdated"


class Position(NamedTuple):
    """The last row of a batch, in the order of ``due``."""

    created_at: datetime
    pk: object


class Batch(NamedTuple):
    """One archived batch: how many rows were deleted, and the last row in its file."""

    deleted: int
    last: Position


def due(*, now: datetime) -> QuerySet[ExperimentLog]:
    """Return the experiment logs older than EXPERIMENT_LOG_DAYS, oldest first."""
    before = now - timedelta(days=settings.EXPERIMENT_LOG_DAYS)
    not_restored_lately = Q(restored_at=None) | Q(restored_at__lt=before)
    return ExperimentLog.objects.filter(not_restored_lately, created_at__lt=before).order_by(
        "created_at", "pk"
    )


def after(rows: QuerySet[ExperimentLog], position: Position) -> QuerySet[ExperimentLog]:
    """Return the rows after a position."""
    later = Q(created_at__gt=position.created_at) | Q(pk__gt=position.pk)
    return rows.filter(later, created_at__gte=position.created_at)


def batch_end(rows: QuerySet[ExperimentLog]) -> Position | None:
    """Return the last possible row of the first batch; None if fewer rows are left."""
    end = rows.values_list("created_at", "pk")[FILE_ROWS - 1 : FILE_ROWS].first()
    return Position(*end) if end else None


def archive_batch(rows: QuerySet[ExperimentLog], *, now: datetime) -> Batch | None:
    """
    Move the first batch of these rows into a file; None if there are no rows.

    After a crash, the next call finds the file that was written and continues from there.

    :raises FileDamaged: the file read back differs from what was written; nothing is deleted
    :raises FileOutdated: the rows have changed since; nothing is deleted
    :raises OSError: the storage is unavailable or full; other storages raise their own
    """
    with TemporaryFile() as file:
        written = _write(rows, file)
        if written is None:
            return None
        archive = _register(written, checksum(file), now)
        if not _is_intact(archive):
            file.seek(0)
            storages["archive"].save(archive.name, File(file))
    end = Position(written.last["created_at"], written.last["id"])
    return Batch(finish(archive, now=now), end)


def finish(archive: Archive, *, now: datetime) -> int:
    """
    Read a file back and delete its rows; return how many were deleted.

    :raises FileDamaged: it is missing or differs from what was written; nothing is deleted
    :raises FileOutdated: the rows have changed since; nothing is deleted, the file is discarded
    """
    with _read_back(archive) as file:
        if file is None:
            raise FileDamaged(f"{archive.name} is not in the storage as it was written.")
        try:
            with transaction.atomic():
                return _delete_archived(archive, file, now)
        except FileOutdated:
            discard(archive)
            raise


def discard(archive: Archive) -> None:
    """Discard a file that was never finished: its rows are archived in another one."""
    Archive.objects.filter(pk=archive.pk, state=State.WRITING).update(state=State.DISCARDED)


def _write(rows: QuerySet[ExperimentLog], file: IO[bytes]) -> WrittenFile | None:
    # In a transaction, PostgreSQL streams the rows from one snapshot.
    with transaction.atomic(), closing(_rows_of(rows[:FILE_ROWS])) as file_rows:
        return parquet.write(file_rows, file, max_bytes=FILE_BYTES)


def _rows_of(rows: QuerySet[ExperimentLog]) -> Generator[Row]:
    for log in rows.iterator(chunk_size=READ_ROWS):
        yield parquet.row_of(log)


def _register(written: WrittenFile, sha256: str, now: datetime) -> Archive:
    """Store the file's row before the file: a killed run leaves no file without a row."""
    first_at, last_at = written.first["created_at"], written.last["created_at"]
    name = (
        f"experiments/{first_at:%Y/%m}/{first_at:%Y%m%dT%H%M%SZ}-{last_at:%Y%m%dT%H%M%SZ}"
        f"-{written.rows}-{sha256}.parquet"
    )
    fields = {"rows": written.rows, "sha256": sha256, "first_at": first_at, "last_at": last_at}
    archive, _ = Archive.objects.get_or_create(name=name, defaults=fields | {"created_at": now})
    discarded = Archive.objects.filter(pk=archive.pk, state=State.DISCARDED)
    discarded.update(state=State.WRITING, created_at=now)
    return archive


def _is_intact(archive: Archive) -> bool:
    with _read_back(archive) as file:
        return file is not None


@contextmanager
def _read_back(archive: Archive) -> Iterator[IO[bytes] | None]:
    """Yield a copy of the stored file, or None if it is missing or differs from the row."""
    try:
        stored = storages["archive"].open(archive.name, "rb")
    except FileNotFoundError:
        yield None
        return
    with stored, local_copy(stored) as copy:
        is_intact = checksum(copy) == archive.sha256 and parquet.row_count(copy) == archive.rows
        yield copy if is_intact else None


def _delete_archived(archive: Archive, file: IO[bytes], now: datetime) -> int:
    # The row lock serializes concurrent runs; the second one finds the rows deleted.
    state = Archive.objects.select_for_update().values_list("state", flat=True).get(pk=archive.pk)
    deleted = sum(_delete(group) for group in parquet.read(file))
    if state == State.FINISHED and not deleted:
        return 0
    if deleted != archive.rows or state == State.DISCARDED:
        raise FileOutdated(f"{archive.name} holds rows that are no longer in the table.")
    Archive.objects.filter(pk=archive.pk).update(state=State.FINISHED, kept_at=now)
    return deleted


def _delete(group: list[Row]) -> int:
    archived = {row["id"]: row for row in group}
    rows = ExperimentLog.objects.filter(pk__in=archived).order_by("pk")
    for log in rows.select_for_update().iterator(chunk_size=READ_ROWS):
        if parquet.row_of(log) != archived[str(log.pk)]:
            raise FileOutdated(f"The experiment {log.pk} has changed since it was written.")
    _, deleted = ExperimentLog.objects.filter(pk__in=archived).delete()
    return deleted.get(ExperimentLog._meta.label, 0)

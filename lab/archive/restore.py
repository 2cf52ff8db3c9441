"""Restores archived experiments."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple

import pyarrow as pa
from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import FileSystemStorage, storages
from django.db import transaction
from django.db.models import ForeignKey

from lab.archive import parquet
from lab.archive.files import checksum, local_copy
from lab.archive.parquet import Row
from lab.models import Archive, ExperimentLog
from spot_optimizer.errors import Conflict, Missing


class ArchiveUnreadable(Conflict):
    code = "archive_unreadable"


class Restored(NamedTuple):
    """
    The result of a restore, in rows.

    ``present`` rows were in the table already, ``refused`` ones violate a constraint, ``orphaned``
    ones refer to a deleted row: counted by the name of the foreign key.
    """

    added: int
    present: int
    refused: int
    orphaned: Counter[str]

    def plus(self, other: "Restored") -> "Restored":
        return Restored(
            self.added + other.added,
            self.present + other.present,
            self.refused + other.refused,
            self.orphaned + other.orphaned,
        )


def restore(name: str, *, now: datetime) -> Restored:
    """
    Restore the experiments of an archive, from the storage or a path, without duplicates.

    They stay for EXPERIMENT_LOG_DAYS from now. Existing rows are not changed; an experiment whose
    owner or model is deleted stays in the file.

    :raises Missing: there is no such file
    :raises ArchiveUnreadable: the file has changed, or has unknown columns
    """
    with _local_file(name) as file:
        sha256 = checksum(file)
        archives = Archive.objects.filter(sha256=sha256)
        if not archives and not Path(name).stem.endswith(f"-{sha256}"):
            raise ArchiveUnreadable(
                f"The checksum of {name} is neither in its name nor in the list of archives: "
                "it has changed, or is not an archive. Nothing was restored."
            )
        restored = _restore(file, now)
    archives.update(restored_at=now)
    return restored


@contextmanager
def _local_file(name: str) -> Iterator[IO[bytes]]:
    path = Path(name)
    folder = FileSystemStorage(location=path.parent) if path.is_file() else storages["archive"]
    try:
        source = folder.open(path.name if path.is_file() else name, "rb")
    except (FileNotFoundError, IsADirectoryError, SuspiciousOperation) as error:
        raise Missing(f"{name} is neither in the archive's storage nor a path.") from error
    with source, local_copy(source) as copy:
        yield copy


def _restore(file: IO[bytes], now: datetime) -> Restored:
    total = Restored(0, 0, 0, Counter())
    try:
        if unknown := parquet.unknown_columns(file):
            raise ArchiveUnreadable(
                f"The model no longer has the columns {', '.join(unknown)}. Nothing was restored."
            )
        for group in parquet.read(file):
            total = total.plus(_restore_group(group, now))
    except pa.ArrowInvalid as error:
        raise ArchiveUnreadable(f"Not a Parquet file: {error}") from error
    return total


@transaction.atomic
def _restore_group(group: list[Row], now: datetime) -> Restored:
    rows = ExperimentLog.objects.filter(pk__in=[row["id"] for row in group])
    present = {str(pk) for pk in rows.values_list("pk", flat=True)}
    logs = [parquet.experiment_of(row) for row in group if row["id"] not in present]
    orphans = _orphans(logs)
    complete = [log for log in logs if log.pk not in orphans]
    for log in complete:
        log.restored_at = now
    # A concurrent restore of the same file may insert the same rows.
    ExperimentLog.objects.bulk_create(complete, ignore_conflicts=True)
    added = rows.count() - len(present)
    return Restored(added, len(present), len(complete) - added, Counter(orphans.values()))


def _orphans(logs: list[ExperimentLog]) -> dict[object, str]:
    """Return the experiments that refer to a deleted row: the foreign key, by experiment id."""
    orphans: dict[object, str] = {}
    for field in ExperimentLog._meta.concrete_fields:
        if not isinstance(field, ForeignKey):
            continue
        wanted = {field.value_from_object(log) for log in logs} - {None}
        target = field.target_field.attname
        known = field.related_model._base_manager.filter(**{f"{target}__in": wanted})
        missing = wanted - set(known.values_list(target, flat=True))
        orphans |= {log.pk: field.name for log in logs if field.value_from_object(log) in missing}
    return orphans

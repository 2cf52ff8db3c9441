"""Archived experiments brought back."""

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

from lab.archive import parquet as columns
from lab.archive.archive import checksum, local_copy
from lab.archive.parquet import Row
from lab.models import Archive, ExperimentLog
from spot_optimizer.errors import Conflict, Missing


class ArchiveUnreadable(Conflict):
    code = "archive_unreadable"


class Restored(NamedTuple):
    """What became of the rows of a file; ``orphaned`` says how many lack which of their rows."""

    added: int
    present: int
    refused: int
    orphaned: Counter[str]

    def and_also(self, other: "Restored") -> "Restored":
        return Restored(
            self.added + other.added,
            self.present + other.present,
            self.refused + other.refused,
            self.orphaned + other.orphaned,
        )


def restore(name: str, *, now: datetime) -> Restored:
    """
    Bring the experiments of an archive back, from the storage or a path; none is doubled.

    They stay for EXPERIMENT_LOG_DAYS from now. What is here already is left as it is; an experiment
    whose owner or model is gone stays in the file.

    :raises Missing: there is no such file
    :raises ArchiveUnreadable: it is not what was written, or has columns no longer known
    """
    with _opened(name) as file:
        sha256 = checksum(file)
        noted = Archive.objects.filter(sha256=sha256)
        if not noted and not Path(name).stem.endswith(f"-{sha256}"):
            raise ArchiveUnreadable(
                f"The checksum of {name} is neither in its name nor in the list of archives: "
                "it has changed, or is no archive. Nothing was brought back."
            )
        told = _restore(file, now)
    noted.update(restored_at=now)
    return told


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
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
        if unknown := columns.unknown_columns(file):
            raise ArchiveUnreadable(
                f"Experiment logs have no {', '.join(unknown)} any more. Nothing was brought back."
            )
        for group in columns.read(file):
            total = total.and_also(_restore_group(group, now))
    except pa.ArrowInvalid as error:
        raise ArchiveUnreadable(f"This is no Parquet file: {error}") from error
    return total


@transaction.atomic
def _restore_group(group: list[Row], now: datetime) -> Restored:
    rows = ExperimentLog.objects.filter(pk__in=[row["id"] for row in group])
    present = {str(pk) for pk in rows.values_list("pk", flat=True)}
    logs = [columns.decoded(row) for row in group if row["id"] not in present]
    orphans = _orphans(logs)
    whole = [log for log in logs if log.pk not in orphans]
    for log in whole:
        log.restored_at = now
    # Another restore of the same file may be at it too.
    ExperimentLog.objects.bulk_create(whole, ignore_conflicts=True)
    added = rows.count() - len(present)
    return Restored(added, len(present), len(whole) - added, Counter(orphans.values()))


def _orphans(logs: list[ExperimentLog]) -> dict[object, str]:
    """Return which of them refer to a row that is gone, and to what."""
    orphans: dict[object, str] = {}
    for field in ExperimentLog._meta.concrete_fields:
        if not isinstance(field, ForeignKey):
            continue
        wanted = {field.value_from_object(log) for log in logs} - {None}
        target = field.target_field.attname
        known = field.related_model._base_manager.filter(**{f"{target}__in": wanted})
        gone = wanted - set(known.values_list(target, flat=True))
        orphans |= {log.pk: field.name for log in logs if field.value_from_object(log) in gone}
    return orphans

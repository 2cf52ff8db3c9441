"""The nightly job: moves old experiment logs into the archive."""

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from lab.archive import batches
from lab.archive.batches import Position
from lab.models import Archive, ExperimentLog
from spot_optimizer.aws.client.deadline import Deadline

logger = logging.getLogger(__name__)

TIME_LIMIT = 30 * 60.0  # [s] below the broker's visibility timeout; the next run continues
ABANDONED_AFTER = timedelta(hours=1)  # longer than any run
MAX_FAILURES = 3  # in a run; more attempts would probably fail too


class ArchiveRun(NamedTuple):
    """The result of a run."""

    files: int = 0
    rows: int = 0
    failures: int = 0

    def with_file(self, rows: int) -> "ArchiveRun":
        return self._replace(files=self.files + bool(rows), rows=self.rows + rows)

    def with_failure(self) -> "ArchiveRun":
        return self._replace(failures=self.failures + 1)


def cleanup_old_experiment_logs(*, now: datetime) -> ArchiveRun:
    """
    Move experiment logs older than EXPERIMENT_LOG_DAYS into the archive.

    Rows that cannot be moved stay, are logged, and are retried by the next run. Concurrent runs, or
    a run after a killed one, move each row once.
    """
    deadline = Deadline.after(TIME_LIMIT)
    run, rows = _resume(ArchiveRun(), now=now), batches.due(now=now)
    position: Position | None = None
    is_done = False
    while deadline.remaining() and run.failures < MAX_FAILURES and not is_done:
        rest = batches.after(rows, position) if position else rows
        run, position = _archive_next(run, rest, now=now)
        is_done = position is None
    level = logging.INFO if is_done and not run.failures else logging.WARNING
    logger.log(level, "archive: files %d, experiment logs %d, failures %d", *run)
    return run


def _resume(run: ArchiveRun, *, now: datetime) -> ArchiveRun:
    """Finish the files of earlier runs; discard abandoned ones that cannot be finished."""
    for archive in Archive.objects.filter(state=Archive.State.WRITING):
        try:
            run = run.with_file(batches.finish(archive, now=now))
        except (batches.FileDamaged, batches.FileOutdated) as refusal:
            logger.info("archive: not finished, its rows are archived again: %s", refusal)
            # A recent file may be one that a concurrent run is still writing.
            if archive.created_at <= now - ABANDONED_AFTER:
                batches.discard(archive)
        except Exception:
            logger.exception("archive: %s is not finished; the next run retries it", archive)
            run = run.with_failure()
    return run


def _archive_next(
    run: ArchiveRun, rows: QuerySet[ExperimentLog], *, now: datetime
) -> tuple[ArchiveRun, Position | None]:
    try:
        batch = batches.archive_batch(rows, now=now)
    except Exception:
        # A row that cannot be written must not block the batches after it.
        logger.exception("archive: a batch was not moved; the next run retries it")
        return run.with_failure(), batches.batch_end(rows)
    return (run.with_file(batch.deleted), batch.last) if batch else (run, None)

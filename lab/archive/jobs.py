"""What happens in the background, at night."""

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from lab.archive import archive
from lab.archive.archive import Position
from lab.models import Archive, ExperimentLog
from spot_optimizer.aws.deadline import Deadline

logger = logging.getLogger(__name__)

TIME_LIMIT = 30 * 60.0  # [s] below the broker's visibility timeout; the next night goes on
ABANDONED_AFTER = timedelta(hours=1)  # longer than any run lives
GIVE_UP_AFTER = 3  # failures: then the storage is away, and a fourth try would not help


class Night(NamedTuple):
    """What a run did."""

    files: int = 0
    rows: int = 0
    failures: int = 0

    def with_file(self, rows: int) -> "Night":
        return self._replace(files=self.files + bool(rows), rows=self.rows + rows)

    def with_failure(self) -> "Night":
        return self._replace(failures=self.failures + 1)


def cleanup_old_experiment_logs(*, now: datetime) -> Night:
    """
    Move experiment logs older than EXPERIMENT_LOG_DAYS into the archive; return what was done.

    What cannot be moved stays, is logged, and is tried again by the next run. Runs at the same
    time, or one after a killed one, move each row once.
    """
    deadline = Deadline.after(TIME_LIMIT)
    night, rows = _go_on(Night(), now=now), archive.due(now=now)
    position: Position | None = None
    is_done = False
    while deadline.remaining() and night.failures < GIVE_UP_AFTER and not is_done:
        rest = archive.behind(rows, position) if position else rows
        night, position = _next(night, rest, now=now)
        is_done = position is None
    level = logging.INFO if is_done and not night.failures else logging.WARNING
    logger.log(level, "archive: files %d, experiment logs %d, failures %d", *night)
    return night


def _go_on(night: Night, *, now: datetime) -> Night:
    """Finish what an earlier run has written and not deleted; forget what it has not written."""
    for noted in Archive.objects.filter(state=Archive.State.WRITING):
        try:
            night = night.with_file(archive.finish(noted, now=now))
        except (archive.FileDamaged, archive.FileOutdated) as refusal:
            logger.info("archive: not finished, its rows are written anew: %s", refusal)
            # Another run may be writing this one at the moment; such a one is young.
            if noted.created_at <= now - ABANDONED_AFTER:
                archive.discard(noted)
        except Exception:
            logger.exception("archive: %s is not finished; the next run tries again", noted)
            night = night.with_failure()
    return night


def _next(
    night: Night, rows: QuerySet[ExperimentLog], *, now: datetime
) -> tuple[Night, Position | None]:
    try:
        batch = archive.archive(rows, now=now)
    except Exception:
        # A row that cannot be written must not keep the others from it, night after night.
        logger.exception("archive: a batch stays where it is; the next run tries again")
        return night.with_failure(), archive.batch_end(rows)
    return (night.with_file(batch.deleted), batch.last) if batch else (night, None)

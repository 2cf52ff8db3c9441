"""
One run of the clean-up that stops in the middle, says so, and waits to be killed.

    python -m lab.tests.stalled_run DATABASE FOLDER {half-written|written|deleting|none}
"""

import sys
import time
from pathlib import Path

from django.core.files.storage import FileSystemStorage


def stall():
    print("stalled", flush=True)  # noqa: T201
    time.sleep(120)


class HalfWritten(FileSystemStorage):
    """A plain folder, killed in the middle of a file."""

    def _save(self, name, content):
        there = Path(self.path(name))
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(content.read(1000))
        stall()


class Written(FileSystemStorage):
    """A plain folder, killed when the file is whole and nothing has been read back."""

    def _save(self, name, content):
        super()._save(name, content)
        stall()


def stall_after_first_delete(execute, sql, params, many, context):
    answer = execute(sql, params, many, context)
    if sql.startswith("DELETE") and "lab_experimentlog" in sql:
        stall()
    return answer


def main(database, folder, point):
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    backend = {"half-written": "HalfWritten", "written": "Written"}.get(point)
    settings.STORAGES["archive"] = {
        "BACKEND": f"lab.tests.stalled_run.{backend}"
        if backend
        else "lab.archive.storage.AtomicFileStorage",
        "OPTIONS": {"location": folder},
    }
    django.setup()

    from django.db import connection

    from lab.archive import archive, jobs
    from lab.archive import parquet as columns
    from spot_optimizer.testing import NOON

    archive.FILE_ROWS = 100
    columns.GROUP_ROWS = 20
    if point == "deleting":
        connection.execute_wrappers.append(stall_after_first_delete)
    jobs.cleanup_old_experiment_logs(now=NOON)


if __name__ == "__main__":
    main(*sys.argv[1:])

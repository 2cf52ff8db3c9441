"""
One run of the archive job that stops in the middle, prints "stalled", and waits to be killed.

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
    """Stalls in the middle of a file."""

    def _save(self, name, content):
        there = Path(self.path(name))
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(content.read(1000))
        stall()


class Written(FileSystemStorage):
    """Stalls when the file is complete and not yet read back."""

    def _save(self, name, content):
        super()._save(name, content)
        stall()


def stall_after_first_delete(execute, sql, params, many, context):
    result = execute(sql, params, many, context)
    if sql.startswith("DELETE") and "lab_experimentlog" in sql:
        stall()
    return result


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

    from lab.archive import batches, jobs, parquet
    from spot_optimizer.testing import NOON

    batches.FILE_ROWS = 100
    parquet.GROUP_ROWS = 20
    if point == "deleting":
        connection.execute_wrappers.append(stall_after_first_delete)
    jobs.cleanup_old_experiment_logs(now=NOON)


if __name__ == "__main__":
    main(*sys.argv[1:])

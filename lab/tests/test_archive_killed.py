"""A run killed by SIGKILL at critical points, then the next run."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from lab.archive import batches, jobs, parquet
from lab.models import Archive
from lab.tests.experiment_rows import archived, experiments, stored
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
ROWS = 250


@pytest.fixture(autouse=True)
def files_of_hundred(monkeypatch):
    monkeypatch.setattr(batches, "FILE_ROWS", 100)
    monkeypatch.setattr(parquet, "GROUP_ROWS", 20)


@contextmanager
def a_run(folder, point):
    arguments = [str(connection.settings_dict["NAME"]), str(folder), point]
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.tests.stalled_run", *arguments],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "spot_optimizer.tests.settings"},
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def killed(folder, point):
    with a_run(folder, point) as process:
        assert process.stdout.readline() == b"stalled\n"


def run_archive_job(now=NOON):
    return jobs.cleanup_old_experiment_logs(now=now)


@pytest.mark.parametrize("point", ["half-written", "written", "deleting"])
def test_no_row_is_lost_or_archived_twice(folder, point):
    rows = experiments(ROWS)

    killed(folder, point)
    left = stored()
    run_archive_job(NOON + timedelta(days=1))

    assert left == rows
    assert stored() == {}
    assert set(archived(folder)) == set(map(str, rows))
    assert [each.rows for each in Archive.objects.order_by("first_at")] == [100, 100, 50]
    assert set(Archive.objects.values_list("state", flat=True)) == {"kept"}


def test_a_file_that_was_written_is_not_written_twice(folder):
    experiments(ROWS)
    killed(folder, "written")
    written = next(folder.rglob("*.parquet")).stat()

    run_archive_job()

    found = {path.stat().st_ino: path.stat() for path in folder.rglob("*.parquet")}
    assert len(found) == 3
    assert found[written.st_ino].st_mtime_ns == written.st_mtime_ns


def test_a_killed_run_is_finished_although_more_rows_are_due(folder):
    first = experiments(30)
    killed(folder, "written")
    more = experiments(200, since=NOON - timedelta(days=91))

    run_archive_job(NOON + timedelta(days=1))

    assert stored() == {}
    assert set(archived(folder)) == set(map(str, first | more))
    assert [each.rows for each in Archive.objects.order_by("first_at")] == [30, 100, 100]


def test_a_partly_written_file_is_discarded_once_its_rows_are_elsewhere(folder):
    first = experiments(30)
    killed(folder, "half-written")
    more = experiments(20)

    run_archive_job(NOON + timedelta(days=1))

    assert set(archived(folder)) == set(map(str, first | more))
    assert sorted(Archive.objects.values_list("state", "rows")) == [("discarded", 30), ("kept", 50)]


def test_repeated_kills_lose_no_row(folder):
    rows = experiments(ROWS)

    for point in ("half-written", "deleting", "written", "deleting"):
        killed(folder, point)
    run_archive_job(NOON + timedelta(days=1))

    assert stored() == {}
    assert set(archived(folder)) == set(map(str, rows))


def test_concurrent_processes_move_each_row_once(folder):
    rows = experiments(ROWS)

    def run(_):
        with a_run(folder, "none") as process:
            return process.wait(timeout=60)

    with ThreadPoolExecutor(max_workers=3) as pool:
        assert list(pool.map(run, range(3))) == [0, 0, 0]
    run_archive_job(NOON + timedelta(days=1))

    assert stored() == {}
    assert set(archived(folder)) == set(map(str, rows))

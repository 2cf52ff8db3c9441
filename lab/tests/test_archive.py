import importlib
import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pyarrow.parquet as pq
import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from accounts.models import User
from accounts.testing import a_user, an_admin
from lab import tasks
from lab.archive import batches, jobs, parquet
from lab.archive.files import checksum
from lab.archive.restore import restore
from lab.models import Archive, ExperimentLog
from lab.tests.experiment_rows import LONG_AGO, an_experiment, archived, experiments, stored
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db
schedule = importlib.import_module("lab.migrations.0005_archive")


def run_archive_job(now=NOON):
    return jobs.cleanup_old_experiment_logs(now=now)


class TestSchedule:
    def test_runs_daily_at_two(self):
        task = PeriodicTask.objects.get(name="cleanup_old_experiment_logs")

        assert task.task == tasks.cleanup_old_experiment_logs.name
        assert (task.crontab.hour, task.crontab.minute) == ("2", "0")
        assert str(task.crontab.timezone) == "UTC"
        assert task.enabled

    def test_does_not_overwrite_an_operators_edit(self):
        at_five = CrontabSchedule.objects.create(hour="5", minute="30")
        ours = PeriodicTask.objects.filter(name="cleanup_old_experiment_logs")
        ours.update(enabled=False, crontab=at_five)

        schedule.add_missing(apps, None)

        assert (ours.get().enabled, ours.get().crontab) == (False, at_five)

    def test_adds_the_task_if_it_is_missing(self):
        PeriodicTask.objects.all().delete()

        schedule.add_missing(apps, None)

        assert PeriodicTask.objects.get().crontab.hour == "2"


class TestCleanup:
    def test_moves_rows_older_than_the_limit_only(self, folder):
        old = an_experiment(created_at=NOON - timedelta(days=90, microseconds=1))
        young = an_experiment(created_at=NOON - timedelta(days=90))
        ExperimentLog.objects.bulk_create([old, young])

        run = run_archive_job()

        assert (run.files, run.rows, run.failures) == (1, 1, 0)
        assert list(ExperimentLog.objects.values_list("pk", flat=True)) == [young.pk]
        assert list(archived(folder)) == [str(old.pk)]

    def test_the_limit_is_the_setting(self, folder, settings):
        settings.EXPERIMENT_LOG_DAYS = 300
        experiments(1)

        assert run_archive_job().rows == 0

    def test_writes_no_file_if_nothing_is_due(self, folder):
        assert run_archive_job() == jobs.ArchiveRun(0, 0, 0)
        assert not folder.exists()

    def test_stores_a_row_for_each_file(self, folder, small_files):
        experiments(25)

        run_archive_job()

        archives = list(Archive.objects.order_by("first_at"))
        assert [each.rows for each in archives] == [10, 10, 5]
        assert {each.state for each in archives} == {"kept"}
        assert archives[1].first_at == LONG_AGO + timedelta(seconds=10)
        assert archives[1].last_at == LONG_AGO + timedelta(seconds=19)
        for each in archives:
            with (folder / each.name).open("rb") as file:
                assert checksum(file) == each.sha256
            assert pq.read_metadata(folder / each.name).row_group(0).column(0).compression == "ZSTD"
            assert pq.read_metadata(folder / each.name).num_rows == each.rows

    def test_limits_the_bytes_of_a_file(self, folder, monkeypatch):
        monkeypatch.setattr(batches, "FILE_BYTES", 10_000)
        monkeypatch.setattr(parquet, "GROUP_BYTES", 4_000)
        rows = experiments(30)

        run_archive_job()

        assert Archive.objects.count() > 1
        assert len(archived(folder)) == len(rows)

    def test_archives_each_row_of_one_moment_once(self, folder, small_files):
        rows = experiments(35, every=timedelta())

        assert run_archive_job().rows == 35
        assert set(archived(folder)) == set(map(str, rows))

    def test_a_second_run_does_nothing(self, folder):
        experiments(3)
        run_archive_job()

        assert run_archive_job() == jobs.ArchiveRun(0, 0, 0)
        assert Archive.objects.count() == 1

    def test_files_have_the_configured_permissions(self, folder, settings):
        experiments(1)
        options = settings.STORAGES["archive"]["OPTIONS"]
        options |= {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}

        run_archive_job()

        name = Archive.objects.get().name
        assert (folder / name).stat().st_mode & 0o777 == 0o600

    def test_the_task_uses_the_current_time(self, folder):
        experiments(1)

        tasks.cleanup_old_experiment_logs(something_new="a later version sends it")

        assert Archive.objects.get().state == "kept"


class TestFailure:
    def test_a_full_storage_deletes_no_rows_until_it_works_again(
        self, folder, settings, small_files
    ):
        rows = experiments(25)
        working = settings.STORAGES
        settings.STORAGES = working | {"archive": storage_of(FullStorage, folder)}

        run = run_archive_job()

        assert (run.rows, run.failures) == (0, 3)
        assert stored() == rows
        settings.STORAGES = working
        assert run_archive_job(NOON + timedelta(days=1)).rows == 25
        assert len(archived(folder)) == 25
        assert set(Archive.objects.values_list("state", flat=True)) == {"kept"}

    def test_stops_after_three_failures(self, folder, settings, small_files, caplog):
        rows = experiments(60)
        settings.STORAGES = settings.STORAGES | {"archive": storage_of(FullStorage, folder)}

        with caplog.at_level(logging.WARNING):
            assert run_archive_job().failures == jobs.MAX_FAILURES

        assert stored() == rows
        assert "No space left" in caplog.text

    def test_a_storage_that_loses_bytes_deletes_no_rows(self, folder, settings):
        rows = experiments(5)
        settings.STORAGES = settings.STORAGES | {"archive": storage_of(LosesBytes, folder)}

        assert run_archive_job().failures == 1
        assert stored() == rows

    def test_a_failing_batch_does_not_block_the_others(self, folder, settings, small_files):
        rows = experiments(30)
        settings.STORAGES = settings.STORAGES | {"archive": storage_of(RefusesSecondFile, folder)}

        run = run_archive_job()

        assert (run.rows, run.failures) == (20, 1)
        assert set(stored()) == set(list(rows)[10:20])

    def test_a_row_changed_after_it_was_written_is_not_deleted(self, folder, settings, small_files):
        rows = experiments(3)
        changed = list(rows)[1]
        settings.STORAGES = settings.STORAGES | {"archive": storage_of(ChangingRows, folder)}
        ChangingRows.change = lambda: ExperimentLog.objects.filter(pk=changed).update(
            decision="STAY"
        )

        run = run_archive_job()

        assert (run.rows, run.failures) == (0, 1)
        assert len(stored()) == 3
        assert Archive.objects.get().state == "discarded"
        ChangingRows.change = lambda: None
        assert run_archive_job().rows == 3
        assert archived(folder)[str(changed)]["decision"] == "STAY"

    def test_rows_of_a_user_deleted_during_the_run_are_not_archived(self, folder, settings):
        owner, other = a_user(), a_user()
        experiments(2, owner=owner)
        left = experiments(2, owner=other)
        settings.STORAGES = settings.STORAGES | {"archive": storage_of(ChangingRows, folder)}
        ChangingRows.change = lambda: User.objects.filter(pk=owner.pk).delete()
        run_archive_job()

        assert run_archive_job().rows == 2
        assert set(archived(folder)) == set(map(str, left))


class TestTwoAtOnce:
    @pytest.mark.django_db(transaction=True)
    def test_concurrent_runs_move_each_row_once(self, folder, small_files):
        rows = experiments(95)
        barrier = Barrier(4)

        def run(_):
            barrier.wait()
            try:
                return run_archive_job()
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=4) as pool:
            runs = list(pool.map(run, range(4)))
        runs.append(run_archive_job(NOON + timedelta(days=1)))

        assert stored() == {}
        assert set(archived(folder)) == set(map(str, rows))
        assert sum(run.rows for run in runs) == 95

    def test_finishing_a_finished_file_changes_nothing(self, folder):
        experiments(3)
        run_archive_job()
        archive = Archive.objects.get()

        assert batches.finish(archive, now=NOON) == 0
        assert Archive.objects.get().state == "kept"

    def test_a_finished_file_stays_finished_if_its_restored_rows_change(self, folder):
        changed = next(iter(experiments(3)))
        run_archive_job()
        archive = Archive.objects.get()
        restore(archive.name, now=NOON)
        ExperimentLog.objects.filter(pk=changed).update(decision="STAY")

        with pytest.raises(batches.FileOutdated):
            batches.finish(archive, now=NOON)

        assert len(stored()) == 3
        assert Archive.objects.get().state == "kept"


class TestFinish:
    """The states of an archive, each with its file written and its rows in the table."""

    @pytest.fixture
    def archive(self, folder):
        experiments(3)
        run_archive_job()
        archive = Archive.objects.get()
        restore(archive.name, now=NOON)
        return archive

    def test_a_discarded_file_deletes_no_rows(self, archive):
        Archive.objects.update(state="discarded", kept_at=None)

        with pytest.raises(batches.FileOutdated):
            batches.finish(archive, now=NOON)

        assert len(stored()) == 3
        assert Archive.objects.get().state == "discarded"

    def test_a_file_with_rows_that_are_gone_deletes_no_rows(self, archive):
        Archive.objects.update(state="writing", kept_at=None)
        ExperimentLog.objects.latest("pk").delete()

        with pytest.raises(batches.FileOutdated):
            batches.finish(archive, now=NOON)

        assert len(stored()) == 2
        assert Archive.objects.get().state == "discarded"

    def test_a_finished_file_is_not_discarded(self, archive):
        batches.discard(archive)

        assert Archive.objects.get().state == "kept"

    @pytest.mark.parametrize("state", ["writing", "kept"])
    def test_a_file_with_another_checksum_deletes_no_rows(self, archive, state):
        archive.sha256 = "0" * 64

        with pytest.raises(batches.FileDamaged):
            batches.finish(archive, now=NOON)

        assert len(stored()) == 3

    @pytest.mark.parametrize(
        ("age", "state"),
        [
            (jobs.ABANDONED_AFTER, "discarded"),
            (jobs.ABANDONED_AFTER - timedelta(microseconds=1), "writing"),
        ],
    )
    def test_an_unwritten_file_is_discarded_after_an_hour(self, folder, age, state):
        Archive.objects.create(
            name="experiments/unwritten.parquet",
            rows=1,
            sha256="0" * 64,
            first_at=LONG_AGO,
            last_at=LONG_AGO,
            created_at=NOON - age,
        )

        run_archive_job()

        assert Archive.objects.get().state == state


class TestStorage:
    def test_syncs_the_file_before_its_folder(self, folder, monkeypatch):
        synced = []
        monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_mode))

        storages["archive"].save("file", ContentFile(b"content"))

        assert [stat.S_ISDIR(mode) for mode in synced] == [False, True]

    def test_a_failed_write_leaves_the_previous_file_only(self, folder):
        storage = storages["archive"]
        storage.save("a/file", ContentFile(b"whole"))

        with pytest.raises(OSError, match="torn"):
            storage.save("a/file", FailingContent(b"half", name="file"))

        assert [path.name for path in (folder / "a").iterdir()] == ["file"]
        assert (folder / "a" / "file").read_bytes() == b"whole"

    def test_replaces_a_file_of_the_same_name(self, folder):
        storage = storages["archive"]
        storage.save("file", ContentFile(b"half a fi"))

        assert storage.save("file", ContentFile(b"whole")) == "file"
        assert (folder / "file").read_bytes() == b"whole"


class TestAdmin:
    def test_is_read_only(self, client, folder):
        experiments(1)
        run_archive_job()
        archive = Archive.objects.get()
        client.force_login(an_admin())

        listed = client.get("/admin/lab/archive/")
        shown = client.get(f"/admin/lab/archive/{archive.pk}/change/")

        assert archive.name in listed.text
        assert archive.sha256 in shown.text
        assert client.post(f"/admin/lab/archive/{archive.pk}/delete/").status_code == 403
        assert client.get("/admin/lab/archive/add/").status_code == 403


def storage_of(kind, folder):
    return {"BACKEND": f"{__name__}.{kind.__name__}", "OPTIONS": {"location": folder}}


class FullStorage(FileSystemStorage):
    """Fails after half of the file."""

    def _save(self, name, content):
        there = folder_of(self, name)
        there.write_bytes(content.read(200))
        raise OSError(28, "No space left on device")


class FailingContent(ContentFile):
    """Raises in the middle of the content."""

    def chunks(self, chunk_size=None):
        yield b"half"
        raise OSError("torn")


class RefusesSecondFile(FileSystemStorage):
    """Refuses the second file."""

    def _save(self, name, content):
        if f"{LONG_AGO + timedelta(seconds=10):%Y%m%dT%H%M%SZ}-" in name:
            raise OSError(5, "Input/output error")
        return super()._save(name, content)


class LosesBytes(FileSystemStorage):
    """Reports success and stores half of the file."""

    def _save(self, name, content):
        folder_of(self, name).write_bytes(content.read(200))
        return name


class ChangingRows(FileSystemStorage):
    """Calls ``change`` while a file is written."""

    change = staticmethod(lambda: None)

    def _save(self, name, content):
        type(self).change()
        return super()._save(name, content)


def folder_of(storage, name):
    there = Path(storage.path(name))
    there.parent.mkdir(parents=True, exist_ok=True)
    return there

import importlib
import logging
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
from lab.archive import archive, jobs
from lab.archive import parquet as columns
from lab.archive.restore import restore
from lab.models import Archive, ExperimentLog
from lab.tests.archives import LONG_AGO, an_experiment, archived, experiments, stored
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db
schedule = importlib.import_module("lab.migrations.0005_archive")


def clean_up(now=NOON):
    return jobs.cleanup_old_experiment_logs(now=now)


class TestSchedule:
    def test_runs_daily_at_two(self):
        task = PeriodicTask.objects.get(name="cleanup_old_experiment_logs")

        assert task.task == tasks.cleanup_old_experiment_logs.name
        assert (task.crontab.hour, task.crontab.minute) == ("2", "0")
        assert str(task.crontab.timezone) == "UTC"
        assert task.enabled

    def test_leaves_an_operators_edit_alone(self):
        at_five = CrontabSchedule.objects.create(hour="5", minute="30")
        ours = PeriodicTask.objects.filter(name="cleanup_old_experiment_logs")
        ours.update(enabled=False, crontab=at_five)

        schedule.add_missing(apps, None)

        assert (ours.get().enabled, ours.get().crontab) == (False, at_five)

    def test_adds_what_is_missing(self):
        PeriodicTask.objects.all().delete()

        schedule.add_missing(apps, None)

        assert PeriodicTask.objects.get().crontab.hour == "2"


class TestCleanup:
    def test_moves_what_is_older_and_nothing_younger(self, folder):
        old = an_experiment(created_at=NOON - timedelta(days=90, microseconds=1))
        young = an_experiment(created_at=NOON - timedelta(days=90))
        ExperimentLog.objects.bulk_create([old, young])

        night = clean_up()

        assert (night.files, night.rows, night.failures) == (1, 1, 0)
        assert list(ExperimentLog.objects.values_list("pk", flat=True)) == [young.pk]
        assert list(archived(folder)) == [str(old.pk)]

    def test_keeps_them_as_long_as_the_setting_says(self, folder, settings):
        settings.EXPERIMENT_LOG_DAYS = 300
        experiments(1)

        assert clean_up().rows == 0

    def test_writes_no_file_where_nothing_is_due(self, folder):
        assert clean_up() == jobs.Night(0, 0, 0)
        assert not folder.exists()

    def test_notes_what_is_in_each_file(self, folder, small_files):
        experiments(25)

        clean_up()

        kept = list(Archive.objects.order_by("first_at"))
        assert [each.rows for each in kept] == [10, 10, 5]
        assert {each.state for each in kept} == {"kept"}
        assert kept[1].first_at == LONG_AGO + timedelta(seconds=10)
        assert kept[1].last_at == LONG_AGO + timedelta(seconds=19)
        for each in kept:
            with (folder / each.name).open("rb") as file:
                assert archive.checksum(file) == each.sha256
            assert pq.read_metadata(folder / each.name).row_group(0).column(0).compression == "ZSTD"
            assert pq.read_metadata(folder / each.name).num_rows == each.rows

    def test_cuts_a_file_by_bytes_too(self, folder, monkeypatch):
        monkeypatch.setattr(archive, "FILE_BYTES", 10_000)
        monkeypatch.setattr(columns, "GROUP_BYTES", 4_000)
        rows = experiments(30)

        clean_up()

        assert Archive.objects.count() > 1
        assert len(archived(folder)) == len(rows)

    def test_tells_rows_of_the_same_moment_apart(self, folder, small_files):
        rows = experiments(35, every=timedelta())

        assert clean_up().rows == 35
        assert set(archived(folder)) == set(map(str, rows))

    def test_a_second_run_finds_nothing_to_do(self, folder):
        experiments(3)
        clean_up()

        assert clean_up() == jobs.Night(0, 0, 0)
        assert Archive.objects.count() == 1

    def test_files_are_their_owners_only(self, folder, settings):
        experiments(1)
        options = settings.STORAGES["archive"]["OPTIONS"]
        options |= {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}

        clean_up()

        name = Archive.objects.get().name
        assert (folder / name).stat().st_mode & 0o777 == 0o600

    def test_the_task_reads_the_clock(self, folder):
        experiments(1)

        tasks.cleanup_old_experiment_logs(something_new="a later version sends it")

        assert Archive.objects.get().state == "kept"


class TestFailure:
    def test_a_full_storage_keeps_the_rows_until_it_is_well(self, folder, settings, small_files):
        rows = experiments(25)
        well = settings.STORAGES
        settings.STORAGES = well | {"archive": storage_of(Full, folder)}

        night = clean_up()

        assert (night.rows, night.failures) == (0, 3)
        assert stored() == rows
        settings.STORAGES = well
        assert clean_up(NOON + timedelta(days=1)).rows == 25
        assert len(archived(folder)) == 25
        assert set(Archive.objects.values_list("state", flat=True)) == {"kept"}

    def test_gives_up_on_a_storage_that_is_away(self, folder, settings, small_files, caplog):
        rows = experiments(60)
        settings.STORAGES = settings.STORAGES | {"archive": storage_of(Full, folder)}

        with caplog.at_level(logging.WARNING):
            assert clean_up().failures == jobs.GIVE_UP_AFTER

        assert stored() == rows
        assert "No space left" in caplog.text

    def test_a_storage_that_loses_bytes_keeps_the_rows(self, folder, settings):
        rows = experiments(5)
        settings.STORAGES = settings.STORAGES | {"archive": storage_of(Lossy, folder)}

        assert clean_up().failures == 1
        assert stored() == rows

    def test_one_bad_batch_stops_no_other(self, folder, settings, small_files):
        rows = experiments(30)
        settings.STORAGES = settings.STORAGES | {"archive": storage_of(Picky, folder)}

        night = clean_up()

        assert (night.rows, night.failures) == (20, 1)
        assert set(stored()) == set(list(rows)[10:20])

    def test_a_row_that_has_changed_since_it_was_written_is_not_deleted(
        self, folder, settings, small_files
    ):
        rows = experiments(3)
        changed = list(rows)[1]
        settings.STORAGES = settings.STORAGES | {"archive": storage_of(Meddling, folder)}
        Meddling.meddle = lambda: ExperimentLog.objects.filter(pk=changed).update(decision="STAY")

        night = clean_up()

        assert (night.rows, night.failures) == (0, 1)
        assert len(stored()) == 3
        assert Archive.objects.get().state == "discarded"
        Meddling.meddle = lambda: None
        assert clean_up().rows == 3
        assert archived(folder)[str(changed)]["decision"] == "STAY"

    def test_nothing_is_archived_of_a_user_deleted_meanwhile(self, folder, settings):
        owner, other = a_user(), a_user()
        experiments(2, owner=owner)
        left = experiments(2, owner=other)
        settings.STORAGES = settings.STORAGES | {"archive": storage_of(Meddling, folder)}
        Meddling.meddle = lambda: User.objects.filter(pk=owner.pk).delete()
        clean_up()

        assert clean_up().rows == 2
        assert set(archived(folder)) == set(map(str, left))


class TestTwoAtOnce:
    @pytest.mark.django_db(transaction=True)
    def test_share_the_work(self, folder, small_files):
        rows = experiments(95)
        together = Barrier(4)

        def run(_):
            together.wait()
            try:
                return clean_up()
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=4) as pool:
            nights = list(pool.map(run, range(4)))
        nights.append(clean_up(NOON + timedelta(days=1)))

        assert stored() == {}
        assert set(archived(folder)) == set(map(str, rows))
        assert sum(night.rows for night in nights) == 95

    def test_one_that_comes_after_does_not_touch_the_other_ones_file(self, folder):
        experiments(3)
        clean_up()
        kept = Archive.objects.get()

        assert archive.finish(kept, now=NOON) == 0
        assert Archive.objects.get().state == "kept"

    def test_a_kept_file_stays_kept_whatever_becomes_of_its_rows(self, folder):
        changed = next(iter(experiments(3)))
        clean_up()
        kept = Archive.objects.get()
        restore(kept.name, now=NOON)
        ExperimentLog.objects.filter(pk=changed).update(decision="STAY")

        with pytest.raises(archive.FileOutdated):
            archive.finish(kept, now=NOON)

        assert len(stored()) == 3
        assert Archive.objects.get().state == "kept"


class TestFolder:
    def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(self, folder):
        storage = storages["archive"]
        storage.save("a/file", ContentFile(b"whole"))

        with pytest.raises(OSError, match="torn"):
            storage.save("a/file", Torn(b"half", name="file"))

        assert [path.name for path in (folder / "a").iterdir()] == ["file"]
        assert (folder / "a" / "file").read_bytes() == b"whole"

    def test_puts_a_file_in_the_place_of_another(self, folder):
        storage = storages["archive"]
        storage.save("file", ContentFile(b"half a fi"))

        assert storage.save("file", ContentFile(b"whole")) == "file"
        assert (folder / "file").read_bytes() == b"whole"


class TestAdmin:
    def test_shows_the_files_and_changes_nothing(self, client, folder):
        experiments(1)
        clean_up()
        kept = Archive.objects.get()
        client.force_login(an_admin())

        listed = client.get("/admin/lab/archive/")
        shown = client.get(f"/admin/lab/archive/{kept.pk}/change/")

        assert kept.name in listed.text
        assert kept.sha256 in shown.text
        assert client.post(f"/admin/lab/archive/{kept.pk}/delete/").status_code == 403
        assert client.get("/admin/lab/archive/add/").status_code == 403


def storage_of(kind, folder):
    return {"BACKEND": f"{__name__}.{kind.__name__}", "OPTIONS": {"location": folder}}


class Full(FileSystemStorage):
    """Half of the file finds room."""

    def _save(self, name, content):
        there = folder_of(self, name)
        there.write_bytes(content.read(200))
        raise OSError(28, "No space left on device")


class Torn(ContentFile):
    """Breaks off in the middle."""

    def chunks(self, chunk_size=None):
        yield b"half"
        raise OSError("torn")


class Picky(FileSystemStorage):
    """Refuses the second file."""

    def _save(self, name, content):
        if f"{LONG_AGO + timedelta(seconds=10):%Y%m%dT%H%M%SZ}-" in name:
            raise OSError(5, "Input/output error")
        return super()._save(name, content)


class Lossy(FileSystemStorage):
    """Says that all is well, and keeps half of it."""

    def _save(self, name, content):
        folder_of(self, name).write_bytes(content.read(200))
        return name


class Meddling(FileSystemStorage):
    """Something happens to the rows while their file is being written."""

    meddle = staticmethod(lambda: None)

    def _save(self, name, content):
        type(self).meddle()
        return super()._save(name, content)


def folder_of(storage, name):
    there = Path(storage.path(name))
    there.parent.mkdir(parents=True, exist_ok=True)
    return there

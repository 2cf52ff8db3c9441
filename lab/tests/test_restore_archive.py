import shutil
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import models

from accounts.testing import a_user
from lab.archive import jobs, parquet
from lab.archive.files import checksum
from lab.archive.restore import ArchiveUnreadable, Restored, restore
from lab.models import Archive, ExperimentLog, ModelRegistry
from lab.tests.experiment_rows import LONG_AGO, an_experiment, archived, experiments, stored
from spot_optimizer.errors import Missing
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db


def a_model():
    return ModelRegistry.objects.create(
        name="restored", version=str(uuid4()), artifact="x", sha256="0" * 64, created_at=LONG_AGO
    )


def an_archive(number=3, **fields):
    """Store and archive some experiments; return the file's row and the stored fields."""
    rows = experiments(number, **fields)
    jobs.cleanup_old_experiment_logs(now=NOON)
    assert stored() == {}
    return Archive.objects.latest("pk"), rows


class TestRestore:
    def test_restores_each_field_unchanged(self, folder):
        archive, rows = an_archive(7, model=a_model())

        result = restore(archive.name, now=NOON)

        assert result == Restored(added=7, present=0, refused=0, orphaned={})
        assert stored() == rows
        archive.refresh_from_db()
        assert (archive.state, archive.restored_at) == ("kept", NOON)

    def test_a_second_restore_adds_no_duplicates(self, folder):
        archive, rows = an_archive()
        restore(archive.name, now=NOON)

        assert restore(archive.name, now=NOON) == Restored(0, 3, 0, {})
        assert stored() == rows

    def test_adds_missing_rows_and_does_not_change_the_others(self, folder):
        archive, rows = an_archive()
        restore(archive.name, now=NOON)
        one, other, _ = rows
        ExperimentLog.objects.filter(pk=one).delete()
        ExperimentLog.objects.filter(pk=other).update(decision="STAY")

        assert restore(archive.name, now=NOON) == Restored(1, 2, 0, {})
        assert stored()[other]["decision"] == "STAY"
        assert stored()[one] == rows[one]

    def test_a_restored_row_stays_as_long_as_a_new_one(self, folder):
        archive, rows = an_archive()
        restore(archive.name, now=NOON)
        written_at = (folder / archive.name).stat().st_mtime_ns

        soon = jobs.cleanup_old_experiment_logs(now=NOON + timedelta(days=90))
        there = stored()
        late = jobs.cleanup_old_experiment_logs(now=NOON + timedelta(days=91))

        assert (soon.rows, late.rows) == (0, 3)
        assert there == rows
        assert Archive.objects.get().pk == archive.pk
        assert (folder / archive.name).stat().st_mtime_ns == written_at
        assert set(archived(folder)) == set(map(str, rows))
        assert restore(archive.name, now=NOON).added == 3

    def test_does_not_restore_rows_whose_owner_or_model_is_deleted(self, folder):
        gone, model = a_user(), a_model()
        left = an_experiment()
        logs = [an_experiment(owner=gone), an_experiment(model=model), left]
        ExperimentLog.objects.bulk_create(logs)
        jobs.cleanup_old_experiment_logs(now=NOON)
        gone.delete()
        model.delete()

        result = restore(Archive.objects.get().name, now=NOON)

        assert result == Restored(1, 0, 0, {"owner": 1, "model": 1})
        assert list(stored()) == [left.pk]

    def test_counts_rows_refused_by_a_constraint(self, folder):
        archive, rows = an_archive()
        evaluation_id = next(iter(rows.values()))["evaluation_id"]
        an_experiment(evaluation_id=evaluation_id).save()

        assert restore(archive.name, now=NOON) == Restored(2, 0, 1, {})

    def test_restores_from_a_path_without_an_archive_row(self, folder, tmp_path):
        archive, rows = an_archive()
        copy = tmp_path / (folder / archive.name).name
        shutil.move(folder / archive.name, copy)
        archive.delete()

        assert restore(str(copy), now=NOON).added == 3
        assert stored() == rows

    def test_finds_a_renamed_file_by_its_checksum(self, folder, tmp_path):
        archive, _ = an_archive()
        shutil.copy(folder / archive.name, tmp_path / "mine.parquet")

        assert restore(str(tmp_path / "mine.parquet"), now=NOON).added == 3

    def test_rejects_a_changed_file(self, folder):
        archive, _ = an_archive()
        content = bytearray((folder / archive.name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / archive.name).write_bytes(content)

        with pytest.raises(ArchiveUnreadable, match="checksum"):
            restore(archive.name, now=NOON)
        assert stored() == {}

    def test_rejects_a_file_that_is_not_parquet(self, folder, tmp_path):
        text = tmp_path / "text"
        text.write_bytes(b"not a table")
        with text.open("rb") as file:
            named = text.rename(tmp_path / f"text-{checksum(file)}.parquet")

        with pytest.raises(ArchiveUnreadable, match="Not a Parquet"):
            restore(str(named), now=NOON)

    def test_rejects_unknown_columns(self, folder, tmp_path):
        archive, _ = an_archive()
        table = pq.read_table(folder / archive.name).append_column("mood", pa.array(["good"] * 3))
        pq.write_table(table, tmp_path / "new.parquet")
        Archive.objects.update(sha256=_sha256(tmp_path / "new.parquet"))

        with pytest.raises(ArchiveUnreadable, match="mood"):
            restore(str(tmp_path / "new.parquet"), now=NOON)
        assert stored() == {}

    def test_a_missing_column_gets_its_default(self, folder, tmp_path):
        archive, rows = an_archive()
        table = pq.read_table(folder / archive.name).drop_columns("milliseconds")
        pq.write_table(table, tmp_path / "old.parquet")
        Archive.objects.update(sha256=_sha256(tmp_path / "old.parquet"))

        restore(str(tmp_path / "old.parquet"), now=NOON)

        assert stored() == {pk: row | {"milliseconds": {}} for pk, row in rows.items()}

    @pytest.mark.parametrize("name", ["nowhere.parquet", "../../outside.parquet", "experiments"])
    def test_a_missing_file_is_an_error(self, folder, name):
        an_archive()

        with pytest.raises(Missing):
            restore(name, now=NOON)


class TestCommand:
    def test_prints_the_result(self, folder, capsys):
        archive, _ = an_archive()

        call_command("restore_archive", archive.name)

        assert capsys.readouterr().out == (
            "Checksum verified. 3 experiments restored for 90 days; 0 were present already.\n"
        )

    def test_prints_the_number_of_orphaned_rows(self, folder, capsys):
        gone = a_user()
        archive, _ = an_archive(owner=gone)
        gone.delete()

        call_command("restore_archive", archive.name)

        assert "3 not restored: their owner is deleted." in capsys.readouterr().out

    def test_an_error_is_one_message(self, folder):
        with pytest.raises(CommandError, match="neither in the archive's storage nor a path"):
            call_command("restore_archive", "nowhere.parquet")


class TestColumns:
    def test_match_the_model(self):
        names = {field.attname for field in ExperimentLog._meta.concrete_fields}

        assert set(parquet.schema().names) == names - {"restored_at"}

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            (models.DecimalField(max_digits=20, decimal_places=10), Decimal("0.1000000000")),
            (models.DurationField(), timedelta(days=-3, microseconds=7)),
            (models.DateField(), LONG_AGO.date()),
            (models.DateTimeField(), LONG_AGO + timedelta(microseconds=1)),
            (models.PositiveBigIntegerField(), 2**62),
            (models.FloatField(), 0.1 + 0.2),
            (models.BooleanField(), False),
            (models.UUIDField(), UUID("5f3c1de2-8f4e-4c39-9d0a-1f7a3c6b2e10")),
            (models.TextField(), "\u2028 é \U0001f600"),
            (models.JSONField(), {"a": [None, 0.1, 2**70]}),
            (models.BinaryField(), bytes(range(256))),
            (models.TextField(null=True), None),
            (models.JSONField(null=True), None),
        ],
    )
    def test_round_trip_a_value_of_any_type(self, field, value, monkeypatch, tmp_path):
        field.set_attributes_from_name("a_field_to_come")
        log = an_experiment(owner=a_user())
        log.a_field_to_come = value
        known = parquet.columns()
        monkeypatch.setattr(parquet, "columns", lambda: [*known, field])

        with (tmp_path / "file").open("w+b") as file:
            parquet.write([parquet.row_of(log)], file, max_bytes=1)
            [[row]] = parquet.read(file)

        assert parquet._from_parquet(field, row["a_field_to_come"]) == value


def _sha256(path):
    with path.open("rb") as file:
        return checksum(file)

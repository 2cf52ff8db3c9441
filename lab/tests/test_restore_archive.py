import shutil
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import models

from accounts.testing import a_user
from lab.archive import jobs
from lab.archive import parquet as columns
from lab.archive.archive import checksum
from lab.archive.restore import ArchiveUnreadable, Restored, restore
from lab.models import Archive, ExperimentLog, ModelRegistry
from lab.tests.archives import LONG_AGO, an_experiment, archived, experiments, stored
from spot_optimizer.errors import Missing
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db


def a_model():
    return ModelRegistry.objects.create(
        name="restored", version=str(uuid4()), artifact="x", sha256="0" * 64, created_at=LONG_AGO
    )


def an_archive(number=3, **fields):
    """Store some experiments and archive them; return the file's row and what was stored."""
    rows = experiments(number, **fields)
    jobs.cleanup_old_experiment_logs(now=NOON)
    assert stored() == {}
    return Archive.objects.latest("pk"), rows


class TestRestore:
    def test_brings_back_each_field_as_it_was(self, folder):
        kept, rows = an_archive(7, model=a_model())

        told = restore(kept.name, now=NOON)

        assert told == Restored(added=7, present=0, refused=0, orphaned={})
        assert stored() == rows
        kept.refresh_from_db()
        assert (kept.state, kept.restored_at) == ("kept", NOON)

    def test_again_doubles_none(self, folder):
        kept, rows = an_archive()
        restore(kept.name, now=NOON)

        assert restore(kept.name, now=NOON) == Restored(0, 3, 0, {})
        assert stored() == rows

    def test_adds_what_is_missing_and_leaves_the_rest_alone(self, folder):
        kept, rows = an_archive()
        restore(kept.name, now=NOON)
        one, other, _ = rows
        ExperimentLog.objects.filter(pk=one).delete()
        ExperimentLog.objects.filter(pk=other).update(decision="STAY")

        assert restore(kept.name, now=NOON) == Restored(1, 2, 0, {})
        assert stored()[other]["decision"] == "STAY"
        assert stored()[one] == rows[one]

    def test_what_was_restored_stays_as_long_as_a_new_one(self, folder):
        kept, rows = an_archive()
        restore(kept.name, now=NOON)
        written_at = (folder / kept.name).stat().st_mtime_ns

        soon = jobs.cleanup_old_experiment_logs(now=NOON + timedelta(days=90))
        there = stored()
        late = jobs.cleanup_old_experiment_logs(now=NOON + timedelta(days=91))

        assert (soon.rows, late.rows) == (0, 3)
        assert there == rows
        assert Archive.objects.get().pk == kept.pk
        assert (folder / kept.name).stat().st_mtime_ns == written_at
        assert set(archived(folder)) == set(map(str, rows))
        assert restore(kept.name, now=NOON).added == 3

    def test_leaves_out_those_whose_owner_or_model_is_gone(self, folder):
        gone, model = a_user(), a_model()
        left = an_experiment()
        logs = [an_experiment(owner=gone), an_experiment(model=model), left]
        ExperimentLog.objects.bulk_create(logs)
        jobs.cleanup_old_experiment_logs(now=NOON)
        gone.delete()
        model.delete()

        told = restore(Archive.objects.get().name, now=NOON)

        assert told == Restored(1, 0, 0, {"owner": 1, "model": 1})
        assert list(stored()) == [left.pk]

    def test_says_so_where_another_is_in_its_place(self, folder):
        kept, rows = an_archive()
        evaluation_id = next(iter(rows.values()))["evaluation_id"]
        an_experiment(evaluation_id=evaluation_id).save()

        assert restore(kept.name, now=NOON) == Restored(2, 0, 1, {})

    def test_takes_a_path_and_needs_no_list_of_archives(self, folder, tmp_path):
        kept, rows = an_archive()
        copy = tmp_path / (folder / kept.name).name
        shutil.move(folder / kept.name, copy)
        kept.delete()

        assert restore(str(copy), now=NOON).added == 3
        assert stored() == rows

    def test_knows_a_file_by_another_name(self, folder, tmp_path):
        kept, _ = an_archive()
        shutil.copy(folder / kept.name, tmp_path / "mine.parquet")

        assert restore(str(tmp_path / "mine.parquet"), now=NOON).added == 3

    def test_refuses_one_that_has_changed(self, folder):
        kept, _ = an_archive()
        content = bytearray((folder / kept.name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / kept.name).write_bytes(content)

        with pytest.raises(ArchiveUnreadable, match="checksum"):
            restore(kept.name, now=NOON)
        assert stored() == {}

    def test_refuses_what_is_no_archive_at_all(self, folder, tmp_path):
        text = tmp_path / "text"
        text.write_bytes(b"not a table")
        with text.open("rb") as file:
            named = text.rename(tmp_path / f"text-{checksum(file)}.parquet")

        with pytest.raises(ArchiveUnreadable, match="no Parquet"):
            restore(str(named), now=NOON)

    def test_refuses_columns_that_are_no_longer_known(self, folder, tmp_path):
        kept, _ = an_archive()
        table = pq.read_table(folder / kept.name).append_column("mood", pa.array(["good"] * 3))
        pq.write_table(table, tmp_path / "new.parquet")
        Archive.objects.update(sha256=_sha256(tmp_path / "new.parquet"))

        with pytest.raises(ArchiveUnreadable, match="mood"):
            restore(str(tmp_path / "new.parquet"), now=NOON)
        assert stored() == {}

    def test_a_column_added_since_has_its_default(self, folder, tmp_path):
        kept, rows = an_archive()
        table = pq.read_table(folder / kept.name).drop_columns("milliseconds")
        pq.write_table(table, tmp_path / "old.parquet")
        Archive.objects.update(sha256=_sha256(tmp_path / "old.parquet"))

        restore(str(tmp_path / "old.parquet"), now=NOON)

        assert stored() == {pk: row | {"milliseconds": {}} for pk, row in rows.items()}

    @pytest.mark.parametrize("name", ["nowhere.parquet", "../../outside.parquet", "experiments"])
    def test_says_that_there_is_no_such_file(self, folder, name):
        an_archive()

        with pytest.raises(Missing):
            restore(name, now=NOON)


class TestCommand:
    def test_says_what_it_did(self, folder, capsys):
        kept, _ = an_archive()

        call_command("restore_archive", kept.name)

        assert capsys.readouterr().out == (
            "The checksum is right. 3 experiments were brought back, to stay for 90 days; "
            "0 were here already.\n"
        )

    def test_says_what_stayed_in_the_file(self, folder, capsys):
        gone = a_user()
        kept, _ = an_archive(owner=gone)
        gone.delete()

        call_command("restore_archive", kept.name)

        assert "3 were not brought back: their owner is gone." in capsys.readouterr().out

    def test_a_refusal_is_one_sentence(self, folder):
        with pytest.raises(CommandError, match="neither in the archive's storage nor a path"):
            call_command("restore_archive", "nowhere.parquet")


class TestColumns:
    def test_are_the_models(self):
        names = {field.attname for field in ExperimentLog._meta.concrete_fields}

        assert set(columns.schema().names) == names - {"restored_at"}

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
            (models.UUIDField(), uuid4()),
            (models.TextField(), "\u2028 é \U0001f600"),
            (models.JSONField(), {"a": [None, 0.1, 2**70]}),
            (models.BinaryField(), bytes(range(256))),
            (models.TextField(null=True), None),
            (models.JSONField(null=True), None),
        ],
    )
    def test_keep_a_value_of_any_kind(self, field, value, monkeypatch, tmp_path):
        field.set_attributes_from_name("a_field_to_come")
        log = an_experiment(owner=a_user())
        log.a_field_to_come = value
        known = columns.columns()
        monkeypatch.setattr(columns, "columns", lambda: [*known, field])

        with (tmp_path / "file").open("w+b") as file:
            columns.write([columns.encoded(log)], file, most=1)
            [[row]] = columns.read(file)

        assert columns._decoded(field, row["a_field_to_come"]) == value


def _sha256(path):
    with path.open("rb") as file:
        return checksum(file)

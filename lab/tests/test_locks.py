"""Which rows the services lock. SQLite ignores row locks, so the calls are recorded instead."""

import pytest
from django.db.models import QuerySet

from lab import services
from lab.archive import batches, jobs
from lab.archive.restore import restore
from lab.models import Archive, ExperimentLog, InstanceConfig, ModelRegistry
from lab.registry.artifacts import ModelUnusable
from lab.testing import a_challenger, a_config
from lab.tests.experiment_rows import experiments
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def locked(monkeypatch):
    """The models whose rows were locked, in order."""
    models = []
    select_for_update = QuerySet.select_for_update

    def record(self, *args, **options):
        models.append(self.model)
        return select_for_update(self, *args, **options)

    monkeypatch.setattr(QuerySet, "select_for_update", record)
    return models


def test_a_stage_change_locks_all_models(locked):
    services.set_stage(model_id=a_challenger().pk, stage="champion", by=None, now=NOON)

    assert locked == [ModelRegistry]


def test_an_assignment_locks_the_model_then_the_config(locked):
    model, config = a_challenger(), a_config()
    locked.clear()

    services.assign_model(config=config, model=model, by=config.owner, now=NOON)

    assert locked == [ModelRegistry, InstanceConfig]


def test_finishing_a_file_locks_its_row_then_the_experiments(locked, folder):
    experiments(3)
    jobs.cleanup_old_experiment_logs(now=NOON)
    archive = Archive.objects.get()
    restore(archive.name, now=NOON)
    locked.clear()

    assert batches.finish(archive, now=NOON) == 3
    assert locked == [Archive, ExperimentLog]


@pytest.mark.parametrize("field", ["sha256", "artifact"])
def test_an_unusable_model_is_not_assigned(field):
    model, config = a_challenger(), a_config()
    ModelRegistry.objects.filter(pk=model.pk).update(**{field: "stored:" + "0" * 57})
    change = {"assigned_model_id": model.pk}

    with pytest.raises(ModelUnusable):
        services.assign_model(config=config, model=model, by=config.owner, now=NOON)
    with pytest.raises(ModelUnusable):
        services.change_config(config=config, fields=change, by=config.owner, now=NOON)

    assert InstanceConfig.objects.get(pk=config.pk).assigned_model_id is None

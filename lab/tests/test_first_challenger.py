"""The shipped challenger: its registration, and a new fit where the data is available."""

import json

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from lab.models import ModelRegistry
from lab.registry.artifacts import SHIPPED, load_registered
from spot_optimizer.engine.hazard.logistic import Logistic

DATA = settings.BASE_DIR.parent / "shared" / "data"


@pytest.fixture
def challenger(db):
    return ModelRegistry.objects.get(name="market-logistic", version="1")


@pytest.fixture
def champion(db):
    return ModelRegistry.objects.get(name="advisor-prior", version="1")


def test_is_registered_beside_the_champion(challenger, champion):
    assert (challenger.stage, champion.stage) == ("challenger", "champion")


def test_loads_as_any_registered_model(challenger):
    loaded = load_registered(challenger)

    assert isinstance(loaded.model, Logistic)
    assert loaded.model.artifact()["features"] == challenger.feature_names


def test_both_are_scored_on_the_same_slices(challenger, champion):
    assert challenger.metrics["held_back"] == champion.metrics["held_back"]
    for name in challenger.metrics["held_back"]:
        assert {"auc", "pr_auc", "brier_skill", "calibration_error"} <= set(
            challenger.metrics[name]
        )
        assert set(challenger.metrics[name]) == set(champion.metrics[name])


def test_its_lineage_has_its_sources_and_limits(challenger):
    lineage = json.dumps(challenger.lineage)

    assert "us_east_1_2021" in lineage
    assert challenger.lineage["limits"]
    assert str(settings.BASE_DIR) not in lineage


def test_missing_data_is_an_error(tmp_path):
    with pytest.raises(CommandError, match=r"missing: .*advisor_history\.parquet"):
        call_command("fit_challenger", data=tmp_path, out=tmp_path / "model.json")


@pytest.mark.skipif(not DATA.exists(), reason="the recorded data is not beside the checkout")
def test_a_new_fit_gives_the_same_bytes_and_the_same_scores(challenger, champion, tmp_path):
    out, report = tmp_path / "model.json", tmp_path / "report.json"

    call_command("fit_challenger", data=DATA, out=out, report=report)

    assert out.read_bytes() == (SHIPPED / "market_logistic_1.json").read_bytes()
    scores_by_slice = json.loads(report.read_text())
    for name, slice_ in scores_by_slice.items():
        assert champion.metrics[name] == pytest.approx(slice_["champion"], abs=2e-4)
        assert challenger.metrics[name] == pytest.approx(slice_["challenger"], abs=2e-4)
        assert challenger.lineage["bands_alone"][name] == pytest.approx(
            slice_["bands_alone"], abs=2e-4
        )
        assert challenger.metrics["held_back"][name] == slice_["slice"]

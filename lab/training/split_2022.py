"""
The train/test split of the first challenger.

It is trained on records from March 2021 to April 2022 (``TRAINING``), and scored on later
labels (``HELD_BACK``) and on recorded interruptions (``TRACES``).
"""

from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lab.training.examples import ADVISOR, Examples, examples_at, weekly
from lab.training.fit import fit
from lab.training.records import Records, end_of
from lab.training.scores import mean_share, score, score_hours
from lab.training.traces import Hours, Trace, hours_of, read_traces
from spot_optimizer.engine.hazard.base import RiskModel
from spot_optimizer.engine.hazard.logistic import Logistic

FILES = (
    "us_east_1_2021",
    "g4ad_eu_west_1_2022",
    "all_regions_2022_05_31",
    "region_snapshots",
)
TRAINING = (
    *(("us_east_1_2021", at) for at in weekly(date(2021, 3, 10), date(2021, 5, 5))),
    *(("g4ad_eu_west_1_2022", at) for at in weekly(date(2022, 3, 17), date(2022, 4, 26))),
    *((ADVISOR, end_of(day)) for day in (date(2022, 1, 9), date(2022, 4, 6), date(2022, 4, 22))),
)
HELD_BACK = {
    "next_month": ("all_regions_2022_05_31", end_of(date(2022, 5, 31))),
    "in_february_2024": ("region_snapshots", end_of(date(2022, 7, 9))),
    "in_june_2025": (ADVISOR, end_of(date(2024, 2, 28))),
}

TRACES = "availability/skypilot_spot_traces.parquet"


class Fitted(NamedTuple):
    """The fitted model, one fitted on the bands alone, and their training examples."""

    model: Logistic
    bands_alone: Logistic
    mean_share: float
    groups: list[Examples]


def train(records: Records) -> Fitted:
    """Fit the models on the training records."""
    groups = [examples_at(records, source, at) for source, at in TRAINING]
    return Fitted(fit(groups), fit(groups, market=False), mean_share(groups), groups)


def evaluate(data: Path, records: Records, fitted: Fitted, champion: RiskModel) -> dict[str, Any]:
    """Return the scores of three models on each held-back slice: by slice, then by model."""
    models = {
        "champion": champion,
        "challenger": fitted.model,
        "bands_alone": fitted.bands_alone,
    }
    scores_by_slice: dict[str, Any] = {}
    for name, (source, at) in HELD_BACK.items():
        group = examples_at(records, source, at)
        scores = {key: score(m, group, fitted.mean_share)._asdict() for key, m in models.items()}
        scores_by_slice[name] = {"slice": described(group), **scores}
    groups = read_traces(data / TRACES)
    hours = hours_of(records, groups)
    scores_by_slice["next_hour"] = {
        "slice": _described_hours(groups, hours),
        **{key: score_hours(model, hours)._asdict() for key, model in models.items()},
    }
    return scores_by_slice


def described(group: Examples) -> dict[str, Any]:
    """Return the sources and the size of a group of examples."""
    return {
        "prices": "spot_advisor savings" if group.source == ADVISOR else group.source,
        "features_at": f"{group.moment:%Y-%m-%d}",
        "labels": f"advisor_history {group.label_day}",
        "pools": len(group.offers),
        "offers": len(set(group.offers)),
    }


def _described_hours(groups: dict[str, list[Trace]], hours: Hours) -> dict[str, Any]:
    began = sorted(trace.started for traces in groups.values() for trace in traces)
    return {
        "prices": "skypilot_spot_traces",
        "features_at": f"collections begun {began[0]} to {began[-1]}",
        "labels": "skypilot_spot_traces, lost within the hour after",
        "pools": len(np.unique(hours.trace)),
        "hours_asked": len(hours.lost),
    }

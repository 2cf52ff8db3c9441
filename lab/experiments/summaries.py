"""An instance's experiments for the page: rows, a summary per model, and charts over time."""

from collections.abc import Callable, Sequence
from statistics import mean, median
from typing import NamedTuple

from lab.experiments.line_chart import Chart, Key, Value, chart_of, key_of
from lab.models import ExperimentLog
from spot_optimizer.dashboard.formats import MINUS, decision_tone, milliseconds, share, usd


class Row(NamedTuple):
    """One experiment, formatted."""

    experiment: ExperimentLog
    model: str
    tone: str
    chance: str
    savings: str
    target: str

    @property
    def considered(self) -> int | None:
        return (self.experiment.numbers.get("counts") or {}).get("considered")

    @property
    def duration(self) -> str:
        return milliseconds(sum(self.experiment.milliseconds.values()))


class Summary(NamedTuple):
    """One model over the experiments shown, formatted."""

    key: Key  # of its line in the charts
    model: str
    experiments: int
    moves: str
    chance: str
    savings: str


class Trend(NamedTuple):
    title: str
    unit: str
    chart: Chart
    ticks: list[str]
    description: str  # for screen readers


def row_of(experiment: ExperimentLog) -> Row:
    return Row(
        experiment,
        model_of(experiment),
        decision_tone(experiment.decision),
        share(chance_of(experiment)),
        usd(savings_of(experiment)),
        _target(experiment),
    )


def model_of(experiment: ExperimentLog) -> str:
    return f"{experiment.model_name} {experiment.model_version}"


def models_of(experiments: Sequence[ExperimentLog]) -> list[str]:
    """Return the models of these experiments, sorted, so that a model always has the same color."""
    return sorted({model_of(each) for each in experiments})


def summaries_of(experiments: Sequence[ExperimentLog]) -> list[Summary]:
    names = models_of(experiments)
    return [
        _summary(number, name, [each for each in experiments if model_of(each) == name])
        for number, name in enumerate(names)
    ]


def trends_of(experiments: Sequence[ExperimentLog]) -> list[Trend]:
    """Return charts of chance and savings over experiments, which are oldest first."""
    return [
        _trend("Chance of an interruption within the hour", "%", experiments, _chance_percent),
        _trend("Projected savings", "US dollars a month", experiments, savings_of),
    ]


def chance_of(experiment: ExperimentLog) -> float | None:
    chance: float | None = experiment.numbers.get("crash_probability")
    return chance


def savings_of(experiment: ExperimentLog) -> float | None:
    """Return the projected savings. [USD/month]"""
    savings = experiment.numbers.get("projected_savings") or {}
    monthly: float | None = savings.get("monthly")
    return monthly


def _chance_percent(experiment: ExperimentLog) -> float | None:
    chance = chance_of(experiment)
    return None if chance is None else 100 * chance


def _target(experiment: ExperimentLog) -> str:
    target = experiment.numbers.get("target")
    if not target:
        return ""
    bought = "" if target["purchase"] == "spot" else ", on demand"
    return f"{target['instance_type']} in {target['availability_zone_id']}{bought}"


def _summary(number: int, name: str, experiments: Sequence[ExperimentLog]) -> Summary:
    moves = sum(each.decision != "STAY" for each in experiments)
    return Summary(
        key_of(number),
        name,
        len(experiments),
        f"{moves} of {len(experiments)}",
        share(_over(median, map(chance_of, experiments))),
        usd(_over(mean, map(savings_of, experiments))),
    )


def _over(average: Callable, numbers: "map[float | None]") -> float | None:
    known = [number for number in numbers if number is not None]
    return average(known) if known else None


def _trend(
    title: str,
    unit: str,
    experiments: Sequence[ExperimentLog],
    number_of: Callable[[ExperimentLog], float | None],
) -> Trend:
    names = models_of(experiments)
    values = [
        Value(model_of(each), number, f"{each.created_at:%-d %b, %H:%M}: {_tick(number)} {unit}")
        for each, number in ((each, number_of(each)) for each in experiments)
        if number is not None
    ]
    chart = chart_of(values, names)
    return Trend(
        title, unit, chart, [_tick(each) for each in chart.ticks], _description(title, unit, values)
    )


def _tick(number: float) -> str:
    if abs(number) >= 10:
        return f"{number:,.0f}".replace("-", MINUS)
    return f"{number:.3g}".replace("-", MINUS)


def _description(title: str, unit: str, values: Sequence[Value]) -> str:
    numbers = [value.y for value in values if value.y is not None]
    if not numbers:
        return f"{title}: no values."
    return (
        f"{title} over {len(numbers)} experiments, from the oldest to the newest: between "
        f"{_tick(min(numbers))} and {_tick(max(numbers))} {unit}, newest {_tick(numbers[-1])}."
    )

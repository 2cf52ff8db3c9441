"""What an instance's experiments come to: a row for each model, and how they went over time."""

from collections.abc import Callable, Sequence
from statistics import mean, median
from typing import NamedTuple

from lab.experiments.charts import Chart, Key, Value, chart_of, key_of
from lab.models import ExperimentLog
from spot_optimizer.dashboard.formats import usd

UNKNOWN = "\u2013"
MINUS = "\u2212"
SPACE = "\u00a0"  # a number keeps its unit beside it
TONES = {"STAY": "good", "SWITCH": "info", "DRAIN": "warn", "EVACUATE": "bad"}


class Row(NamedTuple):
    """One experiment, as a person reads it."""

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
    def took(self) -> str:
        return f"{sum(self.experiment.milliseconds.values()):,.0f}{SPACE}ms"


class Summary(NamedTuple):
    """What one model came to over the experiments that are shown."""

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
    told: str  # for those who cannot see it


def row_of(experiment: ExperimentLog) -> Row:
    return Row(
        experiment,
        model_of(experiment),
        TONES.get(experiment.decision, ""),
        percent(chance_of(experiment)),
        usd(savings_of(experiment)),
        _target(experiment),
    )


def model_of(experiment: ExperimentLog) -> str:
    return f"{experiment.model_name} {experiment.model_version}"


def models_of(experiments: Sequence[ExperimentLog]) -> list[str]:
    """Return the models of these experiments by name, each once: a name keeps its colour."""
    return sorted({model_of(each) for each in experiments})


def summaries_of(experiments: Sequence[ExperimentLog]) -> list[Summary]:
    names = models_of(experiments)
    return [
        _summary(number, name, [each for each in experiments if model_of(each) == name])
        for number, name in enumerate(names)
    ]


def trends_of(experiments: Sequence[ExperimentLog]) -> list[Trend]:
    """Return how chance and savings went over experiments, which come oldest first."""
    return [
        _trend("Chance of an interruption within the hour", "%", experiments, _chance_percent),
        _trend("Projected savings", "US dollars a month", experiments, savings_of),
    ]


def chance_of(experiment: ExperimentLog) -> float | None:
    chance: float | None = experiment.numbers.get("crash_probability")
    return chance


def savings_of(experiment: ExperimentLog) -> float | None:
    """Return the US dollars a month that the decision was to save."""
    savings = experiment.numbers.get("projected_savings") or {}
    monthly: float | None = savings.get("monthly")
    return monthly


def percent(share: float | None) -> str:
    """Write 0.684 as "68 %", 0.0321 as "3.2 %", 0.0001629 as "0.016 %"."""
    if share is None:
        return UNKNOWN
    return f"{_digits(100 * share)}{SPACE}%"


def _digits(number: float) -> str:
    if number and abs(number) < 0.001:
        return "<0.001"
    return f"{number:.0f}" if abs(number) >= 10 else f"{number:.2g}"


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
        percent(_over(median, map(chance_of, experiments))),
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
        title, unit, chart, [_tick(each) for each in chart.ticks], _told(title, unit, values)
    )


def _tick(number: float) -> str:
    if abs(number) >= 10:
        return f"{number:,.0f}".replace("-", MINUS)
    return f"{number:.3g}".replace("-", MINUS)


def _told(title: str, unit: str, values: Sequence[Value]) -> str:
    numbers = [value.y for value in values if value.y is not None]
    if not numbers:
        return f"{title}: no experiment knows it."
    return (
        f"{title} over {len(numbers)} experiments, from the oldest to the newest: between "
        f"{_tick(min(numbers))} and {_tick(max(numbers))} {unit}, {_tick(numbers[-1])} at last."
    )

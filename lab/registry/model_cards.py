"""What the registered models are worth, in words: figures beside the champion's, and limits."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from lab.models import ModelRegistry

Stage = ModelRegistry.Stage
TONES = {Stage.CHAMPION: "good", Stage.CHALLENGER: "info", Stage.ARCHIVED: ""}
# The periods that the shipped models were judged by. One we do not know is named by its key.
PERIODS = {
    "next_month": "June 2022",
    "in_february_2024": "February 2024",
    "in_june_2025": "June 2025",
    "next_hour": "Hours of scarce types",
}
COUNTED = {"hours_asked": "hours", "pools": "pools"}
MINUS = "\u2212"


class Measure(NamedTuple):
    name: str
    title: str
    meaning: str
    is_better_low: bool = False
    is_share: bool = False

    def written(self, value: float) -> str:
        text = f"{100 * value:.1f}" if self.is_share else f"{value:.3f}"
        return text.replace("-", MINUS)


MEASURES = (
    Measure(
        "calibration_error",
        "Calibration error",
        "How many percentage points a forecast is off on average. 0 is perfect.",
        is_better_low=True,
        is_share=True,
    ),
    Measure(
        "brier_skill",
        "Brier skill",
        "How much closer it comes than a forecast of the mean. 0 is no better, below 0 is worse.",
    ),
    Measure(
        "auc",
        "Ranking (AUC)",
        "How often it ranks the riskier of two pools higher. 0.5 is chance, 1 is always.",
    ),
)


class Figure(NamedTuple):
    """One measure of one period; ``verdict`` compares it with the champion's."""

    measure: Measure
    text: str = ""
    ceiling: str = ""
    champion: str = ""
    verdict: str = ""

    @property
    def tone(self) -> str:
        return {"better": "good", "worse": "bad"}.get(self.verdict, "")


class Period(NamedTuple):
    title: str
    size: str
    measured_on: list[tuple[str, str]]
    figures: list[Figure]


class Move(NamedTuple):
    """A stage that a model may be moved to, and what that means."""

    stage: str
    title: str
    meaning: str


class Card(NamedTuple):
    model: ModelRegistry
    tone: str
    periods: list[Period]
    compared: str
    limits: list[str]
    lineage: list[tuple[str, str]]
    moves: list[Move]


def cards_of(models: Iterable[ModelRegistry]) -> list[Card]:
    """Return a card for each model: the champion first, what is archived last."""
    order = list(Stage)
    ordered = sorted(models, key=lambda model: order.index(Stage(model.stage)))
    champion = next((each for each in ordered if each.stage == Stage.CHAMPION), None)
    return [_card(model, champion) for model in ordered]


def _card(model: ModelRegistry, champion: ModelRegistry | None) -> Card:
    rival = champion if champion and champion != model else None
    periods = _periods(model.metrics, rival.metrics if rival else {})
    return Card(
        model=model,
        tone=TONES[Stage(model.stage)],
        periods=periods,
        compared=_compared(periods) if rival else "",
        limits=list(model.lineage.get("limits", [])),
        lineage=_lineage(model.lineage),
        moves=_moves(model, champion),
    )


def _periods(metrics: dict[str, Any], rivals: dict[str, Any]) -> list[Period]:
    told = metrics.get("held_back") or {}
    return [
        Period(
            PERIODS.get(name, _plain(name)),
            _size(told.get(name, {})),
            [(_plain(key), _said(value)) for key, value in told.get(name, {}).items()],
            [_figure(measure, values, rivals.get(name, {})) for measure in MEASURES],
        )
        for name, values in metrics.items()
        if name != "held_back" and isinstance(values, dict)
    ]


def _size(told: dict[str, Any]) -> str:
    counted = next((key for key in COUNTED if key in told), None)
    return f"{_said(told[counted])} {COUNTED[counted]}" if counted else ""


def _figure(measure: Measure, values: dict[str, Any], rivals: dict[str, Any]) -> Figure:
    value, rival = _number(values, measure.name), _number(rivals, measure.name)
    if value is None:
        return Figure(measure)
    text = measure.written(value)
    ceiling = _number(values, f"{measure.name}_ceiling")
    figure = Figure(measure, text, measure.written(ceiling) if ceiling is not None else "")
    if rival is None:
        return figure
    theirs = measure.written(rival)
    # What looks the same is the same: nobody promotes for a fourth decimal.
    if text == theirs:
        return figure._replace(champion=theirs, verdict="same")
    is_better = (value < rival) == measure.is_better_low
    return figure._replace(champion=theirs, verdict="better" if is_better else "worse")


def _number(values: Any, name: str) -> float | None:
    """Return a figure; what was registered as one and is none is not known."""
    value = values.get(name) if isinstance(values, dict) else None
    return value if isinstance(value, int | float) else None


def _compared(periods: list[Period]) -> str:
    verdicts = [figure.verdict for period in periods for figure in period.figures]
    judged = [verdict for verdict in verdicts if verdict]
    if not judged:
        return ""
    count = {each: judged.count(each) for each in ("better", "worse", "same")}
    return (
        f"Beside the champion: better in {count['better']}, worse in {count['worse']} and the "
        f"same in {count['same']} of {len(judged)} figures."
    )


def _lineage(lineage: dict[str, Any]) -> list[tuple[str, str]]:
    """Return where a model comes from, line by line; scores and limits are shown elsewhere."""
    lines = []
    for key, value in lineage.items():
        if key in ("limits", "bands_alone"):
            continue
        if isinstance(value, dict):
            lines += [
                (f"{_plain(key)}: {_plain(name)}", _said(each)) for name, each in value.items()
            ]
        else:
            lines.append((_plain(key), _said(value)))
    return lines


def _moves(model: ModelRegistry, champion: ModelRegistry | None) -> list[Move]:
    takes_over = (
        f"{champion} becomes a challenger, and can be brought back the same way."
        if champion
        else ""
    )
    moves = {
        Stage.CHAMPION: Move(
            Stage.CHAMPION,
            "Make champion",
            f"From the next evaluation on, {model} judges every instance that has no model "
            f"assigned, for everybody. {takes_over}",
        ),
        Stage.CHALLENGER: Move(
            Stage.CHALLENGER,
            "Bring back",
            f"{model} becomes a challenger: it can be assigned to instances again. No decision "
            "changes by this alone.",
        ),
        Stage.ARCHIVED: Move(
            Stage.ARCHIVED,
            "Archive",
            f"{model} can no longer be assigned. Its figures and experiments stay, and it can be "
            "brought back.",
        ),
    }
    reachable = {
        Stage.CHAMPION: [],
        Stage.CHALLENGER: [Stage.CHAMPION, Stage.ARCHIVED],
        Stage.ARCHIVED: [Stage.CHALLENGER],
    }
    return [moves[stage] for stage in reachable[Stage(model.stage)]]


def _plain(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)

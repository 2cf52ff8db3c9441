"""The registered models for the page: scores compared with the champion's, limits, lineage."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from lab.models import ModelRegistry

Stage = ModelRegistry.Stage
TONES = {Stage.CHAMPION: "good", Stage.CHALLENGER: "info", Stage.ARCHIVED: ""}
# The periods that the shipped models were evaluated on. Other periods are shown by their key.
PERIODS = {
    "next_month": "June 2022",
    "in_february_2024": "February 2024",
    "in_june_2025": "June 2025",
    "next_hour": "Hours of scarce types",
}
SIZE_UNITS = {"hours_asked": "hours", "pools": "pools"}
MINUS = "\u2212"


class Measure(NamedTuple):
    name: str
    title: str
    meaning: str
    is_better_low: bool = False
    is_share: bool = False

    def formatted(self, value: float) -> str:
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
        "The improvement over a forecast of the mean. 0 is no better, below 0 is worse.",
    ),
    Measure(
        "auc",
        "Ranking (AUC)",
        "How often it ranks the riskier of two pools higher. 0.5 is chance, 1 is always.",
    ),
)


class Score(NamedTuple):
    """One measure of one period; ``verdict`` compares it with the champion's score."""

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
    scores: list[Score]


class StageTransition(NamedTuple):
    """A stage that a model can be moved to, and the effect of it."""

    stage: str
    title: str
    meaning: str


class Card(NamedTuple):
    model: ModelRegistry
    tone: str
    periods: list[Period]
    comparison: str
    limits: list[str]
    lineage: list[tuple[str, str]]
    transitions: list[StageTransition]


def cards_of(models: Iterable[ModelRegistry]) -> list[Card]:
    """Return a card for each model: the champion first, archived models last."""
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
        comparison=_comparison(periods) if rival else "",
        limits=list(model.lineage.get("limits", [])),
        lineage=_lineage(model.lineage),
        transitions=_transitions(model, champion),
    )


def _periods(metrics: dict[str, Any], rivals: dict[str, Any]) -> list[Period]:
    held_back = metrics.get("held_back") or {}
    return [
        Period(
            PERIODS.get(name, _title(name)),
            _size(held_back.get(name, {})),
            [(_title(key), _text(value)) for key, value in held_back.get(name, {}).items()],
            [_score(measure, values, rivals.get(name, {})) for measure in MEASURES],
        )
        for name, values in metrics.items()
        if name != "held_back" and isinstance(values, dict)
    ]


def _size(held_back: dict[str, Any]) -> str:
    unit_key = next((key for key in SIZE_UNITS if key in held_back), None)
    return f"{_text(held_back[unit_key])} {SIZE_UNITS[unit_key]}" if unit_key else ""


def _score(measure: Measure, values: dict[str, Any], rivals: dict[str, Any]) -> Score:
    value, rival = _number(values, measure.name), _number(rivals, measure.name)
    if value is None:
        return Score(measure)
    text = measure.formatted(value)
    ceiling = _number(values, f"{measure.name}_ceiling")
    score = Score(measure, text, measure.formatted(ceiling) if ceiling is not None else "")
    if rival is None:
        return score
    champion = measure.formatted(rival)
    # Scores with the same displayed text count as the same.
    if text == champion:
        return score._replace(champion=champion, verdict="same")
    is_better = (value < rival) == measure.is_better_low
    return score._replace(champion=champion, verdict="better" if is_better else "worse")


def _number(values: Any, name: str) -> float | None:
    """Return a score, or None where the registered value is not a number."""
    value = values.get(name) if isinstance(values, dict) else None
    return value if isinstance(value, int | float) else None


def _comparison(periods: list[Period]) -> str:
    verdicts = [score.verdict for period in periods for score in period.scores]
    judged = [verdict for verdict in verdicts if verdict]
    if not judged:
        return ""
    count = {each: judged.count(each) for each in ("better", "worse", "same")}
    return (
        f"Compared with the champion: better in {count['better']}, worse in {count['worse']} and "
        f"the same in {count['same']} of {len(judged)} scores."
    )


def _lineage(lineage: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lineage as lines, without scores and limits."""
    lines = []
    for key, value in lineage.items():
        if key in ("limits", "bands_alone"):
            continue
        if isinstance(value, dict):
            lines += [
                (f"{_title(key)}: {_title(name)}", _text(each)) for name, each in value.items()
            ]
        else:
            lines.append((_title(key), _text(value)))
    return lines


def _transitions(model: ModelRegistry, champion: ModelRegistry | None) -> list[StageTransition]:
    demotion = f"{champion} becomes a challenger, and can be promoted again." if champion else ""
    transitions = {
        Stage.CHAMPION: StageTransition(
            Stage.CHAMPION,
            "Make champion",
            f"From the next evaluation on, {model} judges every instance that has no model "
            f"assigned, of all users. {demotion}",
        ),
        Stage.CHALLENGER: StageTransition(
            Stage.CHALLENGER,
            "Restore",
            f"{model} becomes a challenger: it can be assigned to instances again. This "
            "alone changes no decision.",
        ),
        Stage.ARCHIVED: StageTransition(
            Stage.ARCHIVED,
            "Archive",
            f"{model} can no longer be assigned. Its scores and experiments stay, and it can be "
            "restored.",
        ),
    }
    transitions_from = {
        Stage.CHAMPION: [],
        Stage.CHALLENGER: [Stage.CHAMPION, Stage.ARCHIVED],
        Stage.ARCHIVED: [Stage.CHALLENGER],
    }
    return [transitions[stage] for stage in transitions_from[Stage(model.stage)]]


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)

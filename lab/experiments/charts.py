"""The geometry of a small line chart. Its labels are the page's, so that they stay legible."""

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import NamedTuple

WIDTH, HEIGHT = 480, 160
STEPS = 4
MARK = 4  # half a mark's width


class Value(NamedTuple):
    """What is drawn at one place from left to right; ``y`` None leaves a gap."""

    series: str
    y: float | None
    title: str


class Mark(NamedTuple):
    d: str
    title: str


class Key(NamedTuple):
    """How a line is told from the others: ``number`` is its colour's."""

    number: int
    mark: str


class Series(NamedTuple):
    name: str
    key: Key
    line: str
    marks: list[Mark]


class Chart(NamedTuple):
    view_box: str
    series: list[Series]
    ticks: list[float]  # from the top down, evenly spaced
    gridlines: list[str]


def chart_of(values: Sequence[Value], names: Sequence[str]) -> Chart:
    """Return the chart of values in their order, with a series for each of the names."""
    low, high, step = _range([value.y for value in values if value.y is not None])
    count = round((high - low) / step)
    series = [_series(values, name, number, low, high) for number, name in enumerate(names)]
    return Chart(
        view_box=f"0 0 {WIDTH} {HEIGHT}",
        series=[each for each in series if each.marks],
        ticks=[high - step * index for index in range(count + 1)],
        gridlines=[f"M0 {_short(HEIGHT * i / count)}H{WIDTH}" for i in range(count + 1)],
    )


def key_of(number: int) -> Key:
    """Return the key of the line with this number; its mark stands at 0, 0."""
    return Key(number % len(SHAPES), f"M0 0{_shape(number)}")


def _series(values: Sequence[Value], name: str, number: int, low: float, high: float) -> Series:
    gap = WIDTH / max(len(values), 1)
    points = [
        (gap * (index + 0.5), HEIGHT * (high - value.y) / (high - low), value.title)
        for index, value in enumerate(values)
        if value.series == name and value.y is not None
    ]
    line = "L".join(f"{_short(x)} {_short(y)}" for x, y, _ in points)
    marks = [Mark(f"M{_short(x)} {_short(y)}{_shape(number)}", title) for x, y, title in points]
    return Series(name, key_of(number), f"M{line}" if points else "", marks)


def _range(numbers: Sequence[float]) -> tuple[float, float, float]:
    """Return a lowest and highest tick with zero between them, and the step from tick to tick."""
    low, high = min([0.0, *numbers]), max([0.0, *numbers])
    if low == high:
        return 0.0, 1.0, 1.0 / STEPS
    step = _round_up((high - low) / STEPS)
    return floor(low / step) * step, ceil(high / step) * step, step


def _round_up(step: float) -> float:
    """Return the next number that people count in: 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(step))
    return next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= step * 0.999999)


def _shape(number: int) -> str:
    return SHAPES[number % len(SHAPES)]


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


# Drawn from a mark's middle: circle, square, triangle, diamond. Colour is never the only sign.
SHAPES = (
    f"m-{MARK} 0a{MARK} {MARK} 0 1 0 {2 * MARK} 0a{MARK} {MARK} 0 1 0-{2 * MARK} 0z",
    f"m-{MARK}-{MARK}h{2 * MARK}v{2 * MARK}h-{2 * MARK}z",
    f"m0-{MARK}l{MARK} {2 * MARK}h-{2 * MARK}z",
    f"m0-{MARK + 1}l{MARK + 1} {MARK + 1}-{MARK + 1} {MARK + 1}-{MARK + 1}-{MARK + 1}z",
)

"""The geometry of a small line chart as SVG paths. The page renders the labels as text."""

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import NamedTuple

WIDTH, HEIGHT = 480, 160
STEPS = 4
MARK = 4  # half the width of a mark


class Value(NamedTuple):
    """One point, at the next position from the left; ``y`` None leaves a gap."""

    series: str
    y: float | None
    title: str


class Mark(NamedTuple):
    d: str
    title: str


class Key(NamedTuple):
    """The color number and the mark of a line."""

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
    """Return the chart of values in order, with one series per name."""
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
    """Return the key of a line; its mark is at 0, 0."""
    return Key(number % len(MARKS), f"M0 0{_mark_path(number)}")


def _series(values: Sequence[Value], name: str, number: int, low: float, high: float) -> Series:
    gap = WIDTH / max(len(values), 1)
    points = [
        (gap * (index + 0.5), HEIGHT * (high - value.y) / (high - low), value.title)
        for index, value in enumerate(values)
        if value.series == name and value.y is not None
    ]
    line = "L".join(f"{_short(x)} {_short(y)}" for x, y, _ in points)
    marks = [Mark(f"M{_short(x)} {_short(y)}{_mark_path(number)}", title) for x, y, title in points]
    return Series(name, key_of(number), f"M{line}" if points else "", marks)


def _range(numbers: Sequence[float]) -> tuple[float, float, float]:
    """Return the lowest and highest tick, which include zero, and the step between ticks."""
    low, high = min([0.0, *numbers]), max([0.0, *numbers])
    if low == high:
        return 0.0, 1.0, 1.0 / STEPS
    step = _round_up((high - low) / STEPS)
    return floor(low / step) * step, ceil(high / step) * step, step


def _round_up(step: float) -> float:
    """Return the next number that is 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(step))
    steps = (factor * power for factor in (1, 2, 2.5, 5, 10))
    return next(each for each in steps if each >= step * 0.999999)


def _mark_path(number: int) -> str:
    return MARKS[number % len(MARKS)]


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


# Relative to a mark's center: circle, square, triangle, diamond; not all users see the colors.
MARKS = (
    f"m-{MARK} 0a{MARK} {MARK} 0 1 0 {2 * MARK} 0a{MARK} {MARK} 0 1 0-{2 * MARK} 0z",
    f"m-{MARK}-{MARK}h{2 * MARK}v{2 * MARK}h-{2 * MARK}z",
    f"m0-{MARK}l{MARK} {2 * MARK}h-{2 * MARK}z",
    f"m0-{MARK + 1}l{MARK + 1} {MARK + 1}-{MARK + 1} {MARK + 1}-{MARK + 1}-{MARK + 1}z",
)

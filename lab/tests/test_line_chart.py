"""The geometry of charts: higher values are drawn higher, and ticks are round numbers."""

import pytest

from lab.experiments.line_chart import HEIGHT, MARKS, WIDTH, Value, chart_of


def a_chart(*numbers, name="a"):
    return chart_of([Value(name, number, str(number)) for number in numbers], [name])


@pytest.mark.parametrize(
    ("numbers", "ticks"),
    [
        ([0.059, 0.043], [0.06, 0.04, 0.02, 0]),
        ([8.25], [10, 7.5, 5, 2.5, 0]),
        ([4], [4, 3, 2, 1, 0]),
        ([-10, 5], [5, 0, -5, -10]),
        ([-3], [0, -1, -2, -3]),
        ([1e-9], [1e-9, 7.5e-10, 5e-10, 2.5e-10, 0]),
        ([123456], [150000, 100000, 50000, 0]),
        ([0, 0], [1, 0.75, 0.5, 0.25, 0]),
        ([], [1, 0.75, 0.5, 0.25, 0]),
    ],
)
def test_ticks_include_every_value_and_zero(numbers, ticks):
    assert a_chart(*numbers).ticks == pytest.approx(ticks, abs=1e-15)


def test_values_are_drawn_left_to_right_and_higher_values_higher():
    line = a_chart(0, 1, 4).series[0].line

    points = [tuple(map(float, point.split())) for point in line[1:].split("L")]
    assert points == [(WIDTH / 6, HEIGHT), (WIDTH / 2, HEIGHT * 0.75), (WIDTH * 5 / 6, 0)]


def test_an_unknown_value_leaves_a_gap():
    series = a_chart(1, None, 1).series[0]

    assert len(series.marks) == 2
    assert series.line == "M80 0L400 0"


def test_a_model_without_any_value_has_no_line():
    assert a_chart(None, None).series == []


def test_models_differ_by_mark_as_well_as_by_color():
    names = [f"model {number}" for number in range(4)]
    chart = chart_of([Value(name, 1, name) for name in names], names)

    assert len({series.key for series in chart.series}) == len(MARKS) == 4

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.training.examples import (
    ADVISOR,
    Examples,
    bands_after,
    examples_at,
    features_at,
    weekly,
    weights_of,
)
from lab.training.fit import HOURS, SHARES, fit
from lab.training.records import Advice, Records, Series
from lab.training.scores import calibration_error, score
from lab.training.split_2022 import HELD_BACK, TRAINING
from lab.training.traces import Trace, facts_of, features_then, lost_within_the_hour
from spot_optimizer.engine.features import Features
from spot_optimizer.engine.hazard.logistic import MARKET_FEATURES

NOON = datetime(2022, 3, 1, 12, tzinfo=UTC)
NAMES = ("c5.large", "m5.large", "m5.xlarge")
BEFORE = (date(2022, 1, 10), date(2022, 2, 28))  # both ended before NOON
AFTER = (date(2022, 4, 2), date(2022, 6, 1))  # their 30 days begin after NOON
BETWEEN = (date(2022, 3, 1), date(2022, 3, 31))  # their 30 days include NOON
PRICES = st.integers(1, 20).map(lambda cents: cents / 100)
PAST = st.integers(1, 12 * 24).map(lambda hours: -hours)
FUTURE = st.integers(1, 12 * 24)


def advice_of(days: tuple[date, ...]) -> st.SearchStrategy:
    offers = st.sampled_from([("us-east-1", name) for name in NAMES])
    advice = st.builds(Advice, st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0]))
    return st.fixed_dictionaries({day: st.dictionaries(offers, advice) for day in days})


def events_of(hours: st.SearchStrategy[int]) -> st.SearchStrategy:
    pools = st.sampled_from([("us-east-1", zone, name) for zone in "ab" for name in NAMES])
    return st.dictionaries(pools, st.lists(st.tuples(hours, PRICES), min_size=1, max_size=30))


def on_demand_of(days: tuple[date, ...]) -> st.SearchStrategy:
    offers = st.sampled_from([("us-east-1", name) for name in NAMES])
    return st.fixed_dictionaries({day: st.dictionaries(offers, PRICES) for day in days})


PASTS = st.tuples(events_of(PAST), advice_of(BEFORE), on_demand_of(BEFORE))
FUTURES = st.tuples(events_of(FUTURE), advice_of(AFTER + BETWEEN), on_demand_of(BETWEEN))


def records_of(past, future) -> Records:
    events = {pool: past[0].get(pool, []) + future[0].get(pool, []) for pool in past[0]}
    return Records(
        advice={**past[1], **future[1]},
        on_demand={**past[2], **future[2]},
        spot={"file": {pool: series(*each) for pool, each in events.items()}},
    )


def series(*events: tuple[int, float]) -> Series:
    ordered = sorted(events)
    return Series([NOON + timedelta(hours=h) for h, _ in ordered], [p for _, p in ordered])


def same(one: Features, other: Features) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


class TestSeries:
    def test_a_price_is_in_force_until_the_next(self):
        prices = series((-48, 0.02), (-24, 0.03), (1, 0.09))

        assert prices.at(NOON) == 0.03
        assert prices.at(NOON - timedelta(hours=24)) == 0.03
        assert prices.at(NOON - timedelta(hours=25)) == 0.02

    def test_a_price_recorded_days_ago_is_not_in_force(self):
        assert series((-73, 0.02)).at(NOON) is None
        assert series((1, 0.02)).at(NOON) is None

    def test_a_week_begins_with_the_price_in_force_at_its_start(self):
        prices = series((-200, 0.01), (-170, 0.02), (-100, 0.04), (-1, 0.03), (1, 0.09))

        assert prices.week_before(NOON) == [0.02, 0.04, 0.03]

    def test_a_week_not_recorded_from_its_start_has_no_prices(self):
        assert series((-167, 0.02), (-1, 0.03)).week_before(NOON) == []


class TestTime:
    @settings(deadline=None, max_examples=30)
    @given(PASTS, FUTURES, FUTURES)
    def test_features_do_not_depend_on_the_future(self, past, one, other):
        for source in ("file", ADVISOR):
            if source == "file" and not _priced(past):
                continue
            offers, features = _features(records_of(past, one), source)
            others, changed = _features(records_of(past, other), source)

            assert offers == others
            assert same(features, changed)

    @settings(deadline=None, max_examples=30)
    @given(PASTS, PASTS, FUTURES)
    def test_labels_do_not_depend_on_the_past(self, one, other, future):
        offers = [("us-east-1", name) for name in NAMES]

        day, bands = bands_after(records_of(one, future), offers, NOON)
        same_day, same_bands = bands_after(records_of(other, future), offers, NOON)

        assert day == same_day == date(2022, 4, 2)
        assert bands.tolist() == same_bands.tolist()

    def test_labels_depend_on_the_future(self):
        calm, rough = (
            records_of(A_PAST, ({}, {AFTER[0]: {OFFER: Advice(band, 0.5)}}, {})) for band in (0, 4)
        )

        assert examples_at(calm, "file", NOON).band_after.tolist() == [0]
        assert examples_at(rough, "file", NOON).band_after.tolist() == [4]

    def test_features_depend_on_the_past(self):
        future = ({}, {AFTER[0]: {OFFER: Advice(4, 0.5)}}, {})
        cheaper = ({POOL: [(-1, 0.02)]}, *A_PAST[1:])

        was = examples_at(records_of(A_PAST, future), "file", NOON).features
        now = examples_at(records_of(cheaper, future), "file", NOON).features

        # 1 - 0.05 / 0.10, and 1 - 0.02 / 0.10
        assert [was.discount_depth[0], now.discount_depth[0]] == pytest.approx([0.5, 0.8])

    def test_without_a_month_afterwards_there_is_no_label(self):
        with pytest.raises(ValueError, match="moment"):
            bands_after(records_of(A_PAST, ({}, {}, {})), [OFFER], NOON)

    def test_training_labels_were_published_before_the_held_back_moments(self):
        last_label = datetime(2022, 5, 29, tzinfo=UTC)  # the end of the newest day learned from

        assert all(at < last_label for _, at in TRAINING)
        assert all(at > last_label for _, at in HELD_BACK.values())


POOL, OFFER = ("us-east-1", "a", "m5.large"), ("us-east-1", "m5.large")
A_PAST = (
    {POOL: [(-1, 0.05)]},
    {BEFORE[1]: {OFFER: Advice(2, 0.5)}},
    {BEFORE[1]: {OFFER: 0.10}},
)


def _priced(past) -> bool:
    return any(hour >= -72 for events in past[0].values() for hour, _ in events)


def _features(records: Records, source: str):
    if source == ADVISOR and not records.known_advice(NOON):
        return [], Features(*[np.empty(0)] * 6)
    return features_at(records, source, NOON)


def some_examples(bands: list[int], after: list[int], **columns: list[float]) -> Examples:
    unknown = dict.fromkeys(MARKET_FEATURES, [np.nan] * len(bands))
    values = {name: np.array(column) for name, column in {**unknown, **columns}.items()}
    return Examples(
        source="file",
        moment=NOON,
        label_day=AFTER[0],
        offers=[("us-east-1", f"m{i}.large") for i in range(len(bands))],
        features=Features(advisor_band=np.array(bands, dtype=np.int8), **values),
        band_after=np.array(after, dtype=np.int8),
    )


class TestWeights:
    def test_pools_that_share_a_label_weigh_one_together(self):
        two = some_examples([0, 0], [0, 0])
        one = some_examples([0], [0])

        # m0.large three times: twice in one group's zones would count the same
        assert weights_of([two, one, one]) == pytest.approx([1 / 3, 1, 1 / 3, 1 / 3])

    def test_weekly_includes_the_last_day(self):
        assert weekly(date(2022, 3, 1), date(2022, 3, 14)) == [
            datetime(2022, 3, 2, tzinfo=UTC),
            datetime(2022, 3, 9, tzinfo=UTC),
        ]


def known(count: int) -> dict[str, list[float]]:
    """Values of every feature, independent of the labels."""
    rng = np.random.default_rng(0)
    return {name: rng.random(count).tolist() for name in MARKET_FEATURES}


class TestFit:
    def test_learns_the_share_that_follows_each_band(self):
        after = [0, 1, 2, 3, 4]
        group = some_examples([0, 1, 2, 3, 4] * 2000, after * 2000, **known(10_000))

        model = fit([group])

        month = -np.expm1(-model.hazard(group.features)[:5] * HOURS)
        assert month == pytest.approx(SHARES, abs=0.02)

    def test_learns_the_sign_of_a_feature(self):
        columns = {**known(800), "price_position": [0.0, 0.0, 1.0, 1.0] * 200}
        group = some_examples([2] * 800, [0, 0, 4, 4] * 200, **columns)

        model = fit([group])

        calm, stressed = model.hazard(group.features)[[0, 2]]
        assert stressed > 5 * calm

    def test_a_value_unknown_throughout_a_group_has_no_effect(self):
        columns = {**known(800), "discount_depth": [0.4, np.nan, 0.5, np.nan] * 200}
        mixed = some_examples([2] * 800, [0, 4] * 400, **columns)
        complete = some_examples([2] * 800, [4] * 800, discount_depth=[0.4, 0.5] * 400)._replace(
            source="another"
        )

        terms = dict(zip(MARKET_FEATURES, fit([mixed, complete]).market, strict=True))

        assert terms["discount_depth"].unknown > 0.5
        assert terms["price_position"].unknown == 0

    def test_with_the_bands_alone_the_market_adds_nothing(self):
        group = some_examples([0, 4] * 100, [0, 4] * 100, **known(200))

        model = fit([group], market=False)

        assert all(term.weight == term.unknown == 0 for term in model.market)

    def test_the_intercept_is_the_mean_of_the_groups_levels(self):
        calm = some_examples([2] * 4000, [0] * 4000, **known(4000))
        rough = some_examples([2] * 1000, [4] * 1000, **known(1000))

        model = fit([calm, rough._replace(label_day=AFTER[1])], market=False)

        # of the log-odds of 2.5 % and 30 %: 0.8 · -3.664 + 0.2 · -0.847 = -3.101
        month = -np.expm1(-model.hazard(calm.features)[:1] * HOURS)
        assert month == pytest.approx([1 / (1 + np.exp(3.101))], abs=0.01)

    def test_a_hundred_zones_that_share_a_label_count_as_one(self):
        zones = some_examples([0] * 100, [0] * 100)._replace(
            offers=[("us-east-1", "m.large")] * 100
        )
        others = some_examples([0] * 100, [4] * 100)

        model = fit([zones, others._replace(source="file")], market=False)

        # (1 · 0.025 + 100 · 0.30) / 101 = 0.297
        month = -np.expm1(-model.hazard(others.features)[:1] * HOURS)
        assert month == pytest.approx([0.297], abs=0.02)

    def test_refuses_a_feature_that_never_differs(self):
        group = some_examples(
            [0, 4] * 100, [0, 4] * 100, **{**known(200), MARKET_FEATURES[2]: [0.5] * 200}
        )

        with pytest.raises(ValueError, match="family_stress_mean"):
            fit([group])

    def test_the_same_records_give_the_same_parameters(self):
        group = some_examples([0, 1, 2, 4] * 50, [0, 2, 2, 4] * 50, **known(200))

        assert fit([group]) == fit([group])


class TestScores:
    def test_calibration_error_by_hand(self):
        # two bins of two: |0.1 - 0.3| and |0.5 - 0.4|, each half of the weight
        error = calibration_error(
            np.array([0.1, 0.1, 0.5, 0.5]), np.array([0.2, 0.4, 0.4, 0.4]), np.ones(4)
        )

        assert error == pytest.approx(0.5 * 0.2 + 0.5 * 0.1)

    def test_forecasting_the_true_shares_scores_the_ceiling(self):
        group = some_examples([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])

        figures = score(_Shares(), group, reference=0.14)

        assert figures.auc == figures.pr_auc == 1
        assert figures.brier_skill == figures.brier_skill_ceiling > 0
        assert figures.calibration_error == 0

    def test_forecasting_the_reference_has_no_skill(self):
        group = some_examples([2, 2], [0, 4])

        # the share of band 2
        figures = score(_Shares(), group, reference=0.125)

        assert figures.brier_skill == 0
        assert figures.auc == figures.auc_within_bands == 0.5


class _Shares:
    """Forecasts the share of each band."""

    def hazard(self, features: Features):
        return -np.log1p(-SHARES[features.advisor_band]) / HOURS


def a_trace(up: list[bool], price: list[float], **facts) -> Trace:
    """A trace with ten minutes per tick."""
    trace = Trace(
        name="trace",
        offer=OFFER,
        started=NOON.date(),
        seconds=np.arange(len(up)) * 600,
        up=np.array(up),
        price=np.array(price),
    )
    return trace._replace(**facts)


def ticks(seed: int) -> list[tuple[bool, float]]:
    """Two days of one pool, without repeated values."""
    rng = np.random.default_rng(seed)
    return list(zip(rng.random(300) < 0.9, rng.uniform(0.01, 0.2, 300), strict=True))


class TestTraces:
    def test_lost_means_within_the_hour_after(self):
        flat = [0.05] * 14
        gone_now = a_trace([True, False] + [True] * 12, flat)
        gone_at_the_end = a_trace([True] * 6 + [False] + [True] * 7, flat)
        gone_later = a_trace([True] * 7 + [False] * 7, flat)

        assert lost_within_the_hour(gone_now, 0) is True
        assert lost_within_the_hour(gone_at_the_end, 0) is True
        assert lost_within_the_hour(gone_later, 0) is False
        assert lost_within_the_hour(gone_now, 600) is None

    def test_the_last_hour_has_no_label(self):
        assert lost_within_the_hour(a_trace([True] * 7, [0.05] * 7), 600) is None

    @given(st.integers(0, 299), st.integers(0, 99), st.integers(100, 199))
    @settings(deadline=None, max_examples=30)
    def test_features_end_at_the_moment_and_labels_begin_after_it(self, tick, one, other):
        one, other = ticks(one), ticks(other)
        facts = facts_of(records_of(A_PAST, ({}, {}, {})), [a_trace([], [])])
        as_it_was, other_future, other_past = (
            a_trace(*zip(*each, strict=True))
            for each in (one, one[: tick + 1] + other[tick + 1 :], other[:tick] + one[tick:])
        )

        features = features_then(facts, [as_it_was], tick * 600)
        assert same(features, features_then(facts, [other_future], tick * 600))
        assert lost_within_the_hour(as_it_was, tick * 600) == (
            lost_within_the_hour(other_past, tick * 600)
        )

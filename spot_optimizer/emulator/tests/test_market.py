"""The price model; its fit to recorded prices is reported by ``emulator.calibration``."""

import numpy as np
import pytest

from spot_optimizer.emulator.market.fitted import market_fit
from spot_optimizer.emulator.market.price_model import DAY, HOUR, Market
from spot_optimizer.emulator.tests.builders import a_pool, some_pools

NOON = 1_790_000_000.0 // DAY * DAY + 12 * HOUR


@pytest.fixture(scope="module")
def market():
    return Market(5, market_fit())


@pytest.fixture(scope="module")
def quarter(market):
    """Ninety days of 600 pools."""
    return market.rows(some_pools(600), NOON - 90 * DAY, NOON)


def series(rows, pool):
    mine = rows.pool == pool
    return rows.time[mine], rows.price[mine]


def test_a_price_is_a_function_of_seed_pool_and_time(market, quarter):
    another = Market(5, market_fit())
    times, prices = series(quarter, 17)

    for at in (times[3], times[3] + 1, times[4] - 1, NOON - 20 * DAY):
        in_force = prices[np.searchsorted(times, at, side="right") - 1]
        assert another.price(some_pools(18)[17], at) == in_force


def test_another_seed_is_another_market(market):
    pools = some_pools(60)

    other = Market(6, market_fit())

    assert (market.mean_ratio(pools, NOON) != other.mean_ratio(pools, NOON)).mean() > 0.9


def test_part_of_a_period_equals_the_same_part_of_the_whole(market, quarter):
    start, end = NOON - 50 * DAY, NOON - 43 * DAY

    part = market.rows(some_pools(600), start, end)

    for pool in (0, 255, 256, 599):
        times, prices = series(quarter, pool)
        first = np.searchsorted(times, start) - 1
        last = np.searchsorted(times, end, side="right")
        part_times, part_prices = series(part, pool)
        assert part_times.tolist() == times[first:last].tolist()
        assert part_prices.tolist() == prices[first:last].tolist()


def test_prices_are_below_on_demand_and_move_in_small_steps(market, quarter):
    assert quarter.price.min() > 0
    assert quarter.price.max() <= 0.96
    for pool in range(600):
        _, prices = series(quarter, pool)
        assert np.abs(np.diff(np.log(prices))).max(initial=0) < 0.06


def test_rounding_does_not_raise_a_price_above_on_demand():
    nearly_free_of_discount = Market(5, market_fit()._replace(ratio_median=2.0, pinned_ratio=2.0))
    pools = [a_pool(f"f{i}.nano")._replace(on_demand=0.00466) for i in range(50)]

    rows = nearly_free_of_discount.rows(pools, NOON - DAY, NOON)

    assert rows.price.max() == 0.0046


def test_repeats_a_price_within_two_days_and_never_twice_within_three_hours(quarter):
    for pool in range(600):
        times, _ = series(quarter, pool)
        assert np.diff(times).min() > 3 * HOUR
        assert np.diff(times).max() < 46 * HOUR


def test_about_a_third_of_the_pools_never_moves(market):
    pools = [a_pool(f"f{i}.a") for i in range(600)]

    rows = market.rows(pools, NOON - 67 * DAY, NOON)

    still = [len(np.unique(series(rows, pool)[1])) == 1 for pool in range(600)]
    # Recorded: 33 % in 67 days. 600 independent pools are off by 0.02 (one standard deviation).
    assert np.mean(still) == pytest.approx(0.33, abs=0.06)


def test_the_price_of_windows_includes_the_licence(market):
    windows = a_pool()._replace(product="Windows", surcharge=0.2)

    assert 0.2 < market.price(windows, NOON) <= 0.96 + 0.2


class TestStress:
    def test_affects_one_whole_family_of_a_region(self, market):
        times = np.arange(0, 400 * DAY, 6 * HOUR)
        pools = [
            a_pool("f1.a", zone=1),
            a_pool("f1.b", zone=2),
            a_pool("f2.a", zone=1),
            a_pool("f1.a", region="eu-west-1"),
        ]

        stress = market._stress(pools, np.tile(times, (4, 1)))

        assert (stress[0] == stress[1]).all()
        assert not (stress[0] == stress[2]).all()
        assert not (stress[0] == stress[3]).all()

    def test_raises_prices_and_interruptions(self):
        pools = [a_pool(f"f{i}.a") for i in range(200)]
        calm, stressed = (
            Market(5, market_fit()._replace(stress_chance=chance)) for chance in (0.0, 1.0)
        )

        more = stressed.monthly_interruptions(pools, NOON) - calm.monthly_interruptions(pools, NOON)
        price_rise = stressed.mean_ratio(pools, NOON) - calm.mean_ratio(pools, NOON)

        assert (more >= 0).all()
        assert (price_rise >= 0).all()
        # 13 days of stress start in each 45 days: about (30 + 13) / 45 of 30-day periods have some.
        assert (more > 0).mean() > 0.6
        assert (price_rise > 0).mean() > 0.35


class TestMonthlyInterruptions:
    def test_are_shares_and_equal_for_a_type_in_a_region(self, market):
        pools = [a_pool(zone=zone) for zone in (1, 2, 3)]

        shares = market.monthly_interruptions([*pools, a_pool("m5.xlarge")], NOON)

        assert shares[0] == shares[1] == shares[2] != shares[3]
        assert (shares >= 0).all()
        assert (shares < 1).all()

    def test_change_over_weeks_and_hardly_within_days(self, market):
        pools = [a_pool(f"f{i}.a") for i in range(300)]
        bands = [
            np.digitize(
                market.monthly_interruptions(pools, NOON - days * DAY), [0.05, 0.1, 0.15, 0.2]
            )
            for days in (0, 6, 14, 400)
        ]

        unchanged = [float((bands[0] == earlier).mean()) for earlier in bands[1:]]

        # Recorded: 84 to 86 % over 5 to 7 days, 75 to 77 % over two weeks, 35 to 45 % over a year.
        assert unchanged == pytest.approx([0.85, 0.76, 0.40], abs=0.1)

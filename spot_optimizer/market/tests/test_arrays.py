import random
from datetime import timedelta

import numpy as np
import pytest

from spot_optimizer.aws.products import LINUX, NoPrices
from spot_optimizer.market.arrays import load_snapshot
from spot_optimizer.market.models import Comparable
from spot_optimizer.market.testing import REGION, a_market, a_price, a_type
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db
COMPARABLE = Comparable("x86_64", 2)


def snapshot(as_of=NOON, comparable=COMPARABLE, product=LINUX, region=REGION):
    return load_snapshot(region=region, product=product, as_of=as_of, comparable=comparable)


class TestLoadSnapshot:
    def test_returns_all_columns(self):
        a_market(
            a_price("0.04", hours=-200),
            a_price("0.03", hours=-100),
            a_price("0.035", hours=-1),
            a_price("0.05", hours=-200, instance_type="m5a.large", zone_id="use1-az2"),
            types=(a_type("m5.large"), a_type("m5a.large")),
            on_demand={"m5.large": "0.096"},
            bands={"m5a.large": 3},
        )

        market = snapshot()

        assert (market.region, market.as_of) == (REGION, "2026-11-02T12:00:00Z")
        assert [row.name for row in market.types] == ["m5.large", "m5a.large"]
        assert market.zones == ("use1-az1", "use1-az2")
        assert market.type_index.tolist() == market.zone_index.tolist() == [0, 1]
        assert market.on_demand_price[0] == 0.096
        assert np.isnan(market.on_demand_price[1])
        assert market.band.tolist() == [-1, 3]
        assert market.spot_price.tolist() == [0.035, 0.05]
        assert market.low_7d.tolist() == [0.03, 0.05]
        assert market.high_7d.tolist() == [0.04, 0.05]

    def test_ignores_later_prices(self):
        a_market(a_price("0.03", hours=-200), a_price("0.9", hours=1), until=NOON + timedelta(1))

        market = snapshot()

        assert market.spot_price.tolist() == market.high_7d.tolist() == [0.03]

    def test_includes_a_change_at_exactly_that_moment(self):
        a_market(a_price("0.03", hours=-200), a_price("0.04", hours=0))

        assert snapshot().spot_price.tolist() == [0.04]

    def test_has_no_range_for_less_than_a_day_of_history(self):
        a_market(a_price("0.03", hours=-23), since=NOON - timedelta(hours=24))

        market = snapshot()

        assert market.spot_price.tolist() == [0.03]
        assert np.isnan([market.low_7d, market.high_7d]).all()

    def test_excludes_prices_before_a_gap_from_the_range(self):
        a_market(
            a_price("0.9", hours=-200), a_price("0.8", hours=-150), until=NOON - timedelta(days=5)
        )
        a_market(a_price("0.03", hours=-60), since=NOON - timedelta(days=2))

        market = snapshot()

        assert market.low_7d.tolist() == market.high_7d.tolist() == [0.03]

    def test_omits_a_pool_whose_price_is_unknown(self):
        a_market(a_price("0.03", hours=-200), until=NOON - timedelta(hours=1))
        a_market(a_price("0.04", hours=-200, zone_id="use1-az2"))

        assert snapshot().zones == ("use1-az2",)

    def test_contains_only_comparable_types(self):
        a_market(
            *(a_price("0.03", hours=-200, instance_type=name) for name in ("a", "b", "c", "d")),
            types=(
                a_type("a", vcpu=1),
                a_type("b", vcpu=4),
                a_type("c", vcpu=5),
                a_type("d", architectures=("arm64",)),
            ),
        )

        assert [row.name for row in snapshot().types] == ["a", "b"]

    def test_includes_a_type_that_is_only_sold_on_demand(self):
        a_market(
            a_price("0.03", hours=-200),
            types=(a_type(), a_type("u.large", usage_classes=("on-demand",))),
            on_demand={"m5.large": "0.096", "u.large": "1"},
        )

        market = snapshot()

        assert [(row.name, row.spot_supported) for row in market.types] == [
            ("m5.large", True),
            ("u.large", False),
        ]
        assert market.type_index.tolist() == [0]

    def test_raises_if_no_prices_are_stored(self):
        a_market(a_price("0.03", hours=-200))

        with pytest.raises(NoPrices):
            snapshot(region="eu-west-1")
        with pytest.raises(NoPrices):
            snapshot(as_of=NOON - timedelta(days=30))
        with pytest.raises(NoPrices):
            snapshot(comparable=Comparable("x86_64", 64))

    def test_equals_a_calculation_from_all_prices(self):
        rng = random.Random(7)  # noqa: S311  # prices, not secrets
        prices = [
            a_price(f"{rng.randint(1, 9)}", hours=-rng.uniform(1, 192), zone_id=f"use1-az{zone}")
            for zone in range(1, 7)
            for _ in range(60)
        ] + [a_price("5", hours=-192, zone_id=f"use1-az{zone}") for zone in range(1, 7)]
        a_market(*prices)

        for hours in (0, 3.5, 12, 47):
            as_of = NOON - timedelta(hours=hours)
            market = snapshot(as_of)
            for index, zone in enumerate(market.zones):
                past = sorted(
                    (p.at, float(p.price)) for p in prices if p.zone_id == zone and p.at <= as_of
                )
                start = max(as_of - timedelta(days=7), NOON - timedelta(days=8))
                at_start = [price for at, price in past if at <= start][-1:]
                week = at_start + [price for at, price in past if at > start]
                assert market.spot_price[index] == past[-1][1]
                assert market.low_7d[index] == min(week)
                assert market.high_7d[index] == max(week)


class TestCachedSnapshots:
    def test_are_not_loaded_again(self, django_assert_max_num_queries):
        a_market(a_price("0.03", hours=-200))
        first = snapshot()

        with django_assert_max_num_queries(2):
            assert snapshot() is first

    def test_are_invalidated_by_a_write(self):
        a_market(a_price("0.03", hours=-200))
        first = snapshot()

        a_market(a_price("0.04", hours=-200, zone_id="use1-az2"))

        assert len(snapshot().spot_price) == len(first.spot_price) + 1

    def test_are_read_only(self):
        a_market(a_price("0.03", hours=-200))

        with pytest.raises(ValueError, match="read-only"):
            snapshot().spot_price[0] = 1

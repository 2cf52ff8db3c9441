import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import IntegrityError, connection

from spot_optimizer.aws.on_demand_prices import OnDemandPriceRow
from spot_optimizer.aws.spot_advisor import AdvisorRow
from spot_optimizer.market.ingest.advisor_bands import store_advisor_bands
from spot_optimizer.market.ingest.instance_types import (
    mark_complete,
    store_instance_types,
    watch_types,
)
from spot_optimizer.market.ingest.on_demand_prices import store_on_demand_prices
from spot_optimizer.market.ingest.spot_prices import store_spot_prices
from spot_optimizer.market.models import (
    AdvisorBand,
    Coverage,
    InstanceTypeFacts,
    OnDemandPrice,
    Pool,
    Region,
    SpotPrice,
    WatchedType,
    in_force,
)
from spot_optimizer.market.testing import REGION, a_price, a_type
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def store(*prices, since=NOON - DAY, until=NOON):
    return store_spot_prices(region=REGION, prices=prices, since=since, until=until)


def returned_by_aws(published, since, until):
    """What DescribeSpotPriceHistory returns: the period and the last price before it."""
    before = [row for row in published if row[0] <= since]
    return [max(before)] + [row for row in published if since < row[0] <= until]


def stored():
    rows = SpotPrice.objects.order_by("pool", "at").values_list("at", "price")
    return [((at - NOON) / timedelta(hours=1), str(price)) for at, price in rows]


def coverage():
    rows = Coverage.objects.order_by("pool", "since").values_list("since", "until")
    return [tuple((moment - NOON) / timedelta(hours=1) for moment in row) for row in rows]


class TestStoreSpotPrices:
    def test_stores_changes_only(self):
        new = store(
            a_price("0.03", hours=-1),
            a_price("0.02", hours=-30),
            a_price("0.02", hours=-6),
            a_price("0.03", hours=-2),
        )

        assert new == 2
        assert stored() == [(-30, "0.020000"), (-2, "0.030000")]

    def test_changes_nothing_the_second_time(self):
        prices = [a_price("0.02", hours=-30), a_price("0.03", hours=-2)]
        store(*prices)
        before = (stored(), coverage())

        assert store(*prices) == 0
        assert (stored(), coverage()) == before

    def test_continues_after_the_last_refresh(self):
        store(a_price("0.02", hours=-30), a_price("0.03", hours=-2))

        store(
            a_price("0.03", hours=-1),
            a_price("0.04", hours=1),
            since=NOON - timedelta(minutes=10),
            until=NOON + timedelta(hours=2),
        )

        assert stored() == [(-30, "0.020000"), (-2, "0.030000"), (1, "0.040000")]
        assert coverage() == [(-24, 2)]

    def test_stores_prices_that_aws_published_late(self):
        store(a_price("0.02", hours=-30))

        store(
            a_price("0.02", hours=-30),
            a_price("0.05", hours=-0.1),
            a_price("0.02", hours=0.1),
            since=NOON - timedelta(minutes=10),
            until=NOON + timedelta(hours=1),
        )

        assert stored() == [(-30, "0.020000"), (-0.1, "0.050000"), (0.1, "0.020000")]

    def test_stores_an_equal_price_again_after_a_gap(self):
        store(a_price("0.02", hours=-30), until=NOON - timedelta(hours=20))

        store(a_price("0.02", hours=-3), since=NOON - timedelta(hours=2))

        assert stored() == [(-30, "0.020000"), (-3, "0.020000")]
        assert coverage() == [(-24, -20), (-2, 0)]

    def test_preserves_later_prices_when_a_shorter_period_is_stored(self):
        store(a_price("0.02", hours=-30), a_price("0.03", hours=-1))

        store(a_price("0.02", hours=-30), until=NOON - timedelta(hours=2))

        assert stored() == [(-30, "0.020000"), (-1, "0.030000")]
        assert coverage() == [(-24, 0)]

    @pytest.mark.parametrize("seed", range(8))
    def test_step_by_step_stores_the_prices_in_force(self, seed):
        rng = random.Random(seed)  # noqa: S311  # prices, not secrets
        published = [(-100.0, 1)] + [
            (round(rng.uniform(-100, 0), 3), rng.randint(1, 3)) for _ in range(40)
        ]
        steps = sorted(rng.uniform(-90, 0) for _ in range(6))
        since = -95.0
        for until in [*steps, 0]:
            store(
                *(
                    a_price(str(price), hours=at)
                    for at, price in returned_by_aws(published, since, until)
                ),
                since=NOON + timedelta(hours=since),
                until=NOON + timedelta(hours=until),
            )
            since = until - 1  # with an overlap, as some prices are published late

        for hours in range(-95, 1):
            pool = Pool.objects.annotate(
                price=in_force("price", at=NOON + timedelta(hours=hours))
            ).get()
            assert pool.price == max(row for row in published if row[0] <= hours)[1]
        prices = [price for _, price in stored()]
        assert all(one != next_one for one, next_one in pairwise(prices))
        assert coverage() == [(-95, 0)]

    def test_coverage_of_a_new_pool_starts_at_its_first_price(self):
        store(a_price("0.02", hours=-5))

        assert coverage() == [(-5, 0)]

    def test_does_not_extend_coverage_of_a_pool_without_prices(self):
        store(a_price("0.02", hours=-30))

        store(
            a_price("0.02", hours=-30, zone_id="use1-az2"),
            since=NOON,
            until=NOON + timedelta(hours=1),
        )

        pool = Pool.objects.get(zone_id="use1-az1")
        assert [coverage.until for coverage in pool.coverage.all()] == [NOON]

    def test_changes_the_version_of_the_region(self):
        store(a_price("0.02", hours=-30))
        version = Region.objects.get().version

        store(a_price("0.02", hours=-30))

        assert Region.objects.get().version != version

    def test_bulk_insert_stores_the_same_rows(self):
        prices = [
            a_price(f"0.{hour % 7 + 1}", hours=hour - 6000, zone_id=zone)
            for hour in range(3000)
            for zone in ("use1-az1", "use1-az2")
        ]

        assert store(*prices, since=NOON - 300 * DAY) == 6000
        assert store(*prices, since=NOON - 300 * DAY) == 0
        assert SpotPrice.objects.count() == 6000

    @pytest.mark.django_db(transaction=True)
    def test_concurrent_runs_store_each_price_once(self):
        prices = [
            a_price(f"0.0{hour % 3 + 1}", hours=-hour, zone_id=f"use1-az{zone}")
            for hour in range(20)
            for zone in range(1, 7)
        ]

        def attempt(number):
            try:
                return store(*(prices if number % 2 else prices[::-1]))
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=6) as pool:
            new = list(pool.map(attempt, range(6)))

        assert sum(new) == SpotPrice.objects.count() == 120
        assert Pool.objects.count() == Coverage.objects.count() == 6


class TestConstraints:
    def test_a_price_must_be_above_zero(self):
        store(a_price("0.02", hours=-1))

        with pytest.raises(IntegrityError, match="market_spotprice_is_above_zero"):
            SpotPrice.objects.update(price=0)

    def test_coverage_cannot_end_before_it_starts(self):
        store(a_price("0.02", hours=-1))

        with pytest.raises(IntegrityError, match="market_coverage_does_not_end"):
            Coverage.objects.update(until=NOON - 9 * DAY)


class TestMarkComplete:
    def test_never_moves_back_in_time(self):
        watch_types(region=REGION, product="Linux/UNIX", instance_types=["m5.large"])
        for until in (NOON, NOON + DAY, NOON - DAY):
            mark_complete(
                region=REGION, product="Linux/UNIX", instance_types=["m5.large"], until=until
            )

        assert WatchedType.objects.get().until == NOON + DAY

    def test_is_preserved_when_a_type_is_watched_again(self):
        for _ in range(2):
            watch_types(region=REGION, product="Linux/UNIX", instance_types=["m5.large"])
            mark_complete(
                region=REGION, product="Linux/UNIX", instance_types=["m5.large"], until=NOON
            )

        assert WatchedType.objects.get().until == NOON


class TestStoreOnDemandPrices:
    def test_stores_changes_with_the_time_of_the_refresh(self):
        for hours, price in enumerate(["0.096", "0.0960", "0.1", "0.1000000000"]):
            store_on_demand_prices(
                region=REGION,
                prices=[OnDemandPriceRow("m5.large", "Linux", Decimal(price), NOON)],
                learned_at=NOON + timedelta(hours=hours),
            )

        known = OnDemandPrice.objects.order_by("at").values_list("at", "price")
        assert list(known) == [
            (NOON, Decimal("0.096")),
            (NOON + timedelta(hours=2), Decimal("0.1")),
        ]


class TestStoreAdvisorBands:
    def test_stores_changes_of_its_own_region_only(self):
        for hours, band in enumerate([1, 1, 4]):
            store_advisor_bands(
                region=REGION,
                rows=[
                    AdvisorRow(REGION, "Linux", "m5.large", band, 70),
                    AdvisorRow("eu-west-1", "Linux", "m5.large", 0, 70),
                ],
                learned_at=NOON + timedelta(hours=hours),
            )

        known = AdvisorBand.objects.order_by("at").values_list("region", "band")
        assert list(known) == [(REGION, 1), (REGION, 4)]


class TestStoreInstanceTypes:
    def test_replaces_older_facts(self):
        store_instance_types([a_type(accelerator="NVIDIA T4", accelerators=1)], now=NOON)
        store_instance_types([a_type(memory_mib=16384)], now=NOON + DAY)

        facts = InstanceTypeFacts.objects.get()
        assert (facts.memory_mib, facts.accelerator, facts.accelerators) == (16384, "", 0)

    def test_does_not_replace_newer_facts(self):
        store_instance_types([a_type(memory_mib=16384)], now=NOON)
        store_instance_types(
            [a_type(memory_mib=4096), a_type("c5.large")], now=NOON - timedelta(days=30)
        )

        known = InstanceTypeFacts.objects.order_by("name").values_list(
            "name", "memory_mib", "refreshed_at"
        )
        assert list(known) == [
            ("c5.large", 8192, NOON - timedelta(days=30)),
            ("m5.large", 16384, NOON),
        ]

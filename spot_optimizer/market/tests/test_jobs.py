"""The store and the emulator together, over the wire."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.db import connection

from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.credentials import Credentials
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.on_demand_prices import OnDemandPriceRow
from spot_optimizer.aws.products import LINUX, NoPrices
from spot_optimizer.aws.spot_advisor import AdvisorRow
from spot_optimizer.aws.zones import zone_ids
from spot_optimizer.errors import AwsRefused, AwsTimeout
from spot_optimizer.market import refresh
from spot_optimizer.market.arrays import load_snapshot
from spot_optimizer.market.ingest.advisor_bands import store_advisor_bands
from spot_optimizer.market.ingest.instance_types import (
    store_instance_types,
)
from spot_optimizer.market.ingest.on_demand_prices import store_on_demand_prices
from spot_optimizer.market.jobs import ensure_market, ensure_type, refresh_region
from spot_optimizer.market.models import (
    AdvisorBand,
    Comparable,
    Coverage,
    OnDemandPrice,
    SpotPrice,
    WatchedType,
)
from spot_optimizer.market.queries import pools_in_force
from spot_optimizer.market.refresh_log import record_refresh
from spot_optimizer.market.testing import a_type

pytestmark = pytest.mark.django_db
ALIKE = Comparable("x86_64", 2)
FEW = Comparable("i386", 2)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def access(emulator, settings):
    settings.AWS_ENDPOINT_URL = emulator.url
    return AwsAccess(Credentials(emulator.access_key, emulator.secret_key), "us-east-1")


@pytest.fixture
def now():
    """The emulator's market lives by the real clock; half an hour ago, all of it is published."""
    return datetime.now(UTC) - 30 * MINUTE


class Evaluation:
    """What an evaluation asks of the store, what it is told meanwhile, and what AWS is asked."""

    def __init__(self, access, emulator) -> None:
        self.access = access
        self.emulator = emulator
        self.zones = zone_ids(access, deadline=Deadline.after(10))
        self.told = []

    def knows_all_but_spot_prices(self, now):
        for what in ("on-demand Linux", "advisor"):
            record_refresh(region=self.access.region, what=what, now=now)

    def ensure(self, now, comparable=FEW, seconds=60):
        self.told.clear()
        self.seen = self.emulator.last_request()
        return ensure_market(
            access=self.access,
            zone_ids=self.zones,
            product=LINUX,
            comparable=comparable,
            deadline=Deadline.after(seconds),
            now=now,
            report=self.told.append,
        )

    @property
    def asked(self):
        return [request["action"] for request in self.emulator.requests(after=self.seen)]


@pytest.fixture
def first(access, emulator):
    """The first evaluation ever."""
    return Evaluation(access, emulator)


@pytest.fixture
def evaluation(first, now):
    """One that need not ask for on-demand prices and bands: somebody has, an hour ago."""
    first.knows_all_but_spot_prices(now)
    return first


def snapshot(as_of, comparable=FEW):
    return load_snapshot(region="us-east-1", product=LINUX, as_of=as_of, comparable=comparable)


def same(one, other):
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a == b
        for a, b in zip(
            *([getattr(m, name) for name in m.__slots__] for m in (one, other)), strict=True
        )
    )


class TestEnsureMarket:
    def test_fetches_all_that_a_new_region_needs(self, first, now):
        as_of = first.ensure(now, ALIKE)

        market = snapshot(as_of, ALIKE)
        assert as_of == now
        assert {this.vcpu for this in market.types} == {1, 2, 4}
        assert all("x86_64" in this.architectures for this in market.types)
        assert sorted(market.zones) == sorted(first.zones.values())
        assert np.isfinite(market.on_demand_price).all()
        assert np.isfinite(market.low_7d).all()
        assert (market.low_7d <= market.spot_price).all()
        assert (market.spot_price <= market.high_7d).all()
        assert (market.low_7d < market.high_7d).any()
        assert set(first.asked) == {
            "DescribeInstanceTypes",
            "GetProducts",
            "GetObject",
            "DescribeSpotPriceHistory",
        }

    def test_says_what_it_does_before_it_does_it(self, first, now):
        first.ensure(now)

        told = " ".join(first.told)
        for words in ("instance types", "on-demand prices", "Spot Advisor", "8 days of spot"):
            assert words in told

    def test_counts_on_demand_prices_seldom_and_at_the_end(self, first, now):
        first.ensure(now)

        ends = " on-demand prices fetched."
        counts = [int(line.removesuffix(ends)) for line in first.told if line.endswith(ends)]
        between = np.diff([0, *counts])
        assert (between[:-1] >= 500).all()
        assert counts[-1] >= OnDemandPrice.objects.count() > 500
        assert len(counts) == len(set(counts)) > 1

    def test_is_not_changed_by_older_knowledge(self, first, now):
        as_of = first.ensure(now)
        before = snapshot(as_of)

        self.learn_from_older_files(now - timedelta(days=300))

        assert same(snapshot(as_of), before)
        pools = pools_in_force(region="us-east-1", product=LINUX, as_of=as_of)
        assert not pools.filter(on_demand_price=9).exists()

    def test_forgets_older_knowledge_that_aws_does_not_confirm(self, first, now):
        self.learn_from_older_files(now - timedelta(days=300))

        as_of = first.ensure(now)

        assert "p2.xlarge" not in [this.name for this in snapshot(as_of).types]
        assert np.isfinite(snapshot(as_of).on_demand_price).all()

    def learn_from_older_files(self, at):
        """What files tell of a type that AWS offers, and of one that it no longer does."""
        facts = [
            a_type(name, architectures=("i386", "x86_64"), memory_mib=1)
            for name in ("t2.medium", "p2.xlarge")
        ]
        names = [this.name for this in facts]
        prices = [OnDemandPriceRow(name, "Linux", Decimal(9), at) for name in names]
        bands = [AdvisorRow("us-east-1", "Linux", name, 4, 1) for name in names]
        store_instance_types(facts, now=at)
        store_on_demand_prices(region="us-east-1", prices=prices, learned_at=at)
        store_advisor_bands(region="us-east-1", rows=bands, learned_at=at)

    def test_asks_nothing_of_aws_for_five_minutes(self, evaluation, now):
        first = evaluation.ensure(now)
        before = snapshot(first)

        second = evaluation.ensure(now + 4 * MINUTE)

        assert evaluation.asked == evaluation.told == []
        assert second == first
        assert same(snapshot(second), before)

    def test_asks_for_one_price_history_after_that(self, evaluation, now):
        evaluation.ensure(now)
        before = SpotPrice.objects.count()

        as_of = evaluation.ensure(now + 25 * MINUTE)

        assert evaluation.asked == ["DescribeSpotPriceHistory"]
        assert as_of == now + 25 * MINUTE
        assert SpotPrice.objects.count() >= before

    def test_step_by_step_learns_the_same_as_at_once(self, evaluation, now):
        evaluation.ensure(now - timedelta(hours=20))
        for hours in (15, 9, 3, 0):
            as_of = evaluation.ensure(now - timedelta(hours=hours))
        step_by_step = snapshot(as_of)
        points = sorted(
            SpotPrice.objects.filter(at__gt=now - timedelta(days=8)).values_list(
                "pool__instance_type", "pool__zone_id", "at", "price"
            )
        )
        SpotPrice.objects.all().delete()
        Coverage.objects.all().delete()
        WatchedType.objects.update(until=None)

        at_once = snapshot(evaluation.ensure(now))

        assert same(step_by_step, at_once)
        assert points == sorted(
            SpotPrice.objects.filter(at__gt=now - timedelta(days=8)).values_list(
                "pool__instance_type", "pool__zone_id", "at", "price"
            )
        )

    def test_another_size_needs_only_what_is_new(self, evaluation, now):
        evaluation.ensure(now)
        before = snapshot(now)

        as_of = evaluation.ensure(now + MINUTE, Comparable("x86_64", 1))

        assert set(evaluation.asked) == {"DescribeInstanceTypes", "DescribeSpotPriceHistory"}
        assert as_of == now
        assert {this.vcpu for this in snapshot(as_of, Comparable("x86_64", 1)).types} == {1, 2}
        assert same(snapshot(now), before)

    def test_keeps_what_it_has_when_the_time_is_over(self, evaluation, emulator, now, monkeypatch):
        monkeypatch.setattr(refresh, "TYPES_PER_GROUP", 1)
        monkeypatch.setattr(refresh, "CONCURRENT_GROUPS", 1)
        emulator.delay("DescribeSpotPriceHistory", seconds=1, times=30)

        with pytest.raises(AwsTimeout):
            evaluation.ensure(now, seconds=2.5)
        kept = WatchedType.objects.filter(until=now).count()
        emulator.reset()
        as_of = evaluation.ensure(now + MINUTE)

        assert 0 < kept < WatchedType.objects.count()
        assert set(evaluation.asked) == {"DescribeSpotPriceHistory"}
        assert as_of == now

    def test_tells_which_permission_is_missing(self, evaluation, emulator, now):
        emulator.deny("ec2:DescribeSpotPriceHistory")

        with pytest.raises(AwsRefused, match="ec2:DescribeSpotPriceHistory"):
            evaluation.ensure(now)

    def test_does_without_an_advisor_that_cannot_be_read(self, first, emulator, now):
        emulator.garbage("GetObject", times=3)

        as_of = first.ensure(now)

        assert not AdvisorBand.objects.exists()
        assert (snapshot(as_of).band == -1).all()
        assert any("cannot be read" in line for line in first.told)

    def test_refuses_where_nothing_is_comparable(self, evaluation, now):
        with pytest.raises(NoPrices):
            evaluation.ensure(now, Comparable("riscv", 2))

    @pytest.mark.django_db(transaction=True)
    def test_two_at_once_do_not_hurt_each_other(self, access, emulator, now):
        def attempt(seconds):
            try:
                evaluation = Evaluation(access, emulator)
                return evaluation.ensure(now + timedelta(seconds=seconds), ALIKE)
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=2) as pool:
            moments = list(pool.map(attempt, range(2)))

        as_of = max(moments)
        assert WatchedType.objects.exclude(until=as_of).count() == 0
        assert (
            len(snapshot(as_of, ALIKE).spot_price)
            == Coverage.objects.values("pool").distinct().count()
        )
        repeats = Counter(SpotPrice.objects.values_list("pool", "at"))
        assert max(repeats.values()) == 1


class TestEnsureType:
    def test_asks_once(self, access, emulator, now):
        seen = emulator.last_request()

        for _ in range(2):
            fact = ensure_type(access=access, name="m5.large", deadline=Deadline.after(10), now=now)

        assert (fact.name, fact.vcpu, fact.memory_gib) == ("m5.large", 2, 8.0)
        assert len(emulator.requests(after=seen)) == 1


class TestRefreshRegion:
    def refresh(self, candidates, now):
        return refresh_region(candidates, product=LINUX, deadline=Deadline.after(30), now=now)

    def test_takes_the_first_credentials_that_work(self, evaluation, access, now):
        evaluation.ensure(now)
        wrong = AwsAccess(Credentials("AKIAWRONG", "wrong"), "us-east-1")

        until = self.refresh(iter([wrong, access]), now + 5 * MINUTE)

        assert until == now + 5 * MINUTE
        assert evaluation.ensure(now + 9 * MINUTE) == until

    def test_does_nothing_without_credentials(self, evaluation, now):
        evaluation.ensure(now)

        assert self.refresh([], now + 5 * MINUTE) is None
        assert WatchedType.objects.exclude(until=now).count() == 0

    def test_asks_for_no_prices_of_a_region_that_nobody_evaluated(self, access, now):
        assert self.refresh([access], now) is None
        assert not SpotPrice.objects.exists()

"""Refreshes against the emulator, over HTTP."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.db import connection

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.on_demand_prices import OnDemandPriceRow
from spot_optimizer.aws.products import LINUX, NoPrices
from spot_optimizer.aws.spot_advisor import AdvisorRow
from spot_optimizer.aws.zones import zone_ids
from spot_optimizer.errors import AwsRefused, AwsTimeout
from spot_optimizer.market import refresh
from spot_optimizer.market.arrays import load_snapshot
from spot_optimizer.market.ingest.advisor_bands import store_advisor_bands
from spot_optimizer.market.ingest.instance_types import store_instance_types
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
COMPARABLE = Comparable("x86_64", 2)
FEW = Comparable("i386", 2)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def access(emulator, settings):
    settings.AWS_ENDPOINT_URL = emulator.url
    return AwsAccess(Credentials(emulator.access_key, emulator.secret_key), "us-east-1")


@pytest.fixture
def now():
    """The emulator uses the real clock. Half an hour ago: all prices up to then are published."""
    return datetime.now(UTC) - 30 * MINUTE


class Evaluation:
    """One evaluation: its refresh, its reports, and its requests to AWS."""

    def __init__(self, access, emulator) -> None:
        self.access = access
        self.emulator = emulator
        self.zones = zone_ids(access, deadline=Deadline.after(10))
        self.reports = []

    def record_other_refreshes(self, now):
        for what in ("on-demand Linux", "advisor"):
            record_refresh(region=self.access.region, what=what, now=now)

    def ensure(self, now, comparable=FEW, seconds=60):
        self.reports.clear()
        self.seen = self.emulator.last_request()
        return ensure_market(
            access=self.access,
            zone_ids=self.zones,
            product=LINUX,
            comparable=comparable,
            deadline=Deadline.after(seconds),
            now=now,
            report=self.reports.append,
        )

    @property
    def requests(self):
        return [request["action"] for request in self.emulator.requests(after=self.seen)]


@pytest.fixture
def first(access, emulator):
    """The first evaluation in the region."""
    return Evaluation(access, emulator)


@pytest.fixture
def evaluation(first, now):
    """An evaluation for which on-demand prices and bands need no refresh."""
    first.record_other_refreshes(now)
    return first


def snapshot(as_of, comparable=FEW):
    return load_snapshot(region="us-east-1", product=LINUX, as_of=as_of, comparable=comparable)


def is_equal(one, other):
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a == b
        for a, b in zip(
            *([getattr(m, name) for name in m.__slots__] for m in (one, other)), strict=True
        )
    )


class TestEnsureMarket:
    def test_fetches_everything_for_a_new_region(self, first, now):
        as_of = first.ensure(now, COMPARABLE)

        market = snapshot(as_of, COMPARABLE)
        assert as_of == now
        assert {row.vcpu for row in market.types} == {1, 2, 4}
        assert all("x86_64" in row.architectures for row in market.types)
        assert sorted(market.zones) == sorted(first.zones.values())
        assert np.isfinite(market.on_demand_price).all()
        assert np.isfinite(market.low_7d).all()
        assert (market.low_7d <= market.spot_price).all()
        assert (market.spot_price <= market.high_7d).all()
        assert (market.low_7d < market.high_7d).any()
        assert set(first.requests) == {
            "DescribeInstanceTypes",
            "GetProducts",
            "GetObject",
            "DescribeSpotPriceHistory",
        }

    def test_reports_each_step(self, first, now):
        first.ensure(now)

        text = " ".join(first.reports)
        for phrase in ("instance types", "on-demand prices", "Spot Advisor", "8 days of spot"):
            assert phrase in text

    def test_reports_the_on_demand_count_every_500_and_at_the_end(self, first, now):
        first.ensure(now)

        ends = " on-demand prices fetched."
        counts = [int(line.removesuffix(ends)) for line in first.reports if line.endswith(ends)]
        between = np.diff([0, *counts])
        assert (between[:-1] >= 500).all()
        assert counts[-1] >= OnDemandPrice.objects.count() > 500
        assert len(counts) == len(set(counts)) > 1

    def test_is_not_changed_by_an_import_of_older_files(self, first, now):
        as_of = first.ensure(now)
        before = snapshot(as_of)

        self.import_older_files(now - timedelta(days=300))

        assert is_equal(snapshot(as_of), before)
        pools = pools_in_force(region="us-east-1", product=LINUX, as_of=as_of)
        assert not pools.filter(on_demand_price=9).exists()

    def test_ignores_older_values_that_aws_does_not_list(self, first, now):
        self.import_older_files(now - timedelta(days=300))

        as_of = first.ensure(now)

        assert "p2.xlarge" not in [row.name for row in snapshot(as_of).types]
        assert np.isfinite(snapshot(as_of).on_demand_price).all()

    def import_older_files(self, at):
        """Older values of a type that AWS offers, and of one that it no longer offers."""
        facts = [
            a_type(name, architectures=("i386", "x86_64"), memory_mib=1)
            for name in ("t2.medium", "p2.xlarge")
        ]
        names = [row.name for row in facts]
        prices = [OnDemandPriceRow(name, "Linux", Decimal(9), at) for name in names]
        bands = [AdvisorRow("us-east-1", "Linux", name, 4, 1) for name in names]
        store_instance_types(facts, now=at)
        store_on_demand_prices(region="us-east-1", prices=prices, learned_at=at)
        store_advisor_bands(region="us-east-1", rows=bands, learned_at=at)

    def test_makes_no_request_for_five_minutes(self, evaluation, now):
        first = evaluation.ensure(now)
        before = snapshot(first)

        second = evaluation.ensure(now + 4 * MINUTE)

        assert evaluation.requests == evaluation.reports == []
        assert second == first
        assert is_equal(snapshot(second), before)

    def test_fetches_one_price_history_after_five_minutes(self, evaluation, now):
        evaluation.ensure(now)
        before = SpotPrice.objects.count()

        as_of = evaluation.ensure(now + 25 * MINUTE)

        assert evaluation.requests == ["DescribeSpotPriceHistory"]
        assert as_of == now + 25 * MINUTE
        assert SpotPrice.objects.count() >= before

    def test_step_by_step_stores_the_same_as_at_once(self, evaluation, now):
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

        assert is_equal(step_by_step, at_once)
        assert points == sorted(
            SpotPrice.objects.filter(at__gt=now - timedelta(days=8)).values_list(
                "pool__instance_type", "pool__zone_id", "at", "price"
            )
        )

    def test_another_size_fetches_only_its_own_types(self, evaluation, now):
        evaluation.ensure(now)
        before = snapshot(now)

        as_of = evaluation.ensure(now + MINUTE, Comparable("x86_64", 1))

        assert set(evaluation.requests) == {"DescribeInstanceTypes", "DescribeSpotPriceHistory"}
        assert as_of == now
        assert {row.vcpu for row in snapshot(as_of, Comparable("x86_64", 1)).types} == {1, 2}
        assert is_equal(snapshot(now), before)

    def test_stores_finished_groups_when_the_deadline_passes(
        self, evaluation, emulator, now, monkeypatch
    ):
        monkeypatch.setattr(refresh, "TYPES_PER_GROUP", 1)
        monkeypatch.setattr(refresh, "CONCURRENT_GROUPS", 1)
        emulator.delay("DescribeSpotPriceHistory", seconds=1, times=30)

        with pytest.raises(AwsTimeout):
            evaluation.ensure(now, seconds=2.5)
        stored = WatchedType.objects.filter(until=now).count()
        emulator.reset()
        as_of = evaluation.ensure(now + MINUTE)

        assert 0 < stored < WatchedType.objects.count()
        assert set(evaluation.requests) == {"DescribeSpotPriceHistory"}
        assert as_of == now

    def test_names_the_missing_permission(self, evaluation, emulator, now):
        emulator.deny("ec2:DescribeSpotPriceHistory")

        with pytest.raises(AwsRefused, match="ec2:DescribeSpotPriceHistory"):
            evaluation.ensure(now)

    def test_continues_without_an_unreadable_advisor(self, first, emulator, now):
        emulator.garbage("GetObject", times=3)

        as_of = first.ensure(now)

        assert not AdvisorBand.objects.exists()
        assert (snapshot(as_of).band == -1).all()
        assert any("cannot be read" in line for line in first.reports)

    def test_raises_if_no_type_is_comparable(self, evaluation, now):
        with pytest.raises(NoPrices):
            evaluation.ensure(now, Comparable("riscv", 2))

    @pytest.mark.django_db(transaction=True)
    def test_two_concurrent_refreshes(self, access, emulator, now):
        def attempt(seconds):
            try:
                evaluation = Evaluation(access, emulator)
                return evaluation.ensure(now + timedelta(seconds=seconds), COMPARABLE)
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=2) as pool:
            moments = list(pool.map(attempt, range(2)))

        as_of = max(moments)
        assert WatchedType.objects.exclude(until=as_of).count() == 0
        assert (
            len(snapshot(as_of, COMPARABLE).spot_price)
            == Coverage.objects.values("pool").distinct().count()
        )
        repeats = Counter(SpotPrice.objects.values_list("pool", "at"))
        assert max(repeats.values()) == 1


class TestEnsureType:
    def test_fetches_once(self, access, emulator, now):
        seen = emulator.last_request()

        for _ in range(2):
            fact = ensure_type(access=access, name="m5.large", deadline=Deadline.after(10), now=now)

        assert (fact.name, fact.vcpu, fact.memory_gib) == ("m5.large", 2, 8.0)
        assert len(emulator.requests(after=seen)) == 1


class TestRefreshRegion:
    def refresh(self, candidates, now):
        return refresh_region(candidates, product=LINUX, deadline=Deadline.after(30), now=now)

    def test_uses_the_first_accepted_credentials(self, evaluation, access, now):
        evaluation.ensure(now)
        wrong = AwsAccess(Credentials("AKIAWRONG", "wrong"), "us-east-1")

        until = self.refresh(iter([wrong, access]), now + 5 * MINUTE)

        assert until == now + 5 * MINUTE
        assert evaluation.ensure(now + 9 * MINUTE) == until

    def test_does_nothing_without_credentials(self, evaluation, now):
        evaluation.ensure(now)

        assert self.refresh([], now + 5 * MINUTE) is None
        assert WatchedType.objects.exclude(until=now).count() == 0

    def test_fetches_no_prices_of_a_region_without_watched_types(self, access, now):
        assert self.refresh([access], now) is None
        assert not SpotPrice.objects.exists()
